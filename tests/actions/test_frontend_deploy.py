"""A commit put live at the lab's hosters: built once, followed, compared with what users get, taken back."""

import json
from contextlib import ExitStack, closing

import pytest

from opslib.actions.frontend import DeployFrontEnd
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.lab.vendors.github import MAIN
from opslib.model import Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests import specs
from tests.hosters import of
from tests.scale import first
from tests.systems.test_hosters import DESCRIBED
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


@pytest.fixture(params=first(1, "vercel", "cloudflare"))
def hoster(request, lab, doors):
    hoster = of(lab.settings, doors, request.param)
    hoster.put(move_seconds=0.05, build_seconds=0.3)
    return hoster


@pytest.fixture
def targets(hoster):
    with ExitStack() as opened:
        made = (kind(hoster.settings, RUN) for kind in (PlanTarget, VerifyTarget, WriteTarget))
        yield tuple(opened.enter_context(closing(one)) for one in made)


def carry_out(targets, action=ACTION):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def live(hoster):
    with hoster.looking() as handle:
        return handle.current()


def made(hoster):
    return [one for one in hoster.state["deployments"] if "mark" in one]


def posts(hoster):
    return [call["path"] for call in hoster.doors.calls(hoster.name) if call["method"] == "POST"]


def test_a_plan_names_commit_and_way_back_and_builds_nothing(hoster, targets):
    before = hoster.doors.state()
    plan = ACTION.plan(targets[0])
    assert (plan.after["commit"], plan.fingerprint["current"]) == (MAIN, hoster.ids["now"])
    assert hoster.ids["now"] in plan.undo
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert hoster.doors.state() == before


def test_the_commit_goes_live_once_and_is_what_users_get_and_is_taken_back(hoster, targets):
    plan, values, looked = carry_out(targets)
    (one,) = made(hoster)
    mark = RUN if hoster.name == "vercel" else ""
    assert (one["sha"], one["mark"], values["deployment"]) == (MAIN, mark, one["id"])
    assert (looked.verdict, live(hoster).deployment) == (Verdict.OK, one["id"]), looked.summary
    taken = ACTION.undo(targets[2], plan, values, quiet)
    assert (taken.verdict, live(hoster).deployment) == (Verdict.OK, hoster.ids["now"]), taken.summary


VERCEL = pytest.mark.parametrize("hoster", ["vercel"], indirect=True)
CLOUDFLARE = pytest.mark.parametrize("hoster", ["cloudflare"], indirect=True)


@VERCEL
def test_what_is_built_for_is_said_in_its_own_field_and_no_variable_goes_with_it(hoster, targets):
    before = hoster.state["variables"]
    hoster.doors.forget()
    carry_out(targets)
    calls = [call for call in hoster.doors.calls("vercel") if call["method"] == "POST"]
    (said,) = [json.loads(call["body"]) for call in calls if call["path"].endswith("/deployments")]
    assert (said["target"], {"env", "build"} & set(said)) == ("production", set())
    assert hoster.state["variables"] == before
    assert "--env names no environment, it gives a build a variable" in ACTION.reason


@VERCEL
def test_where_pushes_are_held_back_it_is_put_live_by_hand(hoster, targets):
    hoster.put(automatic=False)
    plan, values, looked = carry_out(targets)
    assert looked.verdict is Verdict.OK, looked.summary
    assert live(hoster).deployment == values["deployment"]
    assert any("/promote/" in path for path in posts(hoster))
    assert "held back" in plan.fingerprint


def test_a_commit_that_is_live_already_is_not_built_again(hoster, targets):
    hoster.change("now", sha=MAIN)
    hoster.doors.forget()
    plan, _, looked = carry_out(targets)
    assert (plan.touches, looked.verdict, posts(hoster)) == (0, Verdict.OK, [])


def test_a_build_that_fails_leaves_what_was_live_and_may_be_tried_again(hoster, targets):
    hoster.put(build_fails=True)
    plan = ACTION.plan(targets[0])
    with pytest.raises(StepFailed, match="did not become ready"):
        ACTION.apply(targets[2], plan, quiet)
    assert live(hoster).deployment == hoster.ids["now"]
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    hoster.put(build_fails=False)
    values = ACTION.apply(targets[2], plan, quiet)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(hoster)) == 2


@pytest.mark.parametrize(
    ("hoster", "automatic"), [("vercel", True), ("vercel", False), ("cloudflare", True)], indirect=["hoster"]
)
def test_an_answer_that_is_lost_is_found_again_and_nothing_is_built_twice(hoster, targets, automatic):
    hoster.put(automatic=automatic)
    plan = ACTION.plan(targets[0])
    lost = hoster.doors.fault(hoster.name, "lost", method="POST", path="/deployments")
    with lost, pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    settled = ACTION.settle(targets[2], plan, quiet)
    assert settled.outcome in (Outcome.PARTLY, Outcome.DONE)
    values = ACTION.apply(targets[2], plan, quiet)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(hoster)) == 1
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.DONE


