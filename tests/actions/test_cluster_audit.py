"""How much the API logs: set by name, once, with its rollout, when the logs are kept; broken off, settled, undone."""

import pytest

from opslib.actions.cluster import SetAuditLevel
from opslib.actions.security import PreserveLogs
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs.saved_plan import moved
from tests.incidents import carry_out, places, quiet
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas
from tests.scale import first

NAME = "AUDIT_LOG_LEVEL"
LOGS = PreserveLogs(of="api", hours=1.0)


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        # Few lines: what is tried is what follows once they are kept.
        doors.change(log_seconds=60.0)
        yield doors


@pytest.fixture
def described(lab, doors, tmp_path):
    """Return targets of another description."""
    made = []

    def describe(**more):
        made.extend(places(lab.settings.model_copy(update=more), tmp_path))
        return made[-3:]

    yield describe
    for target in made:
        target.close()


@pytest.fixture
def targets(described):
    return described()


@pytest.fixture
def kept(targets):
    return carry_out(LOGS, targets)[1]["manifest"]


def action(manifest, level="debug", seconds=20.0):
    return SetAuditLevel(level=level, manifest=manifest, wait_seconds=seconds)


def env(doors, container="api"):
    containers = doors.spec("deployments", "api-server")["template"]["spec"]["containers"]
    return next(one for one in containers if one["name"] == container).get("env", [])


def values(doors, container="api"):
    return [one.get("value") for one in env(doors, container) if one["name"] == NAME]


def contain(doors, *more, **first):
    """Give the deployment's first container other fields, and more containers after or before it."""
    template = doors.spec("deployments", "api-server")["template"]
    template["spec"]["containers"][0] |= first
    template["spec"]["containers"] = [*more, *template["spec"]["containers"]]
    doors.edit("deployments", "api-server", template=template)
    settled(doors)


def settled(doors):
    def still(objects):
        status = objects["deployments"][f"{NAMESPACE}/api-server"]
        count = status["spec"]["replicas"]
        return (
            status["status"].get("updatedReplicas") == status["status"].get("replicas") == count
            and replicas(objects, "api-server") == count
            and status["status"]["observedGeneration"] == status["metadata"]["generation"]
        )

    return doors.until(still)


def test_a_plan_says_value_and_rollout_and_changes_nothing(doors, targets, kept):
    before = doors.specs()
    plan = action(kept).plan(targets[0])
    whole = {"deployment": "api-server", "container": "api", "variable": NAME}
    assert (plan.before, plan.after) == ({**whole, "value": "not set"}, {**whole, "value": "debug"})
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.CHANGE, Repeat.ONCE, 1)
    assert plan.observed["pods to be replaced"] == 2
    assert plan.digest == action(kept).plan(targets[0]).digest
    assert doors.specs() == before


def test_it_is_set_once_in_every_pod_and_the_undo_removes_it_by_name(doors, targets, kept):
    before, old = doors.specs(), doors.pods_of("api-server")
    plan, said_values, said = carry_out(action(kept), targets)
    assert said.verdict is Verdict.OK, said.summary
    assert said_values["in_time"] is True
    assert values(doors) == ["debug"]
    assert not set(old) & set(doors.pods_of("api-server"))
    assert {row[NAME] for row in said.rows} == {"debug"}
    # Somebody adds another variable before it: an index would be another one by now.
    contain(doors, env=[{"name": "FIRST", "value": "1"}, *env(doors)])
    undone = action(kept).undo(targets[2], plan, said_values, quiet)
    assert undone.verdict is Verdict.OK, undone.summary
    assert values(doors) == []
    there = before["deployments"][f"{NAMESPACE}/api-server"]["template"]["spec"]["containers"][0]["env"]
    assert env(doors) == [{"name": "FIRST", "value": "1"}, *there]
    after = doors.specs()
    assert {kind for kind in after if after[kind] != before[kind]} == {"deployments"}


def test_a_second_run_adds_nothing_and_replaces_nothing(doors, targets, kept):
    carry_out(action(kept), targets)
    again = carry_out(LOGS, targets)[1]["manifest"]
    pods = doors.pods_of("api-server")
    doors.forget()
    plan, _, said = carry_out(action(again), targets)
    assert (plan.touches, plan.before == plan.after, said.verdict) == (0, True, Verdict.OK)
    assert [call for call in doors.calls("kubernetes") if call["method"] != "GET"] == []
    assert doors.pods_of("api-server") == pods
    assert values(doors) == ["debug"]


def test_a_value_of_before_comes_back(doors, targets):
    contain(doors, env=[{"name": NAME, "value": "info"}])
    manifest = carry_out(LOGS, targets)[1]["manifest"]
    plan, done, said = carry_out(action(manifest), targets)
    assert (plan.before["value"], said.verdict, values(doors)) == ("info", Verdict.OK, ["debug"])
    assert action(manifest).undo(targets[2], plan, done, quiet).verdict is Verdict.OK
    assert env(doors) == [{"name": NAME, "value": "info"}]


