"""Dropping a forgotten slot: that one and no other, never one in use, never the described standby's."""

import pytest

from opslib.actions.database import DropForgottenSlot
from opslib.actions.database_slots import chosen
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.workspaces import quiet

NAMED = DropForgottenSlot(slot="test_forgotten")
HOUR = 3601.0


@pytest.fixture
def handles(lab):
    made = [kind(lab.settings, "test") for kind in (PlanTarget, VerifyTarget, WriteTarget)]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def slots(lab):
    """Two slots that nobody reads from; what is left of them goes at the end."""
    with lab.admin() as admin:
        for name in ("test_forgotten", "test_other"):
            admin.execute("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
        yield lambda: {row["slot_name"] for row in admin.execute("SELECT slot_name FROM pg_replication_slots")}
        admin.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE slot_name IN ('test_forgotten', 'test_other')"
        )


def test_a_plan_names_the_slot_and_what_is_lost_and_drops_nothing(handles, slots):
    plan = NAMED.plan(handles[0])
    assert (plan.before["slot"], plan.before["type"]) == ("test_forgotten", "physical")
    assert (plan.effect, plan.touches) == (Effect.DESTRUCTIVE, 1)
    assert "is lost to it" in plan.undo
    assert slots() == {"test_forgotten", "test_other"}


def test_it_is_dropped_and_no_other_and_it_cannot_be_undone(handles, slots):
    look, verify, write = handles
    plan = NAMED.plan(look)
    assert NAMED.settle(write, plan, quiet).outcome is Outcome.NOT_DONE
    assert NAMED.verify(verify, plan, {"dropped": True, "checkpoint": True}).verdict is Verdict.CRITICAL
    values = NAMED.apply(write, plan, quiet)
    assert (values["dropped"], values["checkpoint"]) == (True, True)
    assert slots() == {"test_other"}
    assert NAMED.verify(verify, plan, values).summary == "Slot test_forgotten was dropped."
    assert NAMED.settle(write, plan, quiet).outcome is Outcome.DONE
    # Once more, as after a kill between the two: nothing is left to do, and nothing else is dropped.
    assert NAMED.apply(write, plan, quiet)["dropped"] is False
    with pytest.raises(Refused, match="cannot be undone"):
        NAMED.undo(write, plan, values, quiet)


def test_one_that_was_made_anew_meanwhile_is_not_hit(lab, handles, slots):
    look, _, write = handles
    plan = NAMED.plan(look)
    with lab.admin() as admin:
        admin.execute("SELECT pg_drop_replication_slot('test_forgotten')")
        admin.execute("SELECT pg_logical_emit_message(false, 'test', 'so that it stands elsewhere')")
        admin.execute("SELECT pg_switch_wal()")
        admin.execute("CHECKPOINT")
        admin.execute("SELECT pg_create_physical_replication_slot('test_forgotten', true)")
    with pytest.raises(StepFailed, match="was used since it was looked at"):
        NAMED.apply(write, plan, quiet)
    assert NAMED.settle(write, plan, quiet).outcome is Outcome.UNKNOWN
    assert "test_forgotten" in slots()


def test_one_that_is_not_there_or_in_use_is_refused_with_those_that_are(handles, slots):
    with pytest.raises(Refused) as told:
        DropForgottenSlot(slot="standby_two").plan(handles[0])
    assert "test_forgotten" in told.value.next_step


def test_what_has_just_lost_its_consumer_has_to_be_named(handles, slots):
    with pytest.raises(Refused, match=r"No slot has been without a consumer for 60 min|for 1\.0 h|for 1 h"):
        DropForgottenSlot().plan(handles[0])


def row(slot, idle=HOUR, kind="logical", keeps_from="0/3000000"):
    return {"slot": slot, "type": kind, "idle_seconds": idle, "keeps_from": keeps_from}


def test_of_several_the_one_that_keeps_the_most_is_chosen_of_those_that_are_old_enough():
    assert chosen([row("young", 20.0), row("first"), row("second")], "most", "")["slot"] == "first"


def test_the_described_standbys_own_slot_is_neither_chosen_nor_dropped_by_name():
    assert chosen([row("standby", kind="physical"), row("other")], "most", "standby")["slot"] == "other"
    with pytest.raises(Refused, match="the described standby's own slot"):
        chosen([row("standby", kind="physical")], "standby", "standby")


def test_where_the_standby_cannot_be_asked_a_standbys_slot_has_to_be_named():
    idle = [row("maybe_its_own", kind="physical"), row("other")]
    assert chosen(idle, "most", None)["slot"] == "other"
    assert chosen(idle, "maybe_its_own", None)["slot"] == "maybe_its_own"


def test_before_version_17_nobody_knows_since_when_so_it_has_to_be_named():
    with pytest.raises(Refused, match="as far as anybody can tell"):
        chosen([row("old", None)], "most", "")
    assert chosen([row("old", None)], "old", "")["slot"] == "old"


def test_one_that_keeps_nothing_any_more_is_not_worth_dropping():
    with pytest.raises(Refused, match="keeps no log"):
        chosen([row("lost", keeps_from=None)], "lost", "")
