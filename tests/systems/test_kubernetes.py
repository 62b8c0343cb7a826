"""The cluster's client against the lab's stand-in: what it sends is as described, and each failure has its words."""

import json
import lzma
import time
from contextlib import suppress

import pytest
from jsonschema import Draft202012Validator

from opslib.errors import SettingsError, Unreachable, UsageError
from opslib.lab.cluster.planted import BOUNDS, DEPLOYMENTS, NODES
from opslib.systems.kubernetes import Cluster, ReadOnlyCluster
from opslib.systems.kubernetes_quantities import quantity
from opslib.systems.kubernetes_shapes import PodSpec, Taint, Toleration
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget
from tests import specs
from tests.kubernetes import ClusterDoors


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def reading(lab):
    handle = ReadOnlyCluster(lab.settings, lab.settings.read_kubernetes_token)
    yield handle
    handle.close()


@pytest.fixture
def writing(lab):
    handle = Cluster(lab.settings, lab.settings.kubernetes_token)
    yield handle
    handle.close()


def test_a_namespace_is_read_with_its_nodes_bounds_budgets_quota_and_use(reading):
    assert [node.name for node in reading.nodes()] == list(NODES)
    assert {one.name: one.spec.replicas for one in reading.deployments()} == dict.fromkeys(DEPLOYMENTS, 2)
    assert all(one.done for one in reading.deployments())
    assert {one.name: (one.spec.low, one.spec.high) for one in reading.autoscalers()} == BOUNDS
    assert [one.name for one in reading.autoscalers_of("api-server")] == ["api-server"]
    assert reading.autoscalers_of("frontend") == []
    assert {one.name: one.status.allowed for one in reading.budgets()} == {"api-server": 1, "frontend": 1}
    (quota,) = reading.quotas()
    assert (quota.status.used["pods"], quota.status.hard["pods"]) == (7, 40)
    pods = reading.pods("app=api-server")
    assert [pod.ready for pod in pods] == [True, True]
    assert [pod.spec.asks("cpu") for pod in pods] == [0.5, 0.5]
    assert len(reading.pods(everywhere=True)) == 9 + 2 * len(NODES)
    assert {one.name for one in reading.nodes()} == {use.meta.name for use in reading.node_use()}
    assert sum(use.sum("cpu") for use in reading.pod_use()) == pytest.approx(0.45 + 1.2 + 0.02 + 0.015)


def test_a_log_is_read_as_far_as_it_is_kept(reading, doors):
    doors.age("api-server", 3600)
    (pod, _) = reading.pods("app=api-server")
    lines = reading.log(pod.name, lines=12).splitlines()
    assert len(lines) == 12
    assert pod.name in lines[0]
    with pytest.raises(Unreachable, match="previous terminated container") as refused:
        reading.log(pod.name, previous=True)
    assert refused.value.kind == "rejected"


def test_a_list_of_many_pages_is_whole(reading, doors):
    reading.per_page = 4
    doors.forget()
    names = [pod.name for pod in reading.pods(everywhere=True)]
    assert len(set(names)) == len(names) == 15
    assert len(doors.calls("kubernetes")) == 4


def test_bounds_are_set_once_and_only_on_what_was_read(writing, reading, doors):
    (known,) = reading.autoscalers_of("api-server")
    made = writing.bound("api-server", 3, 8, known.meta.version)
    assert (made.spec.low, made.spec.high) == (3, 8) == doors.bounds("api-server")
    assert made.spec.target == known.spec.target
    with pytest.raises(Unreachable, match="has been modified") as refused:
        writing.bound("api-server", 4, 8, known.meta.version)
    assert refused.value.kind == "conflict"
    assert doors.bounds("api-server") == (3, 8)


def test_replicas_are_set_by_the_scale_alone(writing, reading, doors):
    known = reading.deployment("frontend")
    assert writing.scale("frontend", 3, known.meta.version) == 3
    assert doors.spec("deployments", "frontend")["replicas"] == 3
    with pytest.raises(Unreachable) as refused:
        writing.scale("frontend", 4, known.meta.version)
    assert refused.value.kind == "conflict"


@pytest.mark.parametrize(("low", "high"), [(0, 5), (6, 5), (-1, 5)])
def test_bounds_that_are_none_are_rejected(writing, reading, doors, low, high):
    (known,) = reading.autoscalers_of("api-server")
    with pytest.raises(Unreachable, match="is invalid") as refused:
        writing.bound("api-server", low, high, known.meta.version)
    assert refused.value.kind == "rejected"
    assert doors.bounds("api-server") == BOUNDS["api-server"]


