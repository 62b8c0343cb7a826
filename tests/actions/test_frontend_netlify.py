"""Files that were built here, sent to the lab's Netlify: as a draft, for production; once, found again, taken back."""

import shutil
from contextlib import ExitStack, closing

import pytest

import opslib.actions.frontend_built as built
from opslib.actions.frontend import BuildFrontEnd, DeployFrontEnd, DraftFrontEnd
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.lab.vendors.github import MAIN
from opslib.model import UNKNOWN_UNTIL, Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests import specs
from tests.hosters import of
from tests.scale import first
from tests.systems.test_hosters import DESCRIBED
from tests.vendors import Doors

RUN = "20261128T130614Z-runbooks-deploy-new-version-c1d2e3"
LATER = f"{UNKNOWN_UNTIL}build-front-end"
FILES = {
    "index.html": b'<!doctype html><title>Value</title><script type="module" src="./assets/index-1a.js"></script>',
    "assets/index-1a.js": b"const answer = 42;",
    "assets/index-1a.css": b"p { color: black; }",
    "assets/same.css": b"p { color: black; }",
}


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def netlify(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "netlify")
        hoster.put(move_seconds=0.05, build_seconds=0.2)
        built.keep(RUN, MAIN, FILES)
        yield hoster
    built.remove(RUN)


@pytest.fixture
def targets(netlify):
    with ExitStack() as opened:
        made = (kind(netlify.settings, RUN) for kind in (PlanTarget, VerifyTarget, WriteTarget))
        yield tuple(opened.enter_context(closing(one)) for one in made)


def deploy(**more):
    given = {"branch": "main", "files": built.sha256_of(FILES), "build_seconds": 10, "wait_seconds": 5}
    return DeployFrontEnd(**{**given, **more})


DRAFT = DraftFrontEnd(files=built.sha256_of(FILES), wait_seconds=5)


def carry_out(targets, action):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def made(netlify):
    return [one for one in netlify.state["deployments"] if "files" in one]


def live(netlify):
    with netlify.looking() as handle:
        return handle.current().deployment


def sent(netlify, method):
    return [call for call in netlify.doors.calls("netlify") if call["method"] == method]


def test_a_plan_names_files_and_way_back_and_sends_nothing(netlify, targets):
    before = netlify.doors.state()
    plan = deploy().plan(targets[0])
    assert (plan.after["files"], plan.after["commit"]) == ("4 that were built here", MAIN)
    assert netlify.ids["now"] in plan.undo
    later = deploy(files=LATER).plan(targets[0])
    assert (later.fingerprint["files"], later.unknown) == (LATER, ("files",))
    assert DRAFT.plan(targets[0]).touches == 1
    assert DraftFrontEnd(files=LATER).plan(targets[0]).unknown == ("files",)
    assert netlify.doors.state() == before


def test_the_files_go_live_once_and_are_what_users_get_and_are_taken_back(netlify, targets, lab):
    netlify.doors.forget()
    plan, values, looked = carry_out(targets, deploy())
    (one,) = made(netlify)
    assert (looked.verdict, live(netlify), values["deployment"]) == (Verdict.OK, one["id"], one["id"]), looked.summary
    assert lab.target.web.get(netlify.settings.front_end_url).data == FILES["index.html"]
    # Two files hold the same: Netlify asks for it once.
    assert len(sent(netlify, "PUT")) == 3
    with netlify.looking() as handle:
        found = handle.deployment(one["id"])
    assert (found.commit, found.mark, found.production) == (MAIN, RUN, True)
    taken = deploy().undo(targets[2], plan, values, quiet)
    assert (taken.verdict, live(netlify)) == (Verdict.OK, netlify.ids["now"]), taken.summary


def test_files_that_netlify_has_are_not_sent_again(netlify, targets):
    carry_out(targets, DRAFT)
    netlify.doors.forget()
    _, _, looked = carry_out(targets, deploy())
    assert (looked.verdict, sent(netlify, "PUT")) == (Verdict.OK, [])


