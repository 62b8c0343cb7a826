"""Scaling on the lab's cluster: planned, refused with figures, applied, fought with, broken off, settled, undone."""

from contextlib import closing

import pytest
from pydantic import ValidationError

from opslib.actions.cluster import ScaleDeployment
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs.saved_plan import moved
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas

RUN = "20261128T130614Z-runbooks-scale-for-high-traffic-a1b2c3"
QUICK = {"wait_seconds": 20.0, "settle_seconds": 0.3}


def quiet(text, done=None, total=None):
    pass


def action(which="api", count=4, **more):
    return ScaleDeployment(which=which, replicas=count, **{**QUICK, **more})


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def settings(lab):
    return lab.settings


@pytest.fixture
def targets(settings, doors):
    made = PlanTarget(settings, RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)
    yield made
    for target in made:
        target.close()


@pytest.fixture
def plain(lab, doors):
    """Targets whose API is the deployment without an autoscaler."""
    settings = lab.settings.model_copy(update={"api_deployment": "frontend"})
    made = PlanTarget(settings, RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)
    yield made
    for target in made:
        target.close()


def carry_out(step, targets):
    planning, looking, writing = targets
    plan = step.plan(planning)
    values = step.apply(writing, plan, quiet)
    return plan, values, step.verify(looking, plan, values)


def test_a_plan_says_both_bounds_and_what_is_left_and_changes_nothing(doors, targets):
    before = doors.specs()
    plan = action(count=6).plan(targets[0])
    assert doors.specs() == before
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.CHANGE, Repeat.ONCE, 4)
    sized = {"deployment": "api-server", "sized by": "autoscaler api-server"}
    assert plan.before == {**sized, "at least": 2, "at most": 10}
    assert plan.after == {**sized, "at least": 6, "at most": 10}
    assert plan.observed["replicas now"] == 2
    assert "cores" in plan.observed["nodes"]
    assert " of 97" in plan.observed["connections"]["server"]
    assert plan.observed["quota"]["production pods"] == 29


def test_bounds_are_set_and_the_replicas_are_there_and_the_undo_brings_the_bounds_back(doors, targets):
    before, told = doors.specs(), []
    step = action(count=5)
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, lambda text, done=None, total=None: told.append((done, total)))
    assert values["in_time"] is True
    assert told
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, said.rows[0]["available"]) == (Verdict.OK, 5)
    assert doors.bounds("api-server") == (5, 10)
    after = doors.specs()
    changed = {kind for kind in after if after[kind] != before[kind]}
    assert changed == {"deployments", "horizontalpodautoscalers"}
    undone = step.undo(targets[2], plan, values, quiet)
    assert undone.verdict is Verdict.OK
    assert doors.bounds("api-server") == (2, 10)
    doors.until(lambda objects: replicas(objects, "api-server") == 2)
    assert doors.specs() == before


def test_the_upper_bound_is_raised_where_the_least_is_above_it_and_room_is_asked_for_all_of_it(doors, targets):
    plan, _, said = carry_out(action("worker", 6), targets)
    assert (plan.after["at least"], plan.after["at most"], plan.touches) == (6, 6, 5)
    assert said.verdict is Verdict.OK
    assert doors.bounds("llm-worker") == (6, 6)
    with pytest.raises(Refused, match="for 60 replicas find no node"):
        action("api", 3, at_most=60).plan(targets[0])


def test_the_way_back_down_is_a_run_with_lower_figures(doors, targets):
    carry_out(action(count=5, at_most=12, connections_each=5), targets)
    plan, _, said = carry_out(action(count=2, at_most=4), targets)
    assert (plan.before["at most"], plan.after["at most"], said.verdict) == (12, 4, Verdict.OK)
    objects = doors.until(lambda objects: replicas(objects, "api-server") == 2)
    assert doors.bounds("api-server") == (2, 4)
    assert objects


def test_what_stands_already_is_nothing_to_do(targets):
    plan, _, said = carry_out(action(count=2), targets)
    assert (plan.touches, plan.before == plan.after, said.verdict) == (0, True, Verdict.OK)


