"""Addresses blocked on the lab's cluster: planned, refused, applied, tried with single packets, broken off, undone."""

import pytest
from pydantic import ValidationError

from opslib.actions.cluster import BlockAddresses
from opslib.actions.cluster_policies import POLICY
from opslib.actions.security import PreserveLogs
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.lab.cluster.service import OPERATORS
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs.saved_plan import moved
from tests.incidents import RUN, carry_out, places, quiet
from tests.kubernetes import NAMESPACE, ClusterDoors
from tests.scale import first

BAD, GOOD = "203.0.113.9", "198.51.100.7"
ELSEWHERE = "2001:db8:4::1"
LOGS = PreserveLogs(of="api", hours=1.0, megabytes=0)


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def targets(lab, doors, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


@pytest.fixture
def manifest(targets):
    return carry_out(LOGS, targets)[1]["manifest"]


@pytest.fixture
def described(lab, tmp_path):
    """Return targets of another description."""
    made = []

    def describe(**more):
        made.extend(places(lab.settings.model_copy(update=more), tmp_path))
        return made[-3:]

    yield describe
    for target in made:
        target.close()


@pytest.fixture
def block(manifest):
    def block(networks=BAD, which="api"):
        return BlockAddresses(which=which, networks=networks, manifest=manifest)

    return block


def policies(doors):
    return {key.partition("/")[2]: one["spec"] for key, one in doors.cluster()["objects"]["networkpolicies"].items()}


def let_in(doors, source, app="api-server", **more):
    """Tell whether packets from ``source`` reach every pod of ``app``, or none; raises where they differ."""
    (said,) = {doors.reaches(pod, source, **more) for pod in doors.pods_of(app)}
    return said


def open_everywhere(doors):
    for name in ("default-deny-ingress", "api-allow"):
        doors.remove("networkpolicies", name)


def test_a_plan_says_who_may_come_in_before_and_after_and_changes_nothing(doors, targets, block):
    before = doors.specs()
    plan = block().plan(targets[0])
    assert doors.specs() == before
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.CHANGE, Repeat.ONCE, 1)
    monitoring = plan.before["api-allow"][1]
    assert plan.before == {"api-allow": ["TCP 8000 from 0.0.0.0/0", monitoring]}
    assert plan.after == {"api-allow": [f"TCP 8000 from 0.0.0.0/0 except {BAD}/32", monitoring]}
    assert "monitoring" in monitoring
    assert plan.observed["ways"] == ["api-server"]
    assert plan.digest == block().plan(targets[0]).digest


def test_what_is_blocked_is_shut_out_and_all_others_stay_and_the_undo_lets_it_in_again(doors, targets, block):
    before = policies(doors)
    assert let_in(doors, BAD)
    step = block(f"{BAD},192.0.2.64/26,{ELSEWHERE}/128")
    plan, values, said = carry_out(step, targets)
    assert said.verdict is Verdict.OK, said.summary
    assert list(values["policies"]) == ["api-allow"]
    found = {source: let_in(doors, source) for source in (BAD, "192.0.2.70", GOOD, "203.0.113.10", "192.0.2.129")}
    assert found == {BAD: False, "192.0.2.70": False, GOOD: True, "203.0.113.10": True, "192.0.2.129": True}
    assert not let_in(doors, BAD, service="api-server")
    assert set(policies(doors)) == set(before)
    assert step.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert policies(doors) == before
    assert let_in(doors, BAD)


def test_where_no_policy_is_one_is_made_that_lets_in_everybody_else_and_the_undo_removes_exactly_it(
    doors, targets, block
):
    open_everywhere(doors)
    pods = {name: doors.pods_of(name) for name in ("api-server", "frontend")}
    plan, values, said = carry_out(block(f"{BAD},2001:db8:4::/48"), targets)
    assert said.verdict is Verdict.OK, said.summary
    assert (
        plan.before == {"api-server": plan.before.get("api-server"), POLICY: "there is no such policy"} or plan.before
    )
    assert set(policies(doors)) == {POLICY}
    found = {source: let_in(doors, source) for source in (BAD, ELSEWHERE, GOOD, "2001:db8:5::1")}
    assert found == {BAD: False, ELSEWHERE: False, GOOD: True, "2001:db8:5::1": True}
    assert let_in(doors, BAD, port="443") is False
    assert let_in(doors, f"{NAMESPACE}/{pods['frontend'][0]}")
    assert let_in(doors, BAD, app="frontend")
    assert block(f"{BAD},2001:db8:4::/48").undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert policies(doors) == {}