def test_the_reading_token_changes_nothing_and_the_reading_handle_has_no_way_to(lab, reading, doors):
    assert not hasattr(reading, "bound")
    assert not hasattr(reading._api, "send")
    lent = Cluster(lab.settings, lab.settings.read_kubernetes_token)
    with pytest.raises(Unreachable) as refused:
        lent.bound("api-server", 3, 8, "1")
    assert refused.value.kind == "forbidden"
    assert "OPS_KUBERNETES_TOKEN" in refused.value.next_step
    assert doors.bounds("api-server") == BOUNDS["api-server"]
    lent.close()


def test_only_the_target_that_applies_can_write(lab):
    for target in (ReadTarget(lab.settings.reading(), "test"), VerifyTarget(lab.settings, "test")):
        assert not hasattr(target, "cluster_writer")
        assert type(target.cluster) is ReadOnlyCluster
        target.close()
        assert "cluster" not in vars(target)
    target = WriteTarget(lab.settings, "test")
    assert target.cluster_writer.deployments()
    target.close()
    assert "cluster_writer" not in vars(target)


@pytest.mark.parametrize("missing", ["kubernetes_url", "kubernetes_namespace", "read_kubernetes_token"])
def test_without_address_namespace_or_token_nothing_is_asked(lab, missing):
    described = lab.settings.model_copy(update={missing: None})
    with pytest.raises(SettingsError, match=r"OPS_|target description"):
        ReadOnlyCluster(described, described.read_kubernetes_token)