def test_replicas_that_find_no_node_are_refused_with_figures(doors, targets):
    before = doors.specs()
    with pytest.raises(
        Refused, match=r"1 of the llm-worker pods for 10 replicas find no node \(lacks cpu\)"
    ) as refused:
        action("worker", 10, connections_each=0).plan(targets[0])
    assert "node-a" in refused.value.message
    assert "cores" in refused.value.message
    assert doors.specs() == before


def test_ten_replicas_of_ten_connections_are_refused_where_the_database_has_too_few(targets):
    with pytest.raises(Refused, match=r"would open \d+ more connections, 10 each: with \d+ in use 103.1 % of 97"):
        action(count=10).plan(targets[0])
    assert action(count=10, connections_each=5).plan(targets[0]).touches == 8


def test_what_the_quota_does_not_allow_is_refused(doors, targets):
    doors.edit("resourcequotas", "production", hard={"requests.cpu": "4"})
    doors.until(lambda objects: "pods" not in objects["resourcequotas"][f"{NAMESPACE}/production"]["status"]["hard"])
    with pytest.raises(Refused, match=r"quota production allows no 6 replicas \(requests.cpu: 3.25 and 2 more of 4\)"):
        action(count=6).plan(targets[0])


def test_bounds_of_an_autoscaler_that_is_off_are_refused(doors, targets):
    doors.edit("deployments", "api-server", replicas=0)
    with pytest.raises(Refused, match="has 0 replicas, which switches its autoscaler api-server off"):
        action().plan(targets[0])


def test_two_autoscalers_of_one_deployment_are_refused(doors, targets):
    state = doors.cluster()
    known = state["objects"]["horizontalpodautoscalers"]
    known[f"{NAMESPACE}/other"] = {**known[f"{NAMESPACE}/api-server"]}
    known[f"{NAMESPACE}/other"]["metadata"] = {**known[f"{NAMESPACE}/api-server"]["metadata"], "name": "other"}
    doors.put(kubernetes=state)
    with pytest.raises(Refused, match="2 autoscalers size api-server: api-server, other"):
        action().plan(targets[0])


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 201}, {"which": "frontend"}, {"at_most": -1}])
def test_figures_that_are_none_make_no_action(wrong):
    with pytest.raises(ValidationError):
        action(**wrong)


def test_an_upper_bound_below_the_least_is_refused(targets):
    with pytest.raises(Refused, match="At most 3 is below 4"):
        action(at_most=3).plan(targets[0])


def test_a_deployment_without_an_autoscaler_gets_its_number_and_gets_it_back(doors, plain):
    before = doors.specs()
    step = action(count=4)
    plan, values, said = carry_out(step, plain)
    assert (plan.before["replicas"], plan.after["replicas"], plan.touches) == (2, 4, 2)
    assert said.verdict is Verdict.OK
    assert doors.spec("deployments", "frontend")["replicas"] == 4
    assert step.undo(plain[2], plan, values, quiet).verdict is Verdict.OK
    assert doors.specs() == before
    with pytest.raises(Refused, match="has no autoscaler"):
        action(at_most=6).plan(plain[0])


def test_somebody_elses_change_since_the_plan_is_refused_before_anything_is_sent(doors, targets):
    plan = action().plan(targets[0])
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3)
    doors.forget()
    with pytest.raises(Refused, match="3 to 10 replicas by now, not 2 to 10"):
        action().apply(targets[2], plan, quiet)
    assert [call for call in doors.calls("kubernetes") if call["method"] != "GET"] == []
    assert moved(plan, action().plan(targets[0])) != []


def test_a_status_that_is_written_meanwhile_is_no_conflict_of_ours(doors, targets):
    plan = action().plan(targets[0])
    with doors.fault("kubernetes", "409", method="PATCH", times=2):
        values = action().apply(targets[2], plan, quiet)
    assert values["in_time"] is True
    assert doors.bounds("api-server") == (4, 10)


def test_a_conflict_that_stays_is_refused_with_nothing_changed(doors, targets):
    plan = action().plan(targets[0])
    with doors.fault("kubernetes", "409", method="PATCH"), pytest.raises(Refused, match="written to all the time"):
        action().apply(targets[2], plan, quiet)
    assert doors.bounds("api-server") == (2, 10)