def test_where_the_container_has_no_list_there_is_one_afterwards_and_none_again(doors, targets):
    template = doors.spec("deployments", "api-server")["template"]
    del template["spec"]["containers"][0]["env"]
    doors.edit("deployments", "api-server", template=template)
    settled(doors)
    manifest = carry_out(LOGS, targets)[1]["manifest"]
    plan, done, said = carry_out(action(manifest), targets)
    assert (said.verdict, env(doors)) == (Verdict.OK, [{"name": NAME, "value": "debug"}])
    assert action(manifest).undo(targets[2], plan, done, quiet).verdict is Verdict.OK
    assert env(doors) == []


def test_a_sidecar_that_comes_first_is_not_what_is_meant(doors, described):
    contain(doors, {"name": "sidecar", "image": "lab/sidecar:1"})
    targets = described()
    with pytest.raises(Refused, match="has 2 containers: sidecar, api"):
        action("0" * 64).plan(targets[0])
    with pytest.raises(Refused, match="has no container web"):
        action("0" * 64).plan(described(api_container="web")[0])
    named = described(api_container="api")
    manifest = carry_out(LOGS, named)[1]["manifest"]
    _, _, said = carry_out(action(manifest), named)
    assert (said.verdict, values(doors), values(doors, "sidecar")) == (Verdict.OK, ["debug"], [])


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([{"name": NAME, "value": "info"}, {"name": NAME, "value": "debug"}], "stands 2 times"),
        (
            [{"name": NAME, "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
            r"elsewhere \(configMapKeyRef\)",
        ),
        ([{"name": NAME, "value": "postgres://user:word@host/db"}], "a value that is no level"),
        ([{"name": NAME, "value": ""}], "a value that is no level"),
    ],
)
def test_what_is_not_one_plain_level_is_refused_and_not_repeated(doors, targets, entries, why):
    contain(doors, env=entries)
    before = doors.specs()
    with pytest.raises(Refused, match=why) as refused:
        action("0" * 64).plan(targets[0])
    assert "word@host" not in str(refused.value)
    assert doors.specs() == before


def test_during_another_rollout_or_a_pause_it_is_refused(doors, targets):
    doors.edit("deployments", "api-server", paused=True)
    settled(doors)
    with pytest.raises(Refused, match="is paused"):
        action("0" * 64).plan(targets[0])
    doors.change(ailing={"api-server": "CrashLoopBackOff"})
    doors.edit("deployments", "api-server", paused=False)
    template = doors.spec("deployments", "api-server")["template"]
    template["spec"]["containers"][0]["image"] = "valuecanvas/api-server:bad"
    doors.edit("deployments", "api-server", template=template)
    doors.until(lambda objects: objects["deployments"][f"{NAMESPACE}/api-server"]["status"].get("updatedReplicas") == 1)
    with pytest.raises(Refused, match="being rolled out"):
        action("0" * 64).plan(targets[0])


def test_to_stay_as_it_is_asks_nobody(doors, targets, kept):
    doors.forget()
    plan, _, said = carry_out(action(kept, "as-it-is"), targets)
    assert (plan.touches, said.verdict, doors.calls("kubernetes")) == (0, Verdict.OK, [])


def lost(doors, targets, manifest, why):
    """The step refuses, says why, and sends nothing."""
    step = action(manifest)
    plan = step.plan(targets[0])
    doors.forget()
    with pytest.raises(Refused, match=why) as refused:
        step.apply(targets[2], plan, quiet)
    assert [call for call in doors.calls("kubernetes") if call["method"] != "GET"] == []
    assert values(doors) == []
    return refused.value


def test_without_the_logs_of_every_pod_nothing_is_restarted(doors, targets):
    lost(doors, targets, "0" * 64, "no evidence with that manifest")
    nothing = carry_out(PreserveLogs(of="api", megabytes=0), targets)[1]["manifest"]
    lost(doors, targets, nothing, "does not hold the logs of api-server-")
    others = carry_out(PreserveLogs(of="worker", hours=1.0), targets)[1]["manifest"]
    lost(doors, targets, others, "does not hold the logs of api-server-")


def test_logs_that_were_cut_off_or_broke_off_are_not_enough(doors, targets):
    doors.change(log_seconds=0.2)
    cut = carry_out(PreserveLogs(of="api", hours=1.0, megabytes=1), targets)[1]["manifest"]
    refused = lost(doors, targets, cut, "does not hold the logs of api-server-")
    assert "log_megabytes" in refused.next_step
    doors.change(log_seconds=60.0)
    pod = doors.pods_of("api-server")[0]
    with doors.fault("kubernetes", "cut", path=f"{pod}/log"):
        broken = carry_out(LOGS, targets)[1]["manifest"]
    lost(doors, targets, broken, f"does not hold the logs of {pod} api")


def test_a_pod_or_an_end_that_came_after_the_logs_is_not_lost(doors, targets, kept):
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3)
    doors.until(lambda objects: len(doors.pods_of("api-server", objects)) == 3)
    settled(doors)
    lost(doors, targets, kept, "does not hold the logs of api-server-")
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=2)
    again = carry_out(LOGS, targets)[1]["manifest"]
    doors.restart("api-server", ago=5)
    lost(doors, targets, again, r"before its last restart\)")


