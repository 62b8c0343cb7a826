"""A commit put live at the lab's Vercel: built once, followed, compared with what users get, taken back."""

from contextlib import ExitStack, closing

import pytest

from opslib.actions.base import Outcome
from opslib.actions.frontend import DeployFrontEnd
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.lab.vendors.github import MAIN
from opslib.model import Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests import specs
from tests.hosters import of
from tests.scale import first
from tests.vendors import Doors

RUN = "20261128T130614Z-runbooks-deploy-new-version-a1b2c3"
OTHER = "b" * 40
ACTION = DeployFrontEnd(branch="main", build_seconds=20, wait_seconds=5)


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def vercel(lab, doors):
    hoster = of(lab.settings, doors, "vercel")
    hoster.put(move_seconds=0.05, build_seconds=0.3)
    return hoster


@pytest.fixture
def targets(vercel):
    with ExitStack() as opened:
        made = (kind(vercel.settings, RUN) for kind in (PlanTarget, VerifyTarget, WriteTarget))
        yield tuple(opened.enter_context(closing(one)) for one in made)


def carry_out(targets, action=ACTION):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def live(vercel):
    with vercel.looking() as handle:
        return handle.current()


def made(vercel):
    return [one for one in vercel.state["deployments"] if one.get("mark")]


def posts(vercel):
    return [call["path"] for call in vercel.doors.calls("vercel") if call["method"] == "POST"]


def test_a_plan_names_commit_and_way_back_and_builds_nothing(vercel, targets):
    before = vercel.doors.state()
    plan = ACTION.plan(targets[0])
    assert (plan.after["commit"], plan.fingerprint["current"]) == (MAIN, vercel.ids["now"])
    assert vercel.ids["now"] in plan.undo
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert vercel.doors.state() == before


def test_the_commit_goes_live_once_and_is_what_users_get_and_is_taken_back(vercel, targets):
    plan, values, looked = carry_out(targets)
    (one,) = made(vercel)
    assert (one["sha"], one["mark"], values["deployment"]) == (MAIN, RUN, one["id"])
    assert (looked.verdict, live(vercel).deployment) == (Verdict.OK, one["id"]), looked.summary
    taken = ACTION.undo(targets[2], plan, values, quiet)
    assert (taken.verdict, live(vercel).deployment) == (Verdict.OK, vercel.ids["now"]), taken.summary


def test_where_pushes_are_held_back_it_is_put_live_by_hand(vercel, targets):
    vercel.put(automatic=False)
    plan, values, looked = carry_out(targets)
    assert looked.verdict is Verdict.OK, looked.summary
    assert live(vercel).deployment == values["deployment"]
    assert any("/promote/" in path for path in posts(vercel))
    assert "held back" in plan.fingerprint


def test_a_commit_that_is_live_already_is_not_built_again(vercel, targets):
    vercel.change("now", sha=MAIN)
    vercel.doors.forget()
    plan, _, looked = carry_out(targets)
    assert (plan.touches, looked.verdict, posts(vercel)) == (0, Verdict.OK, [])


def test_a_build_that_fails_leaves_what_was_live_and_may_be_tried_again(vercel, targets):
    vercel.put(build_fails=True)
    plan = ACTION.plan(targets[0])
    with pytest.raises(StepFailed, match="ERROR"):
        ACTION.apply(targets[2], plan, quiet)
    assert live(vercel).deployment == vercel.ids["now"]
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    vercel.put(build_fails=False)
    values = ACTION.apply(targets[2], plan, quiet)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(vercel)) == 2


@pytest.mark.parametrize("automatic", [True, False])
def test_an_answer_that_is_lost_is_found_again_and_nothing_is_built_twice(vercel, targets, automatic):
    vercel.put(automatic=automatic)
    plan = ACTION.plan(targets[0])
    lost = vercel.doors.fault("vercel", "lost", method="POST", path="/v13/deployments")
    with lost, pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    settled = ACTION.settle(targets[2], plan, quiet)
    assert settled.outcome in (Outcome.PARTLY, Outcome.DONE)
    values = ACTION.apply(targets[2], plan, quiet)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(vercel)) == 1
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.DONE


@pytest.mark.parametrize("fault", first(2, "422", "500", "cut", "400", "401", "402", "403", "409"))
def test_a_call_that_made_nothing_is_settled_as_not_done(vercel, targets, fault):
    plan = ACTION.plan(targets[0])
    broken = vercel.doors.fault("vercel", fault, method="POST")
    with broken, pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    settled = ACTION.settle(targets[2], plan, quiet)
    assert (settled.outcome, made(vercel)) == (Outcome.NOT_DONE, [])


def test_a_branch_that_moved_or_somebody_elses_deployment_makes_it_refused(vercel, targets):
    plan = ACTION.plan(targets[0])
    vercel.doors.put(github={**vercel.doors.state()["github"], "heads": {"main": OTHER}})
    with pytest.raises(Refused, match="not at 5f0d"):
        ACTION.apply(targets[2], plan, quiet)
    vercel.doors.put(github={**vercel.doors.state()["github"], "heads": {"main": MAIN}})
    vercel.put(production=vercel.ids["older"])
    with pytest.raises(Refused, match="Somebody deployed meanwhile"):
        ACTION.apply(targets[2], plan, quiet)
    assert made(vercel) == []


def test_who_deploys_while_it_is_built_is_not_overrun(vercel, targets):
    vercel.put(automatic=False, build_seconds=0.6)
    plan = ACTION.plan(targets[0])

    def overtaken(text, done=None, total=None):
        if "builds" in text:
            vercel.put(production=vercel.ids["older"])

    with pytest.raises(StepFailed, match="somebody else deployed"):
        ACTION.apply(targets[2], plan, overtaken)
    assert live(vercel).deployment == vercel.ids["older"]
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_an_undo_does_not_take_back_what_somebody_deployed_since(vercel, targets):
    plan, values, _ = carry_out(targets)
    vercel.put(production=vercel.ids["older"], request=None)
    with pytest.raises(Refused, match="somebody deployed since"):
        ACTION.undo(targets[2], plan, values, quiet)


def test_production_that_serves_another_document_is_critical(vercel, targets):
    plan, values, _ = carry_out(targets)
    other = vercel.settings.model_copy(
        update={"front_end_url": f"{vercel.doors.url}/vercel/sites/{vercel.ids['older']}"}
    )
    with closing(VerifyTarget(other, RUN)) as target:
        looked = ACTION.model_copy(update={"wait_seconds": 0.1}).verify(target, plan, values)
    assert looked.verdict is Verdict.CRITICAL


@pytest.mark.parametrize("name", ["netlify", "cloudflare"])
def test_a_hoster_that_builds_what_is_pushed_is_refused_with_the_way(lab, doors, name):
    with closing(PlanTarget(of(lab.settings, doors, name).settings, RUN)) as target:
        with pytest.raises(Refused, match="builds what is pushed") as refused:
            ACTION.plan(target)
        assert "force-full-deployment" in refused.value.next_step
    with closing(WriteTarget(of(lab.settings, doors, name).settings, RUN)) as target, pytest.raises(Refused):
        target.hosting_writer.build("a/b", "main", MAIN, RUN)


def test_what_is_sent_and_answered_is_as_vercel_describes_it(vercel, targets):
    spec = specs.load("vercel.json", "/vercel")
    vercel.doors.forget()
    targets[2].hosting_writer.build("valuecanvas/valuecanvas", "main", MAIN, RUN)
    calls = [call for call in vercel.doors.calls("vercel") if call["method"] == "POST"]
    assert len(calls) == 1
    assert [fault for call in calls for fault in spec.faults(call)] == []