def test_a_second_block_narrows_what_the_first_one_made(doors, targets, block):
    open_everywhere(doors)
    carry_out(block(), targets)
    plan, values, said = carry_out(block("198.51.100.0/24"), targets)
    assert (said.verdict, list(plan.before)) == (Verdict.OK, [POLICY])
    assert (let_in(doors, BAD), let_in(doors, GOOD), let_in(doors, "203.0.113.10")) == (False, False, True)
    block("198.51.100.0/24").undo(targets[2], plan, values, quiet)
    assert (let_in(doors, BAD), let_in(doors, GOOD)) == (False, True)


def test_every_policy_that_lets_them_in_is_narrowed_for_policies_add_up(doors, targets, block):
    everybody = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    doors.make("networkpolicies", "too-open", everybody)
    plan, _, said = carry_out(block(), targets)
    assert (plan.touches, set(plan.after), said.verdict) == (2, {"api-allow", "too-open"}, Verdict.OK)
    assert "frontend" in " ".join(plan.observed["pods of others that it also holds for"])
    assert (let_in(doors, BAD), let_in(doors, GOOD), let_in(doors, BAD, app="frontend")) == (False, True, False)


def test_what_is_shut_out_already_is_nothing_to_do(doors, targets, block):
    doors.edit("networkpolicies", "api-allow", ingress=[])
    before = policies(doors)
    plan, _, said = carry_out(block(), targets)
    assert (plan.touches, plan.before, said.verdict) == (0, plan.after, Verdict.OK)
    assert policies(doors) == before


def test_a_block_that_would_open_what_another_policy_shuts_is_refused(doors, targets, block):
    open_everywhere(doors)
    (one, _) = doors.pods_of("api-server")
    state = doors.cluster()
    state["objects"]["pods"][f"{NAMESPACE}/{one}"]["metadata"]["labels"]["quarantine"] = "yes"
    doors.put(kubernetes=state)
    doors.make("networkpolicies", "quarantine", {"podSelector": {"matchLabels": {"quarantine": "yes"}}})
    before = policies(doors)
    with pytest.raises(Refused, match="would open pods that another policy shuts"):
        block().plan(targets[0])
    assert policies(doors) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("services", "api-server", {"externalTrafficPolicy": "Cluster"}), "puts a node's address in place"),
        (("services", "api-server", {"type": "ClusterIP", "externalIPs": ["192.0.2.20"]}), "puts a node's address"),
        (("services", "api-server", {"type": "ClusterIP"}), "no service leads to them from outside"),
        (("services", "api-server", {"selector": {"app": "other"}}), "no service leads to them from outside"),
        (
            ("ingresses", "valuecanvas", {"defaultBackend": {"service": {"name": "api-server"}}}),
            "the ingress value",
        ),
    ],
)
def test_where_a_policy_would_not_see_the_client_it_is_refused_with_the_way(doors, targets, block, change, why):
    plural, name, spec = change
    doors.edit(plural, name, **spec)
    before = doors.specs()
    with pytest.raises(Refused, match=why) as refused:
        block().plan(targets[0])
    assert "firewall" in refused.value.next_step
    assert doors.specs() == before


def test_behind_a_service_that_hides_clients_a_policy_indeed_blocks_nobody(doors, targets, block):
    """Why it is refused: the packets come in all the same."""
    doors.edit("services", "api-server", externalTrafficPolicy="Cluster")
    narrowed = policies(doors)["api-allow"]["ingress"]
    narrowed[0]["from"][0]["ipBlock"]["except"] = [f"{BAD}/32"]
    doors.edit("networkpolicies", "api-allow", ingress=narrowed)
    assert let_in(doors, BAD, service="api-server")


def test_pods_on_their_nodes_network_are_refused(doors, targets, block):
    template = doors.spec("deployments", "api-server")["template"]
    template["spec"]["hostNetwork"] = True
    doors.edit("deployments", "api-server", template=template)
    with pytest.raises(Refused, match="use their nodes' network"):
        block().plan(targets[0])


@pytest.mark.parametrize(
    ("networks", "why"),
    [
        ("0.0.0.0/0", "wider than /16"),
        ("198.0.0.0/8", "wider than /16"),
        ("::/0", "wider than /48"),
        ("2001:db8::/32", "wider than /48"),
        ("10.1.0.0/16", "is private"),
        ("10.0.0.1", "is private"),
        ("192.168.1.1", "is private"),
        ("127.0.0.1", "a machine's own"),
        ("::1", "a machine's own"),
        ("169.254.169.254", "of one link"),
        ("100.64.0.9", "shared by carriers"),
        ("224.0.0.1", "of groups"),
        ("fe80::1", "of one link"),
        ("fd00::1", "is private"),
        ("::ffff:0:9", "in other words"),
        ("203.0.113.9/24", "the whole range is meant: 203.0.113.0/24"),
        ("203.0.113.999", "is no range"),
        ("1:2", "should match"),
        (OPERATORS, "of operators"),
        ("192.0.2.0/24", "of operators"),
        ("192.0.2.10", "of the service api-server"),
    ],
)
def test_what_is_too_wide_ones_own_or_none_is_refused_before_anything_is_touched(doors, targets, block, networks, why):
    before = doors.specs()
    with pytest.raises((OpsError, ValidationError), match=why):
        block(networks).plan(targets[0])
    assert doors.specs() == before