def test_an_autoscaler_that_was_made_anew_is_another_one(doors, targets):
    plan = action().plan(targets[0])
    state = doors.cluster()
    state["objects"]["horizontalpodautoscalers"][f"{NAMESPACE}/api-server"]["metadata"]["uid"] = "another"
    doors.put(kubernetes=state)
    with pytest.raises(Refused, match="made anew"):
        action().apply(targets[2], plan, quiet)
    assert action().settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("fault", "outcome"), [("lost", Outcome.DONE), ("500", Outcome.NOT_DONE)])
def test_an_answer_that_is_lost_is_settled_by_the_bounds(doors, targets, fault, outcome):
    step = action()
    plan = step.plan(targets[0])
    with doors.fault("kubernetes", fault, method="PATCH"), pytest.raises(Unreachable):
        step.apply(targets[2], plan, quiet)
    settled = step.settle(targets[2], plan, quiet)
    assert settled.outcome is outcome
    if outcome is Outcome.DONE:
        assert step.verify(targets[1], plan, settled.values).verdict is Verdict.OK
    else:
        assert doors.bounds("api-server") == (2, 10)


def test_one_that_is_broken_off_while_it_waits_is_done(doors, targets):
    def stop(text, done=None, total=None):
        raise StepFailed("broken off", "Look.")

    step = action()
    plan = step.plan(targets[0])
    with pytest.raises(StepFailed, match="broken off"):
        step.apply(targets[2], plan, stop)
    settled = step.settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert step.verify(targets[1], plan, settled.values).verdict is Verdict.OK


def test_bounds_that_somebody_set_meanwhile_leave_it_in_doubt(doors, targets):
    plan = action().plan(targets[0])
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3, maxReplicas=7)
    settled = action().settle(targets[2], plan, quiet)
    assert (settled.outcome, "3 and 7" in settled.why) == (Outcome.UNKNOWN, True)


def test_what_is_set_back_by_somebody_else_is_critical(doors, targets):
    step = action()
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, quiet)
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=2)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "was set back: 2 to 10, not 4 to 10" in said.summary) == (Verdict.CRITICAL, True)
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3)
    with pytest.raises(Refused, match="3 to 10 replicas by now"):
        step.undo(targets[2], plan, values, quiet)


def test_pods_that_do_not_come_up_are_critical_with_their_reason(doors, targets):
    doors.change(ailing={"api-server": "CrashLoopBackOff"})
    step = action(wait_seconds=1.5)
    plan, values, said = carry_out(step, targets)
    assert values["in_time"] is False
    assert said.verdict is Verdict.CRITICAL
    assert "2 of 4 replicas of api-server are available" in said.summary
    assert "CrashLoopBackOff" in said.summary
    undone = step.undo(targets[2], plan, values, quiet)
    assert undone.verdict is Verdict.OK
    assert doors.bounds("api-server") == (2, 10)


def test_room_that_somebody_took_meanwhile_shows_as_pods_without_a_node(doors, targets):
    step = action("worker", 5, wait_seconds=1.5)
    plan = step.plan(targets[0])
    state = doors.cluster()
    for node in state["objects"]["nodes"].values():
        node["spec"]["unschedulable"] = True
    doors.put(kubernetes=state)
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "3 node(s) were unschedulable" in said.summary) == (Verdict.CRITICAL, True)


def test_an_undo_under_load_says_that_the_replicas_stay_for_now(doors, targets):
    step = action(count=5)
    plan, values, _ = carry_out(step, targets)
    doors.change(load={**doors.cluster()["load"], "api-server": 1_750})
    undone = step.undo(targets[2], plan, values, quiet)
    assert undone.verdict is Verdict.OK
    assert "holds 5 and takes them down as the load allows" in undone.summary


def test_an_unreachable_cluster_refuses_nothing_and_plans_nothing(doors, settings):
    described = settings.model_copy(update={"kubernetes_url": "https://127.0.0.1:1"})
    with closing(PlanTarget(described, RUN)) as target, pytest.raises(Unreachable) as told:
        action().plan(target)
    assert told.value.kind == "refused"
