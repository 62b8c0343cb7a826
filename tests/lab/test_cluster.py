"""The cluster's stand-in behaves as a cluster does: what it lets be, what it puts right, what it refuses."""

import ipaddress
import json

import psutil
import pytest

from opslib.errors import Unreachable
from opslib.lab.cluster.kinds import KINDS
from opslib.lab.cluster.patches import json_patch, merged, strategic
from opslib.lab.cluster.planted import BOUNDS, DEPLOYMENTS
from opslib.lab.cluster.reach import MARK
from opslib.lab.cluster.service import Cluster
from opslib.lab.cluster.store import selected
from opslib.lab.vendors.stand_in import Refusal
from opslib.systems.api import WritingApi
from opslib.systems.kubernetes import READING, WRITING
from tests import specs
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas

REVISION = "deployment.kubernetes.io/revision"
APPS = ("apis", "apps", "v1", "namespaces", NAMESPACE, "deployments")
JSON, MERGE, STRATEGIC = (f"application/{kind}+json" for kind in ("json-patch", "merge-patch", "strategic-merge-patch"))


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def api(lab):
    settings = lab.settings
    handle = WritingApi(WRITING, settings.kubernetes_url, settings.kubernetes_token, ca=settings.kubernetes_ca)
    yield handle
    handle.close()


def sent(api, method, *path, kind="application/json", body=None, **query):
    return json.loads(api.send(method, *path, query=query, body=body, kind=kind).text)


def at_rest(objects):
    return all(
        one["status"].get("availableReplicas", 0) == one["spec"]["replicas"] for one in objects["deployments"].values()
    )


def test_a_number_of_replicas_outside_an_autoscalers_bounds_is_put_back(api, doors):
    # Without load it would go on down, and a machine that is slow to look would not see it pass its bound.
    doors.change(load={**doors.cluster()["load"], "api-server": 50_000})
    sent(api, "PATCH", *APPS, "api-server", "scale", kind=MERGE, body={"spec": {"replicas": 14}})
    objects = doors.until(lambda objects: replicas(objects, "api-server") == BOUNDS["api-server"][1])
    assert objects["deployments"][f"{NAMESPACE}/api-server"]["spec"]["replicas"] == 10


def test_more_bounds_bring_pods_one_after_the_other_and_fewer_take_them_away_after_a_while(doors):
    doors.change(tick_seconds=0.5)
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=5)
    seen = set()
    doors.until(lambda objects: seen.add(replicas(objects, "api-server")) or replicas(objects, "api-server") == 5)
    assert len(seen) > 2
    doors.change(tick_seconds=0.05)
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=2)
    doors.until(lambda objects: replicas(objects, "api-server") == 2)


def test_load_brings_replicas_up_to_the_upper_bound(doors):
    doors.change(load={**doors.cluster()["load"], "api-server": 50_000})
    objects = doors.until(lambda objects: objects["deployments"][f"{NAMESPACE}/api-server"]["spec"]["replicas"] == 10)
    status = objects["horizontalpodautoscalers"][f"{NAMESPACE}/api-server"]["status"]
    assert ("ScalingLimited", "True") in {(one["type"], one["status"]) for one in status["conditions"]}


def reasons(objects, name):
    status = objects["horizontalpodautoscalers"][f"{NAMESPACE}/{name}"]["status"]
    return {one["reason"] for one in status["conditions"]}


def test_an_autoscaler_is_off_at_no_replicas_and_blind_without_figures(doors):
    doors.edit("deployments", "api-server", replicas=0)
    doors.change(metrics="missing")
    doors.until(lambda objects: replicas(objects, "api-server") == 0)
    doors.until(lambda objects: "ScalingDisabled" in reasons(objects, "api-server"))
    doors.until(lambda objects: "FailedGetResourceMetric" in reasons(objects, "llm-worker"))


def test_what_does_not_fit_on_the_nodes_waits_with_its_reason(doors):
    doors.edit("horizontalpodautoscalers", "llm-worker", minReplicas=10, maxReplicas=10)
    objects = doors.until(
        lambda objects: any(one["reason"] == "FailedScheduling" for one in objects["events"].values())
    )
    waiting = [one for one in objects["pods"].values() if not one["spec"].get("nodeName")]
    assert waiting
    (condition,) = waiting[0]["status"]["conditions"]
    assert (condition["reason"], condition["message"]) == (
        "Unschedulable",
        "0/3 nodes are available: 3 Insufficient cpu.",
    )