def test_a_last_end_that_kubernetes_has_no_log_of_holds_nothing_up(doors, targets):
    doors.restart("api-server", ago=600)
    doors.change(log_lost=["api-server"])
    manifest = carry_out(LOGS, targets)[1]["manifest"]
    assert carry_out(action(manifest), targets)[2].verdict is Verdict.OK


def test_somebody_elses_value_since_the_plan_is_refused_and_is_drift(doors, targets):
    manifest = carry_out(LOGS, targets)[1]["manifest"]
    plan = action(manifest).plan(targets[0])
    contain(doors, env=[{"name": NAME, "value": "warn"}])
    manifest = carry_out(LOGS, targets)[1]["manifest"]
    with pytest.raises(Refused, match="is set otherwise by now"):
        action(manifest).apply(targets[2], plan, quiet)
    assert moved(plan, action(manifest).plan(targets[0])) != []
    assert action(manifest).settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "outcome"), [("lost", Outcome.DONE), ("500", Outcome.NOT_DONE), ("cut", Outcome.NOT_DONE)]
)
def test_an_answer_that_is_lost_is_settled_and_never_sent_twice(doors, targets, kept, fault, outcome):
    step = action(kept)
    plan = step.plan(targets[0])
    doors.forget()
    with doors.fault("kubernetes", fault, method="PATCH"), pytest.raises(Unreachable):
        step.apply(targets[2], plan, quiet)
    assert len([call for call in doors.calls("kubernetes") if call["method"] == "PATCH"]) == 1
    found = step.settle(targets[2], plan, quiet)
    assert found.outcome is outcome
    if outcome is Outcome.DONE:
        assert step.verify(targets[1], plan, found.values).verdict is Verdict.OK
        assert values(doors) == ["debug"]
    else:
        assert values(doors) == []


@pytest.mark.parametrize("fault", first(3, "409", "429", "malformed", "401", "403", "404", "422", "empty"))
def test_no_failure_of_the_cluster_is_taken_for_success(doors, targets, kept, fault):
    step = action(kept)
    plan = step.plan(targets[0])
    with doors.fault("kubernetes", fault, method="PATCH", seconds=90), pytest.raises(OpsError):
        step.apply(targets[2], plan, quiet)
    assert values(doors) == []
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_a_status_that_is_written_meanwhile_is_no_conflict_of_ours(doors, targets, kept):
    with doors.fault("kubernetes", "409", method="PATCH", times=2):
        _, _, said = carry_out(action(kept), targets)
    assert said.verdict is Verdict.OK


def test_one_that_is_broken_off_in_the_rollout_is_done_and_waited_for(doors, targets, kept):
    def stop(text, done=None, total=None):
        raise StepFailed("broken off", "Look.")

    doors.change(tick_seconds=0.3)
    step = action(kept)
    plan = step.plan(targets[0])
    with pytest.raises(StepFailed, match="broken off"):
        step.apply(targets[2], plan, stop)
    found = step.settle(targets[2], plan, quiet)
    assert (found.outcome, found.values["in_time"]) == (Outcome.DONE, None)
    assert step.verify(targets[1], plan, found.values).verdict is Verdict.OK


def test_pods_that_do_not_come_up_are_critical_with_their_reason_and_the_undo_mends_it(doors, targets, kept):
    doors.change(ailing={"api-server": "CrashLoopBackOff"})
    step = action(kept, seconds=1.5)
    plan, done, said = carry_out(step, targets)
    assert (said.verdict, "CrashLoopBackOff" in said.summary, done["in_time"]) == (Verdict.CRITICAL, True, False)
    # Those of before serve on, so that taking it back leaves them alone.
    assert replicas(doors.cluster()["objects"], "api-server") == 2
    doors.change(ailing={})
    assert action(kept).undo(targets[2], plan, done, quiet).verdict is Verdict.OK
    assert values(doors) == []


def test_what_somebody_sets_after_it_is_critical_and_is_not_undone(doors, targets, kept):
    plan, done, _ = carry_out(action(kept), targets)
    contain(doors, env=[{"name": NAME, "value": "debug"}, {"name": NAME, "value": "info"}])
    said = action(kept).verify(targets[1], plan, done)
    assert (said.verdict, "set otherwise" in said.summary) == (Verdict.CRITICAL, True)
    with pytest.raises(Refused, match="is set otherwise by now"):
        action(kept).undo(targets[2], plan, done, quiet)


def test_a_deployment_that_was_made_anew_is_another_one(doors, targets, kept):
    plan = action(kept).plan(targets[0])
    state = doors.cluster()
    state["objects"]["deployments"][f"{NAMESPACE}/api-server"]["metadata"]["uid"] = "another"
    for one in state["objects"]["replicasets"].values():
        if one["metadata"]["ownerReferences"][0]["name"] == "api-server":
            one["metadata"]["ownerReferences"][0]["uid"] = "another"
    doors.put(kubernetes=state)
    with pytest.raises(Refused, match="made anew"):
        action(kept).apply(targets[2], plan, quiet)
    assert action(kept).settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN
