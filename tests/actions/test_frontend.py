"""A rollback of the front end at each hoster: planned, applied, lost, given up, overtaken, taken back."""

import json
import threading
from contextlib import ExitStack, closing

import pytest
from pydantic import ValidationError

from opslib.actions.frontend import RollBackFrontEnd
from opslib.canonical import to_json
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs.evidence import plan_of
from opslib.runs.saved_plan import moved
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.hosters import of
from tests.scale import first
from tests.vendors import Doors

RUN = "20261128T130614Z-runbooks-roll-back-deployment-a1b2c3"


def quiet(text, done=None, total=None):
    pass


@pytest.fixture(params=first(1, "netlify", "vercel", "cloudflare"))
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield quick(of(lab.settings, doors, request.param))


@pytest.fixture
def vercel(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield quick(of(lab.settings, doors, "vercel"))


def quick(hoster):
    hoster.put(move_seconds=0.05)
    return hoster


@pytest.fixture
def targets():
    """Open the three kinds of target on a hoster's settings, as the executor hands them out."""
    with ExitStack() as opened:

        def make(hoster):
            settings = hoster.settings
            made = PlanTarget(settings, RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)
            return tuple(opened.enter_context(closing(one)) for one in made)

        yield make


def action(**more):
    return RollBackFrontEnd(**{"wait_seconds": 5.0, **more})


def planned(asked, target):
    """Return the plan as it comes back from its record."""
    return plan_of(json.loads(json.dumps(to_json(asked.plan(target)))))


def posts(hoster):
    return [call for call in hoster.doors.calls(hoster.name) if call["method"] == "POST"]


def live(hoster):
    with hoster.looking() as handle:
        return handle.current()


def test_a_plan_names_both_deployments_and_what_does_not_come_back_and_changes_nothing(hoster, targets):
    before = hoster.doors.state()
    plan = action().plan(targets(hoster)[0])
    assert hoster.doors.state() == before
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.CHANGE, Repeat.ONCE, 1)
    assert (plan.before["production"], plan.after["production"]) == (hoster.ids["now"], hoster.ids["before"])
    assert "rotated since is not in it" in plan.after["variables and scheduled jobs"]
    assert "no rollback" in plan.after["data, migrations, functions"]
    held = "held back" if hoster.name == "vercel" else "the next one takes this rollback back"
    assert held in plan.after["later pushes"]
    assert plan.before["later pushes"] == "go live"
    assert hoster.ids["now"] in plan.undo
    assert plan.fingerprint["project"]


def test_production_moves_with_one_call_and_what_users_get_is_compared(hoster, targets, lab):
    reading, looking, writing = targets(hoster)
    plan = planned(action(), reading)
    hoster.doors.forget()
    told = []
    values = action().apply(writing, plan, lambda text, done=None, total=None: told.append(text))
    assert len(posts(hoster)) == 1
    assert told
    said = action().verify(looking, plan, values)
    assert (said.verdict, hoster.ids["before"] in said.summary) == (Verdict.OK, True)
    assert live(hoster).deployment == hoster.ids["before"]
    assert hoster.state["automatic"] is (hoster.name != "vercel")
    now = lab.target.web.get(hoster.settings.front_end_url).text
    assert now == lab.target.web.get(f"{hoster.doors.url}/{hoster.name}/sites/{hoster.ids['before']}").text


def test_it_is_undone_by_the_way_forward_and_all_but_the_record_of_requests_is_as_before(hoster, targets):
    before = hoster.doors.state()
    reading, _, writing = targets(hoster)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    said = action().undo(writing, plan, values, quiet)
    assert said.verdict is Verdict.OK, said.summary
    assert said.rows[0]["now"] == hoster.ids["now"]
    after = hoster.doors.state()
    assert live(hoster).deployment == hoster.ids["now"]
    for state in (before, after):
        # The hoster remembers the last request; where production points follows from it.
        state[hoster.name] |= {"request": None, "production": None}
    assert after == before


def test_an_undo_that_was_done_already_sends_nothing(hoster, targets):
    reading, _, writing = targets(hoster)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    action().undo(writing, plan, values, quiet)
    hoster.doors.forget()
    assert action().undo(writing, plan, values, quiet).verdict is Verdict.OK
    assert posts(hoster) == []


