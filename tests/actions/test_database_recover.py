"""A recovery by the vendor: what is refused before it is asked, what is never green, and that it is asked once."""

from datetime import timedelta

import pytest

from opslib.actions.database import BringBackRows, RecoverToMoment
from opslib.actions.database_recover import bad_commit
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.model import Outcome, now
from opslib.systems.target import PlanTarget, WriteTarget
from tests import specs
from tests.backup_place import place, quiet
from tests.scale import first
from tests.supabase import project

MOMENT = timedelta(minutes=5)
GET = ("401", "403", "404", "422", "500", "429", "cut", "malformed", "empty")
POST = first(3, "403", "429", "malformed", "401", "404", "409", "422", "500", "cut", "empty")
SHORT = {"wait_minutes": 0.1, "notice_minutes": 0.0, "without_backup": "only-a-trial"}


def said(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def asked(**more):
    return RecoverToMoment(**{"moment": said(now() - MOMENT), **SHORT, **more})


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        yield made


@pytest.fixture
def reading(lab):
    target = PlanTarget(lab.settings, "test")
    yield target
    target.close()


@pytest.fixture
def planned(there, reading):
    action = asked()
    return action, action.plan(reading)


def test_a_plan_says_what_is_lost_and_asks_for_nothing(there, reading, lab):
    with lab.admin() as session:
        session.execute("CREATE TABLE public.lost AS SELECT n FROM generate_series(1, 7) AS n")
        session.execute("SELECT pg_stat_force_next_flush()")
    try:
        plan = asked().plan(reading)
    finally:
        with lab.admin() as session:
            session.execute("DROP TABLE public.lost")
    assert plan.observed["in public.lost"] == "7 rows written (counted), 0 deleted at most"
    assert "transactions that were committed since" in plan.observed["lost"]
    assert "whole seconds" in plan.observed["lost though good"]
    assert plan.undo == "There is none. Nothing leads back to now: no backup was asked for (only-a-trial)."
    assert (plan.effect, plan.repeat, plan.touches) == ("destructive", "irreversible", 1)
    assert there.posts() == []


@pytest.mark.parametrize(
    ("state", "ago", "why"),
    [
        ({"point_in_time": False}, MOMENT, "is not switched on"),
        ({"status": "RESTORING"}, MOMENT, "The project is RESTORING"),
        ({"status": "RESTORE_FAILED"}, MOMENT, "The project is RESTORE_FAILED"),
        ({}, timedelta(days=8), "lies before what can be reached"),
        ({}, timedelta(seconds=30), "lies after what can be reached yet"),
        ({}, timedelta(days=-1), "lies after what can be reached yet"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_the_reason(there, reading, state, ago, why):
    there.change(**state)
    with pytest.raises(Refused, match=why) as told:
        asked(moment=said(now() - ago)).plan(reading)
    assert told.value.next_step
    assert there.posts() == []


def test_without_a_proven_backup_that_is_young_enough_a_reason_must_be_typed(there, lab):
    with place(lab) as made:

        def plan(run, **more):
            target = PlanTarget(made.settings, run)
            try:
                return asked(**{"without_backup": "none", **more}).plan(target)
            finally:
                target.close()

        with pytest.raises(Refused, match="there is none") as told:
            plan("r1")
        assert "without_backup" in told.value.next_step
        backup = made.take()["backup"]
        with pytest.raises(Refused, match="there is none"):
            plan("r2")
        made.prove(backup)
        found = plan("r3")
        assert found.observed["backup that leads back"].startswith(backup)
        assert "can be had back" in found.undo
        with pytest.raises(Refused, match=r"younger than 0.001 minutes \(the newest is of 20"):
            plan("r4", backup_max_age_minutes=0.001)


@pytest.mark.parametrize("reason", ["", "because", "no-backup", "the dump fails", "-the-dump-fails", "x" * 121])
def test_a_reason_is_three_words_and_more(reason):
    with pytest.raises(ValueError, match="without_backup"):
        asked(without_backup=reason)


def test_a_transaction_that_would_still_be_there_or_that_nobody_knows_is_refused(there, reading, lab):
    with lab.admin() as session:
        session.execute("CREATE TABLE public.bad AS SELECT 1 AS n")
        (row,) = session.execute("SELECT xmin::text::bigint AS xid FROM public.bad").fetchall()
        (old,) = session.execute("SELECT min(xmin::text::bigint) AS xid FROM public.cases").fetchall()
        session.execute("DROP TABLE public.bad")
    assert asked(xid=row["xid"]).plan(reading).fingerprint["bad"]["xid"] == str(row["xid"])
    with pytest.raises(Refused, match="has no commit time of transaction"):
        asked(xid=4_000_000_000).plan(reading)
    with pytest.raises(Refused, match="it would still be there"):
        bad_commit(reading, old["xid"], int((now() + timedelta(days=1)).timestamp()))


@pytest.mark.parametrize("fault", first(3, *GET))
def test_a_vendor_that_cannot_be_asked_makes_no_plan(there, reading, fault):
    with there.doors.fault("supabase", fault, path="/backups", seconds=70), pytest.raises(OpsError) as told:
        asked().plan(reading)
    assert told.value.next_step
    assert there.posts() == []


@pytest.mark.parametrize("fault", POST)
def test_a_vendor_that_fails_when_it_is_asked_did_nothing_and_is_told(there, planned, lab, fault):
    action, plan = planned
    target = WriteTarget(lab.settings, "test")
    try:
        with there.doors.fault("supabase", fault, method="POST", seconds=70):
            with pytest.raises(Unreachable) as told:
                action.apply(target, plan, quiet)
            assert told.value.next_step
            settled = action.settle(target, plan, quiet)
        assert settled.outcome is Outcome.NOT_DONE
        assert there.state["status"] == "ACTIVE_HEALTHY"
        assert len(there.posts()) == 1
    finally:
        target.close()


def test_where_neither_project_nor_database_can_be_asked_nobody_knows(there, planned, lab):
    action, plan = planned
    away = lab.settings.model_copy(update={"read_database_url": lab.settings.read_database_url.with_path("nowhere")})
    target = WriteTarget(away, "test")
    try:
        with there.doors.fault("supabase", "401"), pytest.raises(Unreachable, match="Neither project nor database"):
            action.settle(target, plan, quiet)
    finally:
        target.close()


def test_a_recovery_that_fails_at_the_vendor_is_never_done_and_is_asked_once(there, planned, lab):
    """A lab that keeps no log is a vendor whose recovery fails."""
    action, plan = planned
    target = WriteTarget(lab.settings, "test")
    try:
        with pytest.raises(StepFailed, match="RESTORE_FAILED") as told:
            action.apply(target, plan, quiet)
        assert "Do not ask once more" in told.value.next_step
        settled = action.settle(target, plan, quiet)
        assert (settled.outcome, "RESTORE_FAILED" in settled.why) == (Outcome.UNKNOWN, True)
        looked = action.verify(target, plan, {"newest": None})
        assert (looked.verdict, "timeline" in looked.summary) == ("CRITICAL", True)
        with pytest.raises(Refused, match="cannot be undone"):
            action.undo(target, plan, {}, quiet)
    finally:
        target.close()
    (sent,) = there.posts("/restore-pitr")
    assert specs.load("supabase-management.json", "/supabase").faults(sent) == []


def test_a_project_that_says_it_is_well_all_the_time_has_not_begun(there, planned, lab):
    action, plan = planned
    target = WriteTarget(lab.settings, "test")
    later = plan.fingerprint | {"timeline": plan.fingerprint["timeline"] - 1}
    try:
        assert action.settle(target, plan, quiet).outcome is Outcome.NOT_DONE
        # And one that is on a later timeline has.
        moved = plan.__class__(**{**vars(plan), "fingerprint": later})
        assert action.settle(target, moved, quiet).outcome is Outcome.DONE
        with pytest.raises(Refused, match="on another timeline, than planned"):
            action.apply(target, moved, quiet)
    finally:
        target.close()
    assert there.posts() == []


@pytest.mark.parametrize("way", ["look", "failover"])
@pytest.mark.parametrize("kind", [RecoverToMoment, BringBackRows])
def test_a_run_that_goes_another_way_does_nothing(there, lab, kind, way):
    action = kind(way=way)
    target = WriteTarget(lab.settings, "test")
    try:
        plan = action.plan(target)
        values = action.apply(target, plan, quiet)
        assert (plan.touches, plan.effect, values) == (0, "read", {})
        assert action.verify(target, plan, values).verdict == "OK"
        assert action.settle(target, plan, quiet).outcome is Outcome.NOT_DONE
    finally:
        target.close()
    assert there.posts() == []


@pytest.mark.parametrize("kind", [RecoverToMoment, BringBackRows])
def test_who_does_not_say_what_is_meant_is_refused(there, reading, kind):
    with pytest.raises(Refused, match="is not said"):
        kind().plan(reading)
