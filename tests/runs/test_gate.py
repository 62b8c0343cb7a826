from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.errors import Refused
from opslib.model import Effect, Repeat
from opslib.runs import gate
from opslib.runs.steps import State, StepRecord
from opslib.runs.work import Work
from tests.descriptions import description
from tests.runs import fakes
from tests.signing import plan as saved_plan
from tests.signing import step

MOMENT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
FREEZE = "2026-11-23T12:00Z/2026-11-23T14:00Z"
PLENTY = gate.RESERVE * 10


def work(environment="lab", approved=None, break_glass=False, **more):
    return Work(
        run="20261123T130614Z-runbooks-paint-a1b2c3",
        notebook="runbooks/paint",
        settings=description(environment, **more),
        folder=Path("/nowhere"),
        mode="run",
        approved=approved,
        break_glass=break_glass,
        actions=fakes.FAKES,
    )


def planned(effect=Effect.CHANGE, **more):
    return replace(step("paint", effect, Repeat.ONCE).plan, **more)


def allow(plan, said, moment=MOMENT, free=PLENTY):
    gate.allow(plan, said, "paint", moment=moment, free=free)


def refused(plan, said, match, **more):
    with pytest.raises(Refused, match=match):
        allow(plan, said, **more)


@pytest.mark.parametrize("effect", Effect)
def test_no_step_begins_without_room_for_its_record(effect):
    refused(planned(effect), work(), f"{gate.RESERVE - 1} bytes free", free=gate.RESERVE - 1)
    assert gate.RESERVE == 16 * 2**20


@pytest.mark.parametrize("effect", Effect)
def test_with_just_enough_room_a_step_of_the_lab_may_begin(effect):
    allow(planned(effect), work(), free=gate.RESERVE)


CLASSES = {
    ("staging", Effect.CHANGE): True,
    ("staging", Effect.DESTRUCTIVE): False,
    ("production", Effect.READ): True,
    ("production", Effect.LOCAL): True,
    ("production", Effect.CHANGE): False,
    ("production", Effect.DESTRUCTIVE): False,
}


@pytest.mark.parametrize(("environment", "effect"), CLASSES)
def test_without_an_approved_plan_only_what_nobody_must_approve_may_begin(environment, effect):
    if CLASSES[environment, effect]:
        allow(planned(effect), work(environment))
    else:
        refused(planned(effect), work(environment), "no approval")


def test_an_approved_step_may_begin_as_it_was_approved_and_no_other():
    approved = saved_plan(steps=(step("paint"),))
    plan = approved.step("paint")
    allow(plan, work("production", approved, OPS_MOST="paint=1"))
    refused(replace(plan, touches=2), work("production", approved), "touches was 1 and is 2")
    with pytest.raises(Refused, match="not in the plan that was approved"):
        gate.allow(plan, work("production", approved), "swap", moment=MOMENT, free=PLENTY)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.LOCAL])
def test_an_approved_plan_holds_for_reading_steps_as_well(effect):
    approved = saved_plan(steps=(step("paint", effect),))
    refused(replace(approved.step("paint"), touches=9), work("production", approved), "touches")


def test_of_many_differences_the_first_five_are_named():
    approved = saved_plan(steps=(step("paint", before={str(n): 0 for n in range(8)}),))
    changed = replace(approved.step("paint"), before={str(n): 1 for n in range(8)})
    with pytest.raises(Refused) as raised:
        allow(changed, work("production", approved))
    assert raised.value.message.count("was 0 and is 1") == 5
    assert "--plan" in raised.value.next_step


def test_in_a_freeze_nothing_is_changed_but_what_breaks_the_glass():
    frozen = {"OPS_FREEZE": FREEZE}
    refused(planned(), work(**frozen), "frozen until 2026-11-23 14:00")
    allow(planned(Effect.LOCAL), work(**frozen))
    allow(planned(), work(**frozen), moment=MOMENT + timedelta(hours=1))
    approved = saved_plan(steps=(step("paint"),))
    allow(approved.step("paint"), work("production", approved, break_glass=True, **frozen))
    refused(approved.step("paint"), work("production", approved, **frozen), "frozen")


def test_what_touches_more_than_allowed_or_nobody_knows_how_much_is_refused():
    most = fakes.Paint.most
    allow(planned(touches=most), work())
    refused(planned(touches=most + 1), work(), f"at most {most} are allowed")
    refused(planned(touches=None), work(), "is not known")
    allow(planned(touches=most + 1), work(OPS_MOST=f"paint={most + 1}"))
    refused(planned(touches=2), work(OPS_MOST="paint=1"), "OPS_MOST=paint=2")
    allow(planned(touches=0), work(OPS_MOST="paint=0"))


def test_an_action_of_no_name_may_touch_nothing():
    refused(planned(action="dance"), work(), "at most 0")
    allow(planned(action="dance", touches=0), work())


def recorded(key, state):
    return StepRecord(key, key, state, "20261123T130614Z-runbooks-paint-a1b2c3")


@pytest.mark.parametrize("state", State)
def test_an_approved_step_waits_until_all_before_it_are_done_and_verified(state):
    approved = work("production", saved_plan(steps=(step("one"), step("two"), step("three"))))
    steps = {"one": recorded("one", State.VERIFIED), "two": recorded("two", state)}
    gate.in_order("one", approved, {})
    gate.in_order("two", approved, steps)
    if state is State.VERIFIED:
        gate.in_order("three", approved, steps)
    else:
        with pytest.raises(Refused, match="two comes before three"):
            gate.in_order("three", approved, steps)
    with pytest.raises(Refused, match="one comes before two"):
        gate.in_order("two", approved, {})
    gate.in_order("three", work(), {})