def test_what_was_held_back_before_is_held_back_after_the_undo(vercel, targets):
    reading, looking, writing = targets(vercel)
    first = action().apply(writing, planned(action(), reading), quiet)
    assert first["deployment"] == vercel.ids["before"]
    plan = planned(action(), reading)
    assert plan.after["production"] == vercel.ids["older"]
    assert "held back" in plan.before["later pushes"]
    values = action().apply(writing, plan, quiet)
    assert action().verify(looking, plan, values).verdict is Verdict.OK
    said = action().undo(writing, plan, values, quiet)
    assert said.verdict is Verdict.OK, said.summary
    assert (live(vercel).deployment, live(vercel).pinned) == (vercel.ids["before"], True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("now", "is live already"),
        ("preview", "not built for production"),
        ("failed", "is not ready"),
        ("gone", "deleted"),
    ],
)
def test_a_target_that_production_must_not_go_back_to_is_refused_with_the_reason(hoster, targets, name, why):
    hoster.doors.forget()
    with pytest.raises(Refused, match=why):
        action(deployment=hoster.ids[name]).plan(targets(hoster)[0])
    assert posts(hoster) == []


def test_a_build_for_production_that_was_never_live_is_refused(vercel, targets):
    with pytest.raises(Refused, match="was never live"):
        action(deployment=vercel.ids["staged"]).plan(targets(vercel)[0])


def test_an_id_that_nobody_knows_is_refused(hoster, targets):
    with pytest.raises(Refused, match="is not there"):
        action(deployment="dpl_nobody").plan(targets(hoster)[0])


def test_without_an_older_deployment_nothing_is_planned(hoster, targets):
    for name in ("before", "older"):
        hoster.change(name, state="failed")
    with pytest.raises(Refused, match="No older deployment"):
        action().plan(targets(hoster)[0])


def test_on_the_hobby_plan_only_the_previous_one_is_planned(vercel, targets):
    vercel.put(hobby=True)
    reading = targets(vercel)[0]
    assert action().plan(reading).after["production"] == vercel.ids["before"]
    with pytest.raises(Refused, match="hobby plan"):
        action(deployment=vercel.ids["older"]).plan(reading)


def test_a_target_whose_own_address_fails_is_refused(hoster, targets):
    path = f"/sites/{hoster.ids['before']}"
    with hoster.doors.fault(hoster.name, "500", path=path), pytest.raises(Refused, match="its own address"):
        action().plan(targets(hoster)[0])


def test_while_a_request_is_under_way_nothing_is_planned(vercel, targets):
    vercel.put(move_seconds=30)
    reading = targets(vercel)[0]
    with vercel.moving() as somebody:
        somebody.roll_back(vercel.ids["older"])
    with pytest.raises(Refused, match="under way"):
        action().plan(reading)


@pytest.mark.parametrize("fault", first(3, "401", "malformed", "empty", "403", "404", "422", "500", "cut"))
def test_a_hoster_that_cannot_be_asked_lets_nothing_be_planned(hoster, targets, fault):
    with hoster.doors.fault(hoster.name, fault), pytest.raises(Unreachable):
        action().plan(targets(hoster)[0])


def test_somebody_who_deploys_between_plan_and_apply_makes_it_refused(hoster, targets):
    reading, _, writing = targets(hoster)
    asked = action(deployment=hoster.ids["before"])
    plan = planned(asked, reading)
    with hoster.moving() as somebody:
        somebody.promote(hoster.ids["older"])
    hoster.put(request={**hoster.state["request"], "seconds": 0})
    hoster.doors.forget()
    with pytest.raises(Refused, match="Somebody deployed meanwhile"):
        asked.apply(writing, plan, quiet)
    assert posts(hoster) == []
    assert moved(plan, asked.plan(reading)) != []


def test_a_target_that_vanishes_between_plan_and_apply_makes_it_refused(hoster, targets):
    reading, _, writing = targets(hoster)
    plan = planned(action(), reading)
    hoster.change("before", state="gone")
    hoster.doors.forget()
    with pytest.raises(Refused, match="deleted"):
        action().apply(writing, plan, quiet)
    assert posts(hoster) == []
    assert moved(plan, action().plan(reading)) != []