def test_what_is_above_the_quota_is_not_made(doors):
    doors.edit("resourcequotas", "production", hard={"pods": "7"})
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=6)
    objects = doors.until(lambda objects: any(one["reason"] == "FailedCreate" for one in objects["events"].values()))
    assert replicas(objects, "api-server") <= 3
    said = next(one["message"] for one in objects["events"].values() if one["reason"] == "FailedCreate")
    assert "exceeded quota: production" in said


@pytest.mark.parametrize("ill", ["CrashLoopBackOff", "ImagePullBackOff", "OOMKilled"])
def test_what_ails_new_pods_is_shown_in_their_states(doors, ill):
    doors.change(ailing={"frontend": ill})
    doors.edit("deployments", "frontend", replicas=4)
    shown = "CrashLoopBackOff" if ill == "OOMKilled" else ill

    def seen(objects):
        states = [s["state"].get("waiting", {}).get("reason") for s in statuses(objects)]
        return states.count(shown) == 2

    objects = doors.until(seen)
    assert replicas(objects, "frontend") == 2
    if ill == "OOMKilled":
        assert {s["lastState"]["terminated"]["exitCode"] for s in statuses(objects) if s.get("lastState")} == {137}
    doors.change(ailing={})
    doors.until(lambda objects: replicas(objects, "frontend") == 4)


def statuses(objects):
    found = [one for one in objects["pods"].values() if one["metadata"]["labels"].get("app") == "frontend"]
    return [status for one in found for status in one["status"].get("containerStatuses", ())]


def test_another_template_is_rolled_out_under_a_new_revision_and_the_old_one_comes_back_under_a_newer(api, doors):
    def templated(value):
        container = {"name": "llm", "env": [{"name": "LEVEL", "value": value}]}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        sent(api, "PATCH", *APPS, "llm-worker", kind=STRATEGIC, body=body)

    def revision_of(objects):
        return int(objects["deployments"][f"{NAMESPACE}/llm-worker"]["metadata"]["annotations"][REVISION])

    # Another test's template may have been rolled out in this lab.
    first = revision_of(doors.cluster()["objects"])
    for value, revision in (("a", first + 1), ("b", first + 2), ("a", first + 3)):
        templated(value)

        def rolled(objects, revision=revision):
            status = objects["deployments"][f"{NAMESPACE}/llm-worker"]["status"]
            return (
                revision_of(objects) == revision
                and status.get("updatedReplicas") == status.get("replicas") == status.get("availableReplicas") == 2
            )

        doors.until(rolled)
    before = doors.cluster()["objects"]["deployments"][f"{NAMESPACE}/llm-worker"]["metadata"]["generation"]
    templated("a")
    after = doors.cluster()["objects"]["deployments"][f"{NAMESPACE}/llm-worker"]["metadata"]["generation"]
    assert after == before


def test_a_json_patch_that_adds_to_a_list_that_is_not_there_is_refused(api, doors):
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "A", "value": "1"}}]
    with pytest.raises(Unreachable, match="rejected our request") as refused:
        sent(api, "PATCH", *APPS, "llm-worker", kind=JSON, body=patch)
    assert refused.value.kind == "rejected"
    for _ in range(2):
        sent(api, "PATCH", *APPS, "frontend", kind=JSON, body=patch)
    env = doors.spec("deployments", "frontend")["template"]["spec"]["containers"][0]["env"]
    assert [one["name"] for one in env].count("A") == 2


@pytest.mark.parametrize("kind", [JSON, MERGE, STRATEGIC, "PUT", "DELETE", "POST"])
def test_a_dry_run_changes_nothing(api, doors, kind):
    before = doors.specs()
    known = sent(api, "GET", *APPS, "frontend")
    wanted = {**known, "spec": {**known["spec"], "replicas": 5}}
    if kind == "POST":
        made = sent(api, "POST", *APPS, body={"metadata": {"name": "new"}, "spec": known["spec"]}, dryRun="All")
        assert made["metadata"]["name"] == "new"
    elif kind == "PUT":
        assert sent(api, "PUT", *APPS, "frontend", body=wanted, dryRun="All")["spec"]["replicas"] == 5
    elif kind == "DELETE":
        assert sent(api, "DELETE", *APPS, "frontend", dryRun="All")["status"] == "Success"
    else:
        body = {"spec": {"replicas": 5}}
        body = [{"op": "replace", "path": "/spec/replicas", "value": 5}] if kind == JSON else body
        assert sent(api, "PATCH", *APPS, "frontend", kind=kind, body=body, dryRun="All")["spec"]["replicas"] == 5
    assert doors.specs() == before