def test_a_draft_is_served_beside_production_and_is_deleted_again(netlify, targets):
    plan, values, looked = carry_out(targets, DRAFT)
    assert (looked.verdict, live(netlify)) == (Verdict.OK, netlify.ids["now"]), looked.summary
    with netlify.looking() as handle:
        assert not handle.deployment(values["draft"]).production
    taken = DRAFT.undo(targets[2], plan, values, quiet)
    assert (taken.verdict, made(netlify)) == (Verdict.OK, [])
    assert DRAFT.undo(targets[2], plan, values, quiet).verdict is Verdict.OK


def test_a_draft_that_serves_something_else_is_critical(netlify, targets):
    plan, values, _ = carry_out(targets, DRAFT)
    other = f"{netlify.doors.url}/netlify/sites/{netlify.ids['now']}"
    looked = DRAFT.model_copy(update={"wait_seconds": 0.1}).verify(targets[1], plan, {**values, "address": other})
    assert looked.verdict is Verdict.CRITICAL
    for fault, verdict in (("404", Verdict.CRITICAL), ("401", Verdict.UNKNOWN)):
        with netlify.doors.fault("netlify", fault, path="/sites/6a28"):
            quick = DRAFT.model_copy(update={"wait_seconds": 0.1})
            assert quick.verify(targets[1], plan, values).verdict is verdict


def test_without_what_was_built_nothing_is_begun(netlify, targets):
    with pytest.raises(Refused, match="nothing was built here"):
        deploy(files="none").plan(targets[0])
    with pytest.raises(Refused, match="Nothing was built"):
        DraftFrontEnd().plan(targets[0])
    with pytest.raises(Refused, match="not what the step asks for"):
        deploy(files="0" * 64).plan(targets[0])
    plan = deploy().plan(targets[0])
    built.keep(RUN, "b" * 40, FILES)
    with pytest.raises(Refused, match="not of"):
        deploy().apply(targets[2], plan, quiet)
    assert made(netlify) == []


def test_a_draft_that_is_left_out_asks_nobody(netlify, targets):
    action = DraftFrontEnd(act="leave")
    netlify.doors.forget()
    plan, values, looked = carry_out(targets, action)
    assert (plan.touches, plan.effect.value, looked.verdict) == (0, "read", Verdict.OK)
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.DONE
    assert action.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert netlify.doors.calls("netlify") == []


@pytest.mark.parametrize("name", ["vercel", "cloudflare"])
def test_a_hoster_that_builds_takes_no_files(lab, name):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, name)
        with closing(PlanTarget(hoster.settings, RUN)) as target, pytest.raises(Refused, match="builds commits"):
            DRAFT.plan(target)
        with hoster.moving() as handle:
            for call in (
                lambda: handle.begin({}, "", "", "", True),
                lambda: handle.send("", {}),
                lambda: handle.discard(""),
            ):
                with pytest.raises(Refused, match="sent no files"):
                    call()


@pytest.mark.parametrize("action", [deploy(), DRAFT], ids=lambda action: action.name)
@pytest.mark.parametrize(("method", "path"), [("POST", "/deploys"), ("PUT", "/files/")])
def test_an_answer_that_is_lost_is_found_again_and_nothing_is_begun_twice(netlify, targets, action, method, path):
    plan = action.plan(targets[0])
    lost = netlify.doors.fault("netlify", "lost", method=method, path=path, times=1)
    with lost, pytest.raises(Unreachable):
        action.apply(targets[2], plan, quiet)
    assert action.settle(targets[2], plan, quiet).outcome in (Outcome.PARTLY, Outcome.DONE)
    values = action.apply(targets[2], plan, quiet)
    assert action.verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(netlify)) == 1
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.DONE


@pytest.mark.parametrize("action", [deploy(), DRAFT], ids=lambda action: action.name)
@pytest.mark.parametrize("fault", first(1, "422", "500", "cut", "400", "401", "402", "403", "404", "409"))
def test_a_call_that_began_nothing_is_settled_as_not_done(netlify, targets, action, fault):
    plan = action.plan(targets[0])
    with netlify.doors.fault("netlify", fault, method="POST"), pytest.raises(Unreachable):
        action.apply(targets[2], plan, quiet)
    assert (action.settle(targets[2], plan, quiet).outcome, made(netlify)) == (Outcome.NOT_DONE, [])