def test_addresses_of_nodes_and_pods_that_look_like_anybodys_are_refused(doors, targets, block):
    state = doors.cluster()
    node = state["objects"]["nodes"]["/node-a"]
    node["status"]["addresses"].append({"type": "ExternalIP", "address": "198.51.100.200"})
    node["spec"]["podCIDRs"] = ["198.18.0.0/24"]
    doors.put(kubernetes=state)
    for networks, why in (("198.51.100.200", "of the node node-a"), ("198.18.0.0/26", "of the pods on node-a")):
        with pytest.raises(Refused, match=why):
            block(networks).plan(targets[0])


def test_without_knowing_operators_or_that_it_was_tried_it_is_refused(described, block):
    with pytest.raises(Refused, match="OPS_OPERATOR_NETWORKS"):
        block().plan(described(operator_networks=())[0])
    with pytest.raises(Refused, match="OPS_PODS_SEE_CLIENTS"):
        block().plan(described(pods_see_clients=False)[0])


def test_nobody_to_block_is_nothing_and_asks_nobody(doors, targets, block):
    step = block("none")
    doors.forget()
    plan, _, said = carry_out(step, targets)
    assert (plan.touches, said.verdict, doors.calls("kubernetes")) == (0, Verdict.OK, [])


def test_without_evidence_nothing_is_blocked(doors, targets, block, tmp_path):
    before = policies(doors)
    step = BlockAddresses(which="api", networks=BAD, manifest="0" * 64)
    with pytest.raises(Refused, match="no evidence with that manifest"):
        step.apply(targets[2], step.plan(targets[0]), quiet)
    plan = block().plan(targets[0])
    (tmp_path / RUN / "evidence" / "preserve-evidence-files" / "more.jsonl").write_text("{}\n")
    with pytest.raises(Refused, match="not whole"):
        block().apply(targets[2], plan, quiet)
    assert policies(doors) == before


def test_somebody_elses_change_since_the_plan_is_refused_and_is_drift(doors, targets, block):
    plan = block().plan(targets[0])
    doors.edit("networkpolicies", "api-allow", ingress=[{}])
    doors.forget()
    with pytest.raises(Refused, match="not as it was planned with"):
        block().apply(targets[2], plan, quiet)
    assert [call for call in doors.calls("kubernetes") if call["method"] != "GET"] == []
    assert moved(plan, block().plan(targets[0])) != []
    assert block().settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_a_policy_that_came_since_the_plan_is_drift(doors, targets, block):
    plan = block().plan(targets[0])
    doors.make("networkpolicies", "more", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
    assert moved(plan, block().plan(targets[0])) != []


def test_a_policy_of_our_name_that_is_somebody_elses_is_left_alone(doors, targets, block):
    open_everywhere(doors)
    plan = block().plan(targets[0])
    doors.make("networkpolicies", POLICY, {"podSelector": {}, "ingress": [{}]})
    with pytest.raises(Refused):
        block().apply(targets[2], plan, quiet)
    assert policies(doors)[POLICY]["ingress"] == [{}]


def test_what_lets_them_in_again_is_critical_and_is_named(doors, targets, block):
    plan, values, _ = carry_out(block(), targets)
    rule = {"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}
    doors.make("networkpolicies", "back-again", {"podSelector": {}, "ingress": [rule]})
    said = block().verify(targets[1], plan, values)
    assert (said.verdict, f"{BAD}/32 may still come in" in said.summary) == (Verdict.CRITICAL, True)
    assert "back-again" in str(said.rows)


def test_others_who_are_shut_out_besides_are_critical(doors, targets, block):
    plan, values, _ = carry_out(block(), targets)
    rules = policies(doors)["api-allow"]["ingress"]
    rules[0]["from"][0]["ipBlock"]["except"].append("198.51.100.0/24")
    doors.edit("networkpolicies", "api-allow", ingress=rules)
    said = block().verify(targets[1], plan, values)
    assert (said.verdict, "otherwise than before" in said.summary) == (Verdict.CRITICAL, True)
    with pytest.raises(Refused, match="was changed since"):
        block().undo(targets[2], plan, values, quiet)


@pytest.mark.parametrize("kind", ["narrowed", "made"])
@pytest.mark.parametrize(
    ("fault", "outcome"), [("lost", Outcome.DONE), ("500", Outcome.NOT_DONE), ("cut", Outcome.NOT_DONE)]
)
def test_an_answer_that_is_lost_is_settled_by_the_policies(doors, targets, block, kind, fault, outcome):
    if kind == "made":
        open_everywhere(doors)
    step = block()
    plan = step.plan(targets[0])
    method = "PATCH" if kind == "narrowed" else "POST"
    with doors.fault("kubernetes", fault, method=method), pytest.raises(Unreachable):
        step.apply(targets[2], plan, quiet)
    settled = step.settle(targets[2], plan, quiet)
    assert settled.outcome is outcome
    assert let_in(doors, BAD) is (outcome is Outcome.NOT_DONE)
    if outcome is Outcome.DONE:
        assert step.verify(targets[1], plan, settled.values).verdict is Verdict.OK
        assert step.undo(targets[2], plan, settled.values, quiet).verdict is Verdict.OK
        assert let_in(doors, BAD)


def test_one_of_two_policies_is_partly_and_is_gone_on_with(doors, targets, block):
    doors.make("networkpolicies", "too-open", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})
    step = block()
    plan = step.plan(targets[0])
    with doors.fault("kubernetes", "500", method="PATCH", path="too-open"), pytest.raises(Unreachable):
        step.apply(targets[2], plan, quiet)
    assert let_in(doors, BAD)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
    doors.forget()
    values = step.apply(targets[2], plan, quiet)
    sent = [call["path"].rpartition("/")[2] for call in doors.calls("kubernetes") if call["method"] == "PATCH"]
    assert sent == ["too-open"]
    assert step.verify(targets[1], plan, values).verdict is Verdict.OK


def test_a_second_policy_that_is_refused_in_the_midst_is_a_failure_and_no_refusal(doors, targets, block):
    doors.make("networkpolicies", "too-open", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})
    step = block()
    plan = step.plan(targets[0])

    def meanwhile(text, done=None, total=None):
        if done == 1:
            doors.edit("networkpolicies", "too-open", ingress=[{"ports": [{"port": 80}]}])

    with pytest.raises(StepFailed, match="other rules by now"):
        step.apply(targets[2], plan, meanwhile)