def test_things_are_made_and_removed_once(api, doors):
    home = ("apis", "networking.k8s.io", "v1", "namespaces", NAMESPACE, "networkpolicies")
    policy = {"metadata": {"name": "block"}, "spec": {"podSelector": {"matchLabels": {"app": "api-server"}}}}
    assert sent(api, "POST", *home, body=policy)["metadata"]["resourceVersion"]
    with pytest.raises(Unreachable, match="already exists") as refused:
        sent(api, "POST", *home, body=policy)
    assert refused.value.kind == "conflict"
    assert sent(api, "DELETE", *home, "block")["status"] == "Success"
    with pytest.raises(Unreachable) as refused:
        sent(api, "DELETE", *home, "block")
    assert refused.value.kind == "missing"


def test_every_kind_is_listed_as_it_is_described(api, doors):
    spec = specs.load("kubernetes-swagger.json")
    doors.edit("horizontalpodautoscalers", "llm-worker", minReplicas=10, maxReplicas=10)
    doors.change(ailing={"frontend": "OOMKilled"})
    doors.edit("deployments", "frontend", replicas=3)
    doors.until(lambda objects: any(one["reason"] == "BackOff" for one in objects["events"].values()))
    doors.forget()
    for kind in KINDS.values():
        root = kind.root.strip("/").split("/")
        path = (*root, "namespaces", NAMESPACE) if kind.namespaced else tuple(root)
        assert sent(api, "GET", *path, kind.plural)["items"], kind.plural
        sent(api, "GET", *root, kind.plural)
        there = doors.cluster()["objects"][kind.plural]
        name = next(key for key in there if not kind.namespaced or key.startswith(f"{NAMESPACE}/")).split("/")[-1]
        if kind.plural not in ("pods", "events"):
            sent(api, "GET", *path, kind.plural, name)
    calls = doors.calls("kubernetes")
    assert len(calls) > 30
    assert [
        fault
        for call in calls
        for fault in spec.faults({**call, "path": call["path"] + "/" * (call["path"] == "/version")})
    ] == []


def test_secrets_are_not_for_the_reading_token(lab, api):
    settings = lab.settings
    path = ("api", "v1", "namespaces", NAMESPACE, "secrets")
    assert sent(api, "GET", *path)["items"]
    reader = WritingApi(READING, settings.kubernetes_url, settings.read_kubernetes_token, ca=settings.kubernetes_ca)
    for asked in (path, (*path, "valuecanvas-secrets"), ("api", "v1", "secrets")):
        with pytest.raises(Unreachable) as refused:
            sent(reader, "GET", *asked)
        assert refused.value.kind == "forbidden"
    reader.close()


def test_what_a_cluster_remembers_outlives_its_process(lab, alone):
    cluster = alone(Cluster)

    def doors():
        said = {"kubernetes_url": f"https://127.0.0.1:{cluster.port}", "kubernetes_ca": cluster.folder / "ca.pem"}
        return ClusterDoors(lab.settings.model_copy(update=said))

    doors().edit("deployments", "frontend", replicas=3)
    doors().until(at_rest)
    before, first = doors().specs(), cluster.trace
    process = psutil.Process(first.pid)
    process.kill()
    psutil.wait_procs([process], timeout=5)
    assert not cluster.complete
    cluster.up()
    assert cluster.trace != first
    assert doors().specs() == before
    assert doors().spec("deployments", "frontend")["replicas"] == 3


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("app=a", True),
        ("app==a", True),
        ("app!=a", False),
        ("app in (a, b)", True),
        ("app notin (a,b)", False),
        *[("app", True), ("!app", False), ("other", False), ("app=a,tier!=web", True), ("app in (b),app=a", False)],
    ],
)
def test_a_selector_selects(selector, fits):
    assert selected({"app": "a"}, selector) is fits


def test_a_selector_that_is_none_is_refused():
    with pytest.raises(Refusal):
        selected({}, "a ~ b")