@pytest.mark.parametrize("fault", first(2, "422", "500", "cut", "400", "401", "402", "403", "409"))
def test_a_call_that_made_nothing_is_settled_as_not_done(hoster, targets, fault):
    plan = ACTION.plan(targets[0])
    broken = hoster.doors.fault(hoster.name, fault, method="POST")
    with broken, pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    settled = ACTION.settle(targets[2], plan, quiet)
    assert (settled.outcome, made(hoster)) == (Outcome.NOT_DONE, [])


def test_a_branch_that_moved_or_somebody_elses_deployment_makes_it_refused(hoster, targets):
    plan = ACTION.plan(targets[0])
    hoster.doors.put(github={**hoster.doors.state()["github"], "heads": {"main": OTHER}})
    with pytest.raises(Refused, match="not at 5f0d"):
        ACTION.apply(targets[2], plan, quiet)
    hoster.doors.put(github={**hoster.doors.state()["github"], "heads": {"main": MAIN}})
    hoster.put(production=hoster.ids["older"])
    with pytest.raises(Refused, match="Somebody deployed meanwhile"):
        ACTION.apply(targets[2], plan, quiet)
    assert made(hoster) == []


@VERCEL
def test_who_deploys_while_it_is_built_is_not_overrun(hoster, targets):
    hoster.put(automatic=False, build_seconds=0.6)
    plan = ACTION.plan(targets[0])

    def overtaken(text, done=None, total=None):
        if "builds" in text:
            hoster.put(production=hoster.ids["older"])

    with pytest.raises(StepFailed, match="somebody else deployed"):
        ACTION.apply(targets[2], plan, overtaken)
    assert live(hoster).deployment == hoster.ids["older"]
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_an_undo_does_not_take_back_what_somebody_deployed_since(hoster, targets):
    plan, values, _ = carry_out(targets)
    hoster.put(production=hoster.ids["older"], request=None)
    with pytest.raises(Refused, match="somebody deployed since"):
        ACTION.undo(targets[2], plan, values, quiet)


def test_production_that_serves_another_document_is_critical(hoster, targets):
    plan, values, _ = carry_out(targets)
    other = hoster.settings.model_copy(
        update={"front_end_url": f"{hoster.doors.url}/{hoster.name}/sites/{hoster.ids['older']}"}
    )
    with closing(VerifyTarget(other, RUN)) as target:
        looked = ACTION.model_copy(update={"wait_seconds": 0.1}).verify(target, plan, values)
    assert looked.verdict is Verdict.CRITICAL


def test_a_hoster_that_builds_no_commit_is_handed_what_was_built_here_or_nothing(lab, doors):
    settings = of(lab.settings, doors, "netlify").settings
    with closing(PlanTarget(settings, RUN)) as target, pytest.raises(Refused, match="builds no commit") as refused:
        ACTION.plan(target)
    assert "built['sha256']" in refused.value.next_step
    with closing(WriteTarget(settings, RUN)) as target, pytest.raises(Refused, match="it builds no commit"):
        target.hosting_writer.build("a/b", "main", MAIN, RUN)


@CLOUDFLARE
@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ({"repository": None}, "no repository"),
        ({"repository": "somebody/else"}, "somebody/else"),
        ({"branch": "release"}, "not the branch"),
    ],
)
def test_what_cloudflare_would_build_for_production_is_looked_at_before(hoster, targets, pipeline, said):
    hoster.put(pipeline={**hoster.state["pipeline"], **pipeline})
    with pytest.raises(Refused, match=said):
        ACTION.plan(targets[0])


@CLOUDFLARE
def test_a_branch_that_moves_between_look_and_call_is_told_at_once(hoster, targets):
    plan = ACTION.plan(targets[0])

    def moved(text, done=None, total=None):
        if "asking" in text:
            hoster.doors.put(github={**hoster.doors.state()["github"], "heads": {"main": OTHER}})

    with pytest.raises(StepFailed, match="the branch moved") as told:
        ACTION.apply(targets[2], plan, moved)
    assert "roll-back-deployment" in told.value.next_step
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


@CLOUDFLARE
def test_a_deployment_of_the_commit_from_before_the_plan_is_none_of_ours(hoster, targets):
    hoster.change("failed", sha=MAIN)
    plan = ACTION.plan(targets[0])
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_what_is_sent_and_answered_is_as_the_hoster_describes_it(hoster, targets):
    spec = specs.load(*DESCRIBED[hoster.name])
    hoster.doors.forget()
    targets[2].hosting_writer.pipeline()
    targets[2].hosting_writer.build("valuecanvas/valuecanvas", "main", MAIN, RUN)
    calls = hoster.doors.calls(hoster.name)
    assert [call["method"] for call in calls] == ["GET", "POST"]
    assert [fault for call in calls for fault in spec.faults(call)] == []