def test_a_certificate_of_an_unknown_authority_is_not_trusted(lab):
    handle = ReadOnlyCluster(
        lab.settings.model_copy(update={"kubernetes_ca": None}), lab.settings.read_kubernetes_token
    )
    with pytest.raises(Unreachable) as refused:
        handle.nodes()
    assert refused.value.kind == "tls"
    handle.close()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("403", "forbidden"),
        ("404", "missing"),
        ("409", "conflict"),
        ("422", "rejected"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_each_failure_is_told_from_the_others_and_asked_once(reading, doors, fault, kind):
    doors.forget()
    with doors.fault("kubernetes", fault), pytest.raises(Unreachable) as told:
        reading.deployment("api-server")
    assert told.value.kind == kind
    assert "Kubernetes" in told.value.message
    assert told.value.next_step
    assert len(doors.calls("kubernetes")) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut"])
def test_what_passes_is_asked_again(reading, doors, fault):
    with doors.fault("kubernetes", fault, times=1, seconds=0.1):
        assert reading.deployment("api-server").name == "api-server"
    assert len(doors.calls("kubernetes")) >= 2


def test_a_wait_longer_than_there_is_time_is_not_begun(reading, doors):
    with doors.fault("kubernetes", "429", seconds=3600), pytest.raises(Unreachable, match="3600 s") as told:
        reading.nodes()
    assert told.value.kind == "limited"


def test_a_slow_answer_is_given_up(reading, doors):
    reading._api.seconds = 0.5
    with doors.fault("kubernetes", "slow", seconds=5), pytest.raises(Unreachable) as told:
        reading.nodes()
    assert told.value.kind == "slow"


@pytest.mark.parametrize(("fault", "done"), [("500", False), ("cut", False), ("lost", True), ("malformed", False)])
def test_what_may_have_happened_is_never_sent_twice(writing, reading, doors, fault, done):
    (known,) = reading.autoscalers_of("api-server")
    doors.forget()
    with doors.fault("kubernetes", fault, method="PATCH"), pytest.raises(Unreachable):
        writing.bound("api-server", 3, 8, known.meta.version)
    assert len([call for call in doors.calls("kubernetes") if call["method"] == "PATCH"]) == 1
    assert doors.bounds("api-server") == ((3, 8) if done else BOUNDS["api-server"])


@pytest.mark.parametrize("fault", ["missing", "down"])
def test_where_nobody_measures_the_use_is_not_there(reading, doors, fault):
    doors.change(metrics=fault)
    with pytest.raises(Unreachable) as told:
        reading.node_use()
    assert told.value.kind == {"missing": "missing", "down": "broken"}[fault]


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_no_part_of_an_address_leads_elsewhere(reading, part):
    with pytest.raises(UsageError):
        reading.deployment(part)


def test_what_is_sent_and_answered_is_as_kubernetes_describes_it(writing, reading, doors):
    spec = specs.load("kubernetes-swagger.json")
    doors.forget()
    (known,) = writing.autoscalers_of("api-server")
    writing.bound("api-server", 3, 8, known.meta.version)
    writing.scale("frontend", 3, writing.deployment("frontend").meta.version)
    time.sleep(0.5)
    for ask in (writing.nodes, writing.pods, writing.deployments, writing.budgets, writing.quotas):
        ask()
    writing.log(writing.pods("app=api-server")[0].name, lines=1)
    with pytest.raises(Unreachable):
        writing.deployment("none")
    with pytest.raises(Unreachable):
        writing.bound("api-server", 9, 8, writing.autoscalers()[0].meta.version)
    calls = [call for call in doors.calls("kubernetes") if not call["path"].endswith("/log")]
    assert len(calls) >= 13
    assert [fault for call in calls for fault in spec.faults(call)] == []


def test_what_is_measured_is_as_its_description_says(writing, doors):
    file = specs.FOLDER / "metrics-k8s-podmetricslist.schema.json.xz"
    if not file.is_file():
        pytest.skip("the vendors' descriptions are not here; OPS_SPECS says where they are")
    doors.forget()
    writing.pod_use()
    (call,) = doors.calls("kubernetes")
    schema = json.loads(lzma.decompress(file.read_bytes()))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(call["answer"]))) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("16Gi", 16 * 2**30),
        ("1200000n", 0.0012),
        ("1e3", 1000),
        ("128974848", 128974848),
        ("129M", 129e6),
        ("123Mi", 123 * 2**20),
        ("1.5", 1.5),
        (3, 3),
        ("0", 0),
        ("100k", 1e5),
        ("2E", 2e18),
    ],
)
def test_quantities_are_numbers(text, value):
    assert quantity(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1gi", "1Ki2", "--1", "1e", "0x1", "NaN", "1\n"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


def test_a_pod_asks_for_its_containers_together_or_for_the_largest_before_them():
    def container(cpu, **more):
        return {"name": "a", "image": "a", "resources": {"requests": {"cpu": cpu} if cpu else {}}, **more}

    asks = [
        ([container("100m"), container("200m")], [], 0.3),
        ([container("100m")], [container("2")], 2.0),
        ([container("100m")], [container("2"), container("1", restartPolicy="Always")], 3.0),
        ([container("100m"), container(None)], [], None),
    ]
    for containers, first, wanted in asks:
        spec = PodSpec.model_validate({"containers": containers, "initContainers": first})
        assert spec.asks("cpu") == wanted


@pytest.mark.parametrize(
    ("toleration", "allows"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_toleration_allows_what_it_names(toleration, allows):
    taint = Taint(key="gpu", value="yes", effect="NoSchedule")
    assert Toleration.model_validate(toleration).allows(taint) is allows


def poured(handle, pod, *, since=3600, previous=False, container="api", seconds=20.0):
    """Return a log as it was poured."""
    pieces = []
    handle.pour_log(pieces.append, pod, container, since=since, previous=previous, seconds=seconds)
    return b"".join(pieces).decode()


def test_a_log_is_poured_whole_where_it_is_larger_than_what_one_answer_may_be(reading, doors):
    doors.change(log_seconds=0.5)
    doors.age("api-server", 7 * 3600)
    (pod, _) = reading.pods("app=api-server")
    doors.forget()
    lines = poured(reading, pod.name, since=6 * 3600).splitlines()
    assert sum(map(len, lines)) > 4 * 1024 * 1024
    numbers = [json.loads(line.partition(" ")[2])["n"] for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) >= 6 * 3600 * 2 - 5
    # On a busy machine it may be asked for once more, before a piece of it came.
    asked = doors.calls("kubernetes")
    assert [call for call in asked if "tailLines" not in dict(call["query"])] == asked != []
    with pytest.raises(Unreachable) as told:
        reading.log(pod.name)
    assert told.value.kind == "large"


def test_the_log_of_before_the_last_restart_is_another_one(reading, doors):
    doors.restart("api-server", ago=300)
    (pod, _) = reading.pods("app=api-server")
    now_, before = poured(reading, pod.name).splitlines(), poured(reading, pod.name, previous=True).splitlines()
    assert before[-1][:30] <= now_[0][:30]
    assert (55 < len(now_) < 65, len(before) > 100) == (True, True)


@pytest.mark.parametrize(("fault", "kind"), [("404", "missing"), ("400", "rejected"), ("403", "forbidden")])
def test_a_log_that_is_not_there_is_told_from_one_that_breaks_off(reading, doors, fault, kind):
    (pod, _) = reading.pods("app=api-server")
    with doors.fault("kubernetes", fault, path="/log"), pytest.raises(Unreachable) as told:
        poured(reading, pod.name)
    assert told.value.kind == kind


def test_a_log_that_broke_off_is_not_asked_for_again_and_one_that_did_not_begin_is(reading, doors):
    (pod, _) = reading.pods("app=api-server")
    doors.forget()
    with doors.fault("kubernetes", "cut", path="/log"), pytest.raises(Unreachable) as told:
        poured(reading, pod.name)
    assert (told.value.kind, len(doors.calls("kubernetes"))) == ("cut", 1)
    with doors.fault("kubernetes", "500", path="/log", times=1):
        assert poured(reading, pod.name)
    with doors.fault("kubernetes", "slow", path="/log", seconds=5), pytest.raises(Unreachable) as told:
        poured(reading, pod.name, seconds=0.5)
    assert told.value.kind == "slow"
    # The handle serves on.
    assert poured(reading, pod.name)


def test_policies_services_and_ingresses_are_read_with_whom_they_concern(reading):
    (allow, deny) = reading.policies()
    assert (allow.name, deny.name) == ("api-allow", "default-deny-ingress")
    assert (allow.holds({"app": "api-server"}), allow.holds({"app": "frontend"}), deny.holds({})) == (True, False, True)
    (api, front) = reading.services()
    assert (api.open, api.hides, front.open, front.hides) == (True, False, False, False)
    assert api.own == ("10.96.0.10", "192.0.2.10")
    assert (api.leads_to({"app": "api-server", "x": "y"}), api.leads_to({"app": "frontend"})) == (True, False)
    (ingress,) = reading.ingresses()
    assert ingress.services == {"frontend"}


def test_a_policy_is_made_once_set_on_what_was_read_and_removed_exactly(writing, reading, doors):
    known = reading.deployment("api-server").spec.selector
    rule = {"from": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}
    made = writing.make_policy("mine", known, [rule], "run-1")
    assert (made.meta.annotations, list(made.spec.ingress)) == ({"opslib/run": "run-1"}, [rule])
    with pytest.raises(Unreachable, match="already exists") as refused:
        writing.make_policy("mine", known, [rule], "run-2")
    assert refused.value.kind == "conflict"
    assert list(writing.set_ingress("mine", [], made.meta.version).spec.ingress) == []
    with pytest.raises(Unreachable) as refused:
        writing.set_ingress("mine", [rule], made.meta.version)
    assert refused.value.kind == "conflict"
    (now_,) = [one for one in reading.policies() if one.name == "mine"]
    for uid, version in ((made.meta.uid, made.meta.version), ("another", now_.meta.version)):
        with pytest.raises(Unreachable) as refused:
            writing.remove_policy("mine", uid, version)
        assert refused.value.kind == "conflict"
    writing.remove_policy("mine", now_.meta.uid, now_.meta.version)
    assert "mine" not in {one.name for one in reading.policies()}


@pytest.mark.parametrize(
    "rule",
    [
        {"from": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.0/24"]}}]},
        {"from": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["203.0.113.0/28"]}}]},
        {"from": [{"ipBlock": {"cidr": "all"}}]},
        {"from": [{}]},
    ],
)
def test_a_rule_that_is_none_is_rejected(writing, reading, rule):
    known = next(one for one in reading.policies() if one.name == "api-allow")
    with pytest.raises(Unreachable, match="is invalid") as refused:
        writing.set_ingress("api-allow", [rule], known.meta.version)
    assert refused.value.kind == "rejected"


def put(writing, value):
    """Set the variable; the deployment's controller writes to it as well while pods are replaced."""
    for _ in range(20):
        version = writing.deployment("api-server").meta.version
        with suppress(Unreachable):
            return writing.set_variable("api-server", "api", "AUDIT_LOG_LEVEL", value, version)
    raise AssertionError("it was never taken")


def test_a_variable_is_set_and_removed_by_its_name_alone(writing, reading, doors):
    def names():
        (container,) = doors.spec("deployments", "api-server")["template"]["spec"]["containers"]
        return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}

    before = names()
    for value in ("debug", "debug", "info"):
        put(writing, value)
        assert names() == {**before, "AUDIT_LOG_LEVEL": value}
    with pytest.raises(Unreachable) as refused:
        writing.set_variable("api-server", "api", "AUDIT_LOG_LEVEL", "warn", "1")
    assert refused.value.kind == "conflict"
    put(writing, None)
    assert names() == before


def test_what_an_incident_asks_for_and_sends_is_as_kubernetes_describes_it(writing, reading, doors):
    spec = specs.load("kubernetes-swagger.json")
    doors.restart("api-server", ago=300)
    doors.forget()
    assert all((writing.services(), writing.ingresses(), writing.policies()))
    # Before anything is set: a pod that has just been made has said nothing yet.
    assert poured(reading, reading.pods("app=api-server")[0].name, since=600)
    made = writing.make_policy("mine", reading.deployment("api-server").spec.selector, [{}], "run-1")
    writing.set_ingress("mine", [{"from": [{"podSelector": {}}]}], made.meta.version)
    (now_,) = [one for one in reading.policies() if one.name == "mine"]
    writing.remove_policy("mine", now_.meta.uid, now_.meta.version)
    for value in ("debug", None):
        put(writing, value)
    calls = doors.calls("kubernetes")
    assert {call["method"] for call in calls} == {"GET", "POST", "PATCH", "DELETE"}
    # A log is text: only what is asked is held against the description.
    calls = [{**call, "answer": ""} if call["path"].endswith("/log") else call for call in calls]
    assert [fault for call in calls for fault in spec.faults(call)] == []