def test_patches_do_what_their_descriptions_say():
    target = {"a": 1, "list": [1, 2], "containers": [{"name": "x", "env": [{"name": "A", "value": "1"}]}]}
    assert merged(target, {"a": None, "list": [3]})["list"] == [3]
    assert "a" not in merged(target, {"a": None})
    added = strategic(target, {"containers": [{"name": "x", "env": [{"name": "B", "value": "2"}]}, {"name": "y"}]})
    assert [one["name"] for one in added["containers"]] == ["x", "y"]
    assert [one["name"] for one in added["containers"][0]["env"]] == ["A", "B"]
    gone = strategic(added, {"containers": [{"name": "y", "$patch": "delete"}]})
    assert [one["name"] for one in gone["containers"]] == ["x"]
    moved = json_patch(
        target, [{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/b~1c"}]
    )
    assert (moved["b/c"], "a" in moved) == (1, False)
    assert json_patch(target, [{"op": "copy", "from": "/list/0", "path": "/list/-"}])["list"] == [1, 2, 1]
    for wrong in (
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/none"},
        {"op": "jump", "path": "/a"},
    ):
        with pytest.raises(Refusal):
            json_patch(target, [wrong])
    assert target == {"a": 1, "list": [1, 2], "containers": [{"name": "x", "env": [{"name": "A", "value": "1"}]}]}
    assert set(DEPLOYMENTS) > set(BOUNDS)


def test_a_network_policy_is_filled_in_as_the_api_does_it(api, doors):
    home = ("apis", "networking.k8s.io", "v1", "namespaces", NAMESPACE, "networkpolicies")
    port = {"port": 80}
    spec = {"podSelector": {}, "ingress": [{"ports": [port]}], "egress": [{}]}
    made = sent(api, "POST", *home, body={"metadata": {"name": "mine"}, "spec": spec})
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert made["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_packets_are_let_in_as_the_policies_say_and_a_service_that_spreads_hides_their_source(doors):
    pod, other = doors.pods_of("api-server")[0], doors.pods_of("frontend")[0]
    assert doors.reaches(pod, "203.0.113.9")
    assert not doors.reaches(pod, "203.0.113.9", port="9000")
    assert not doors.reaches(other, "203.0.113.9")
    doors.make("networkpolicies", "from-front", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
    assert doors.reaches(pod, f"{NAMESPACE}/{other}", port="9000")
    system = next(key for key in doors.cluster()["objects"]["pods"] if key.startswith("kube-system/"))
    assert not doors.reaches(pod, system, port="9000")
    rule = {"from": [{"namespaceSelector": {"matchExpressions": [{"key": MARK, "operator": "Exists"}]}}]}
    doors.make("networkpolicies", "from-all", {"podSelector": {}, "ingress": [rule]})
    assert doors.reaches(pod, system, port="9000")
    block = {"cidr": "0.0.0.0/0", "except": ["203.0.113.0/24"]}
    doors.edit("networkpolicies", "api-allow", ingress=[{"from": [{"ipBlock": block}]}])
    assert not doors.reaches(pod, "203.0.113.9", service="api-server")
    doors.edit("services", "api-server", externalTrafficPolicy="Cluster")
    assert doors.reaches(pod, "203.0.113.9", service="api-server")


def test_pods_have_addresses_of_their_own_from_their_nodes_ranges(doors):
    objects = doors.cluster()["objects"]
    pods = [one for key, one in objects["pods"].items() if key.startswith(NAMESPACE)]
    ranges = {one["metadata"]["name"]: one["spec"]["podCIDR"] for one in objects["nodes"].values()}
    addresses = [ipaddress.ip_address(one["status"]["podIP"]) for one in pods]
    assert len(set(addresses)) == len(pods)
    assert all(
        ip in ipaddress.ip_network(ranges[one["spec"]["nodeName"]]) for ip, one in zip(addresses, pods, strict=True)
    )


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"sinceSeconds": 60, "sinceTime": "2026-01-01T00:00:00Z"}, "rejected"),
        ({"container": "none"}, "rejected"),
        ({"previous": "true"}, "rejected"),
    ],
)
def test_a_log_that_cannot_be_is_refused_as_the_api_does(api, doors, asked, status):
    path = ("api", "v1", "namespaces", NAMESPACE, "pods", doors.pods_of("api-server")[0], "log")
    with pytest.raises(Unreachable) as refused:
        api.text(*path, query=asked)
    assert refused.value.kind == status


def test_a_container_that_waits_has_the_log_of_its_last_end_or_none(api, doors):
    def path(name):
        return ("api", "v1", "namespaces", NAMESPACE, "pods", name, "log")

    doors.change(ailing={"frontend": "ImagePullBackOff"})
    doors.edit("deployments", "frontend", replicas=3)
    doors.until(lambda objects: len(doors.pods_of("frontend", objects)) == 3)
    waiting = [one for one in doors.pods_of("frontend") if not ready(doors, one)]
    with pytest.raises(Unreachable, match="is waiting to start"):
        api.text(*path(waiting[0]))
    doors.change(ailing={"frontend": "CrashLoopBackOff"}, log_seconds=0.1)
    ended = doors.until(lambda objects: any(one.get("lastState") for one in statuses(objects)))
    assert ended
    assert api.text(*path(waiting[0]))


def ready(doors, name):
    pod = doors.cluster()["objects"]["pods"][f"{NAMESPACE}/{name}"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])