@pytest.mark.parametrize("fault", first(2, "422", "500", "cut", "401", "403", "404"))
def test_a_file_that_does_not_arrive_leaves_what_was_live_and_is_gone_on_with(netlify, targets, fault):
    plan = deploy().plan(targets[0])
    with netlify.doors.fault("netlify", fault, method="PUT", path="/files/"), pytest.raises(Unreachable):
        deploy().apply(targets[2], plan, quiet)
    assert live(netlify) == netlify.ids["now"]
    assert deploy().settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
    values = deploy().apply(targets[2], plan, quiet)
    assert deploy().verify(targets[1], plan, values).verdict is Verdict.OK
    assert len(made(netlify)) == 1


def test_a_deploy_that_was_begun_with_other_files_is_not_completed(netlify, targets):
    plan = deploy().plan(targets[0])
    with netlify.doors.fault("netlify", "500", method="PUT"), pytest.raises(Unreachable):
        deploy().apply(targets[2], plan, quiet)
    other = {**FILES, "index.html": b"<p>built anew", "assets/index-1a.js": b"const answer = 43;"}
    built.keep(RUN, MAIN, other)
    with pytest.raises(Unreachable, match="other files") as told:
        deploy(files=built.sha256_of(other)).apply(targets[2], plan, quiet)
    assert told.value.kind == "conflict"


def test_where_publishing_is_locked_it_is_put_live_by_hand(netlify, targets):
    netlify.put(automatic=False)
    _, values, looked = carry_out(targets, deploy())
    assert (live(netlify), looked.verdict) == (values["deployment"], Verdict.OK), looked.summary


def test_a_deploy_that_fails_there_leaves_what_was_live(netlify, targets):
    netlify.put(build_fails=True)
    for action in (deploy(), DRAFT):
        plan = action.plan(targets[0])
        with pytest.raises(StepFailed, match="did not become ready"):
            action.apply(targets[2], plan, quiet)
        assert action.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    assert live(netlify) == netlify.ids["now"]


@pytest.mark.parametrize("fault", first(2, "403", "malformed", "500", "empty"))
def test_what_netlify_does_not_tell_is_an_error_of_ours_with_a_next_step(netlify, targets, fault):
    with netlify.doors.fault("netlify", fault), pytest.raises(OpsError) as told:
        deploy().plan(targets[0])
    assert told.value.next_step


def test_what_is_sent_and_answered_is_as_netlify_describes_it(netlify, targets):
    spec = specs.load(*DESCRIBED["netlify"])
    netlify.doors.forget()
    handle = targets[2].hosting_writer
    handle.pipeline()
    one = handle.begin(FILES, "main", MAIN, RUN, draft=True)
    handle.send(one.id, FILES)
    handle.discard(one.id)
    calls = netlify.doors.calls("netlify")
    assert [call["method"] for call in calls] == ["GET", "POST", "GET", "PUT", "PUT", "PUT", "DELETE"]
    # The body of a PUT is the file itself, which the description calls a string.
    described = [call | {"body": ""} if call["method"] == "PUT" else call for call in calls]
    assert [fault for call in described for fault in spec.faults(call)] == []


def test_the_runbooks_build_is_what_is_sent(netlify, targets, tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("Node.js is not installed on this machine")
    settings = targets[0].settings
    with closing(PlanTarget(netlify.settings, RUN)) as target:
        commit = target.checkout.commit("main")
    netlify.doors.put(github={**netlify.doors.state()["github"], "heads": {"main": commit}})
    _, values, _ = carry_out(targets, BuildFrontEnd(branch="main", build_seconds=60))
    _, _, looked = carry_out(targets, deploy(files=values["sha256"]))
    assert looked.verdict is Verdict.OK, looked.summary
    assert settings.front_end_url