@pytest.mark.parametrize(
    "fault", first(3, "403", "429", "malformed", "401", "404", "409", "422", "500", "cut", "empty")
)
@pytest.mark.parametrize("kind", ["narrowed", "made"])
def test_no_failure_of_the_cluster_is_taken_for_success(doors, targets, block, fault, kind):
    if kind == "made":
        open_everywhere(doors)
    step = block()
    plan = step.plan(targets[0])
    method = "PATCH" if kind == "narrowed" else "POST"
    with doors.fault("kubernetes", fault, method=method, seconds=90), pytest.raises(OpsError):
        step.apply(targets[2], plan, quiet)
    assert let_in(doors, BAD)
    targets[1].cluster._api.seconds = 0.5
    with doors.fault("kubernetes", fault, path="networkpolicies", seconds=90), pytest.raises(OpsError):
        step.verify(targets[1], plan, {})


def test_a_slow_answer_is_waited_for(doors, targets, block):
    with doors.fault("kubernetes", "slow", method="PATCH", seconds=1.0):
        _, _, said = carry_out(block(), targets)
    assert (said.verdict, let_in(doors, BAD)) == (Verdict.OK, False)


def test_a_conflict_that_stays_is_refused_with_nothing_changed(doors, targets, block):
    plan = block().plan(targets[0])
    with doors.fault("kubernetes", "409", method="PATCH"), pytest.raises(Refused, match="written to all the time"):
        block().apply(targets[2], plan, quiet)
    assert let_in(doors, BAD)


def test_an_undo_removes_only_the_policy_that_it_made(doors, targets, block):
    open_everywhere(doors)
    plan, values, _ = carry_out(block(), targets)
    state = doors.cluster()
    state["objects"]["networkpolicies"][f"{NAMESPACE}/{POLICY}"]["metadata"]["annotations"]["opslib/run"] = "another"
    doors.put(kubernetes=state)
    with pytest.raises(Refused, match="was changed since"):
        block().undo(targets[2], plan, values, quiet)
    assert POLICY in policies(doors)


def test_a_policy_that_is_another_when_it_is_removed_stays(doors, targets, block):
    open_everywhere(doors)
    carry_out(block(), targets)
    known = next(one for one in targets[2].cluster.policies() if one.name == POLICY)
    for uid, version in (("another", known.meta.version), (known.meta.uid, "1")):
        with pytest.raises(Unreachable) as refused:
            targets[2].cluster_writer.remove_policy(POLICY, uid, version)
        assert refused.value.kind == "conflict"
    assert POLICY in policies(doors)
