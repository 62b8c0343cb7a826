"""The new key at the front end's hosters, only where one has the variable; and what is live built anew with it."""

import time

import pytest

from opslib.actions.security import PromoteKey, RebuildFrontEnd, RevokeOldKey, SetClusterKey, SetHostingKey, StageKey
from opslib.errors import Refused, Unreachable
from opslib.lab.vendors.github import MAIN
from opslib.model import Outcome, Verdict
from tests.actions.keys import place, quiet
from tests.hosters import STAND_INS, of
from tests.supabase import digest

NAME = "OPENAI_API_KEY"
BUILD = {"branch": "main", "build_seconds": 20.0, "wait_seconds": 5.0}


def have(hoster, there, **more):
    """Let the hoster have had the variable for a month, and be live with the branch's newest commit."""
    one = {"name": NAME, "secret": True, "updated": time.time() - 30 * 86_400, "digest": digest(there.old), **more}
    hoster.put(variables=[*hoster.state["variables"], one], move_seconds=0.05, build_seconds=0.3)
    hoster.change("now", sha=MAIN)
    there.until(StageKey, PromoteKey)


def held(hoster):
    return next((one for one in hoster.state["variables"] if one["name"] == NAME), None)


@pytest.fixture(params=STAND_INS)
def anywhere(request, lab):
    doors_of = {"hoster": request.param, "front_end_url": None}
    with place(lab.settings, "openai") as plain:
        hoster = of(lab.settings, plain.doors, request.param)
    settings = lab.settings.model_copy(update=doors_of | {"front_end_url": hoster.settings.front_end_url})
    with place(settings, "openai") as made:
        yield hoster, made


@pytest.fixture
def vercel(lab):
    with place(lab.settings, "openai") as made:
        hoster = of(lab.settings, made.doors, "vercel")
        have(hoster, made)
        yield hoster, made


def test_where_the_variable_is_not_it_is_not_made_and_nothing_is_built(anywhere):
    hoster, there = anywhere
    there.until(StageKey, PromoteKey)
    before = hoster.state
    for kind, given in ((SetHostingKey, {}), (RebuildFrontEnd, BUILD)):
        action, plan, _, looked = there.do(kind, **given)
        assert (plan.touches, looked.verdict) == (0, Verdict.OK)
        assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    assert hoster.state == before


def test_the_variable_is_set_once_to_the_new_key_and_taken_back_to_the_old_one(anywhere):
    hoster, there = anywhere
    have(hoster, there)
    action, plan, values, looked = there.do(SetHostingKey)
    assert (plan.before["value"], plan.touches, looked.verdict) == ("not told", 1, Verdict.OK), looked
    assert "does not tell whether that was what stood there" in plan.undo
    assert (held(hoster)["digest"], held(hoster)["secret"]) == (digest(there.new()), True)
    # Netlify keeps no mark: that somebody set it is seen, and not to what.
    told = Outcome.UNKNOWN if hoster.name == "netlify" else Outcome.DONE
    assert action.settle(there.writing, plan, quiet).outcome is told
    back = action.undo(there.writing, plan, values, quiet)
    assert (back.verdict, held(hoster)["digest"]) == (Verdict.OK, digest(there.old))


def test_a_variable_that_somebody_set_since_the_plan_is_not_written_over(anywhere):
    hoster, there = anywhere
    have(hoster, there)
    action = there.step(SetHostingKey)
    plan = action.plan(there.reading)
    others = [one for one in hoster.state["variables"] if one["name"] != NAME]
    hoster.put(variables=[*others, {**held(hoster), "updated": time.time(), "digest": "of-somebody"}])
    if plan.fingerprint["updated"] is None:
        return  # Cloudflare tells no time: nobody can see it there.
    assert action.plan(there.reading).digest != plan.digest
    with pytest.raises(Refused, match="Somebody set"):
        action.apply(there.writing, plan, quiet)
    assert held(hoster)["digest"] == "of-somebody"


def test_no_hoster_gets_a_key_that_is_not_the_vaults_current_one(vercel):
    hoster, there = vercel
    action = there.step(SetHostingKey)
    plan = action.plan(there.reading)
    there.kept.put(JWT_SECRET="of-somebody-9f3Kq7Zr2Lm8")
    with pytest.raises(Refused):
        action.apply(there.writing, plan, quiet)
    assert held(hoster)["digest"] == digest(there.old)


def test_what_is_live_is_built_once_more_and_taken_back(vercel):
    hoster, there = vercel
    there.until(SetHostingKey)
    action, plan, values, looked = there.do(RebuildFrontEnd, **BUILD)
    assert looked.verdict is Verdict.OK, looked
    assert values["deployment"] != hoster.ids["now"]
    assert there.reading.hosting.current().deployment == values["deployment"]
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    back = action.undo(there.writing, plan, values, quiet)
    assert (back.verdict, there.reading.hosting.current().deployment) == (Verdict.OK, hoster.ids["now"])


def test_a_branch_that_is_ahead_of_what_is_live_is_not_released_by_a_rotation(vercel):
    hoster, there = vercel
    hoster.change("now", sha="b" * 40)
    with pytest.raises(Refused, match="is live"):
        there.step(RebuildFrontEnd, **BUILD).plan(there.reading)


def test_a_lost_answer_of_the_build_makes_no_second_one(vercel):
    hoster, there = vercel
    there.until(SetHostingKey)
    action = there.step(RebuildFrontEnd, **BUILD)
    plan = action.plan(there.reading)
    with there.doors.fault("vercel", "lost", method="POST", times=1), pytest.raises(Unreachable):
        action.apply(there.writing, plan, quiet)
    assert action.settle(there.writing, plan, quiet).outcome in (Outcome.PARTLY, Outcome.DONE)
    values = action.apply(there.writing, plan, quiet)
    assert action.verify(there.looking, plan, values).verdict is Verdict.OK
    assert len([one for one in hoster.state["deployments"] if "mark" in one]) == 1


def test_nothing_is_revoked_while_what_is_live_was_built_with_the_old_key(vercel):
    _, there = vercel
    there.project.secret(NAME, None)
    there.until(SetHostingKey, SetClusterKey)
    action = there.step(RevokeOldKey, idle_minutes=0.0, wait_seconds=5.0)
    plan = action.plan(there.reading)
    with pytest.raises(Refused, match="the live front end, built before its variable was set"):
        action.apply(there.writing, plan, quiet)
    there.do(RebuildFrontEnd, **BUILD)
    values = action.apply(there.writing, plan, quiet)
    assert action.verify(there.looking, plan, values).verdict is Verdict.OK


def test_the_later_steps_plan_the_same_before_and_after_the_first_ones(lab):
    with place(lab.settings, "openai") as there:
        hoster = of(lab.settings, there.doors, "vercel")
        one = {"name": NAME, "secret": True, "updated": time.time() - 86_400, "digest": digest(there.old)}
        hoster.put(variables=[*hoster.state["variables"], one])
        hoster.change("now", sha=MAIN)
        steps = (there.step(SetHostingKey), there.step(RebuildFrontEnd, **BUILD))
        planned = [step.plan(there.reading).digest for step in steps]
        there.until(StageKey, PromoteKey)
        assert [step.plan(there.reading).digest for step in steps] == planned
        there.until(SetHostingKey)
        assert steps[1].plan(there.reading).digest == planned[1]