def test_a_plan_is_the_same_a_moment_later(hoster, targets):
    reading = targets(hoster)[0]
    assert moved(planned(action(), reading), action().plan(reading)) == []


@pytest.mark.parametrize(("fault", "outcome"), [("lost", Outcome.DONE), ("cut", Outcome.NOT_DONE)])
def test_an_answer_that_is_lost_is_settled_by_a_look(hoster, targets, fault, outcome):
    reading, looking, writing = targets(hoster)
    plan = planned(action(), reading)
    hoster.doors.forget()
    with hoster.doors.fault(hoster.name, fault, method="POST"), pytest.raises(Unreachable):
        action().apply(writing, plan, quiet)
    assert len(posts(hoster)) == 1
    settled = action(wait_seconds=2.0).settle(writing, plan, quiet)
    assert settled.outcome is outcome
    if outcome is Outcome.DONE:
        assert action().verify(looking, plan, settled.values).verdict is Verdict.OK
    else:
        values = action().apply(writing, plan, quiet)
        assert action().verify(looking, plan, values).verdict is Verdict.OK


@pytest.mark.parametrize("fault", first(2, "422", "500", "400", "401", "402", "403", "404", "409"))
def test_a_call_that_is_refused_changes_nothing_and_is_settled_as_not_done(hoster, targets, fault):
    reading, _, writing = targets(hoster)
    plan = planned(action(), reading)
    hoster.doors.forget()
    with hoster.doors.fault(hoster.name, fault, method="POST"), pytest.raises(Unreachable):
        action().apply(writing, plan, quiet)
    assert len(posts(hoster)) == 1
    assert action(wait_seconds=0.1).settle(writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_a_hoster_that_cannot_be_asked_leaves_a_step_in_doubt(hoster, targets):
    reading, _, writing = targets(hoster)
    plan = planned(action(), reading)
    with hoster.doors.fault(hoster.name, "401"), pytest.raises(Unreachable):
        action().settle(writing, plan, quiet)


def test_a_move_that_the_hoster_gives_up_fails_the_step_and_may_be_asked_again(vercel, targets):
    reading, looking, writing = targets(vercel)
    vercel.put(fails=True)
    plan = planned(action(), reading)
    with pytest.raises(StepFailed, match="gave the move"):
        action().apply(writing, plan, quiet)
    assert action().settle(writing, plan, quiet).outcome is Outcome.PARTLY
    assert live(vercel).deployment == vercel.ids["now"]
    vercel.put(fails=False)
    values = action().apply(writing, plan, quiet)
    assert action().verify(looking, plan, values).verdict is Verdict.OK
    assert len(posts(vercel)) >= 2


def test_a_move_that_takes_longer_than_is_waited_for_is_told_and_stays_in_doubt(vercel, targets):
    reading, _, writing = targets(vercel)
    vercel.put(move_seconds=60)
    short = action(wait_seconds=0.1)
    plan = planned(short, reading)
    with pytest.raises(StepFailed, match=r"after 0\.1 s"):
        short.apply(writing, plan, quiet)
    settled = short.settle(writing, plan, quiet)
    assert (settled.outcome, "still moving" in settled.why) == (Outcome.UNKNOWN, True)
    vercel.put(request={**vercel.state["request"], "seconds": 0})
    assert short.settle(writing, plan, quiet).outcome is Outcome.DONE


def test_an_earlier_request_of_somebody_is_not_taken_for_ones_own(vercel, targets):
    vercel.put(fails=True)
    with vercel.moving() as somebody:
        somebody.roll_back(vercel.ids["before"])
    vercel.put(fails=False, request={**vercel.state["request"], "seconds": 0})
    reading, _, writing = targets(vercel)
    plan = planned(action(), reading)
    assert action(wait_seconds=0.1).settle(writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_somebody_who_asks_for_something_else_while_it_is_followed_is_told(vercel, targets):
    reading, _, writing = targets(vercel)
    vercel.put(move_seconds=60)
    plan = planned(action(), reading)

    def meanwhile(text, done=None, total=None):
        if done is not None:
            vercel.put(request={**vercel.state["request"], "to": vercel.ids["older"], "seconds": 0})

    with pytest.raises(StepFailed, match="Somebody asked"):
        action().apply(writing, plan, meanwhile)
    assert action().settle(writing, plan, quiet).outcome is Outcome.UNKNOWN


def test_production_that_was_elsewhere_when_it_moved_is_told(vercel, targets):
    reading, looking, writing = targets(vercel)
    plan = planned(action(), reading)
    values = {**action().apply(writing, plan, quiet), "from": vercel.ids["older"]}
    said = action().verify(looking, plan, values)
    assert (said.verdict, vercel.ids["older"] in said.summary) == (Verdict.WARNING, True)


def test_pushes_that_are_not_held_back_after_it_are_told(vercel, targets):
    reading, looking, writing = targets(vercel)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    vercel.put(automatic=True)
    said = action().verify(looking, plan, values)
    assert (said.verdict, "not held back" in said.summary) == (Verdict.WARNING, True)


def test_production_that_somebody_moved_before_the_look_is_no_success(hoster, targets):
    reading, looking, writing = targets(hoster)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    hoster.put(request=None, production=hoster.ids["now"])
    assert action().verify(looking, plan, values).verdict is Verdict.CRITICAL
    hoster.put(production=hoster.ids["older"])
    with pytest.raises(Refused, match="somebody deployed since"):
        action().undo(writing, plan, values, quiet)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [("404", Verdict.CRITICAL), ("500", Verdict.CRITICAL), ("401", Verdict.UNKNOWN), ("empty", Verdict.CRITICAL)],
)
def test_a_front_end_that_does_not_serve_it_is_no_success(hoster, targets, fault, verdict):
    reading, looking, writing = targets(hoster)
    asked = action(wait_seconds=1.0)
    plan = planned(asked, reading)
    values = asked.apply(writing, plan, quiet)
    with hoster.doors.fault(hoster.name, fault, path="/sites/production"):
        assert asked.verify(looking, plan, values).verdict is verdict


def test_an_edge_that_lags_behind_is_waited_for(hoster, targets):
    reading, looking, writing = targets(hoster)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    with hoster.doors.fault(hoster.name, "empty", path="/sites/production", times=2):
        assert action().verify(looking, plan, values).verdict is Verdict.OK


def test_deployments_behind_a_log_in_cannot_be_compared_and_that_is_said(hoster, targets):
    hoster.put(protected=True)
    reading, looking, writing = targets(hoster)
    plan = planned(action(), reading)
    values = action().apply(writing, plan, quiet)
    said = action().verify(looking, plan, values)
    assert (said.verdict, "not allowed" in said.summary) == (Verdict.UNKNOWN, True)


def test_a_request_is_stopped_between_two_looks(vercel, targets):
    vercel.put(move_seconds=60)
    reading, _, writing = targets(vercel)
    plan = planned(action(), reading)

    def stop(text, done=None, total=None):
        if done is not None:
            raise StepFailed("broken off", "Look.")

    with pytest.raises(StepFailed, match="broken off"):
        action().apply(writing, plan, stop)
    assert vercel.state["request"]["to"] == vercel.ids["before"]


def test_of_two_who_ask_at_once_each_learns_what_became_of_it(vercel, targets):
    vercel.put(move_seconds=0.5)
    made = [targets(vercel), targets(vercel)]
    plans = [planned(action(), one[0]) for one in made]
    ends = []

    def go(writing, plan):
        try:
            ends.append(action().apply(writing, plan, quiet)["deployment"])
        except (Refused, Unreachable) as error:
            ends.append(type(error))

    threads = [threading.Thread(target=go, args=(one[2], plan)) for one, plan in zip(made, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert vercel.ids["before"] in ends
    assert live(vercel).deployment == vercel.ids["before"]


@pytest.mark.parametrize("id", ["", "-x", "../a", "a/b", "a b", "a" * 65, "https://x", ".", "a\n"])
def test_an_id_that_is_none_makes_no_action(id):
    with pytest.raises(ValidationError):
        RollBackFrontEnd(deployment=id)
