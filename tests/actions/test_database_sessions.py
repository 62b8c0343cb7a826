"""Ending the root of a blocking tree: that session and no other, whoever has its number by then."""

import threading
from contextlib import contextmanager, suppress

import psycopg
import pytest

from opslib.actions.database import EndBlockingSession
from opslib.actions.database_sessions import root_of
from opslib.errors import Refused
from opslib.lab.broken import find
from opslib.model import Effect, Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.waiting import until
from tests.workspaces import quiet

FAULT = find("blocked-sessions")


@pytest.fixture
def handles(lab):
    made = [kind(lab.settings, "test") for kind in (PlanTarget, VerifyTarget, WriteTarget)]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def blocked(lab):
    FAULT.make(lab.settings)
    yield
    FAULT.mend(lab.settings)


def planned(target, **given):
    """Plan, as soon as the second session waits."""

    def plan():
        with suppress(Refused):
            return EndBlockingSession(**given).plan(target)

    return until(plan)


def sessions(lab):
    with lab.admin() as database:
        rows = database.execute("SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()")
        return {row["application_name"]: row["pid"] for row in rows}


def test_a_plan_names_the_root_and_what_is_lost_and_ends_nobody(lab, handles, blocked):
    plan = planned(handles[0])
    assert plan.before["application"] == "lab fault: holds a lock"
    assert plan.before["pid"] == sessions(lab)["lab fault: holds a lock"]
    assert (plan.effect, plan.touches) == (Effect.DESTRUCTIVE, 1)
    assert plan.observed["sessions that wait for it"] == 1
    assert "is lost" in plan.undo


def test_the_root_is_ended_its_victims_go_on_and_it_cannot_be_undone(lab, handles, blocked):
    look, verify, write = handles
    plan = planned(look)
    action = EndBlockingSession()
    assert verify_says(action, verify, plan) is Verdict.CRITICAL
    assert action.settle(write, plan, quiet).outcome is Outcome.NOT_DONE
    values = action.apply(write, plan, quiet)
    assert values["ended"]
    assert "lab fault: holds a lock" not in sessions(lab)
    looked = action.verify(verify, plan, values)
    assert (looked.verdict, looked.summary.endswith("was ended; nobody waits.")) == (Verdict.OK, True)
    assert action.settle(write, plan, quiet).outcome is Outcome.DONE
    with pytest.raises(Refused, match="cannot be undone"):
        action.undo(write, plan, values, quiet)


def verify_says(action, target, plan):
    return action.verify(target, plan, {"pid": plan.fingerprint["pid"], "ended": True}).verdict


def test_a_later_session_of_the_same_number_is_not_hit(lab, handles, blocked):
    look, _, write = handles
    plan = planned(look)
    early = type(plan)(**{**vars(plan), "fingerprint": {**plan.fingerprint, "begun": "2026-11-01 10:00:00+00"}})
    values = EndBlockingSession().apply(write, early, quiet)
    assert not values["ended"]
    assert "lab fault: holds a lock" in sessions(lab)
    assert EndBlockingSession().settle(write, early, quiet).outcome is Outcome.DONE


def test_where_nobody_waits_there_is_nothing_to_end(handles):
    with pytest.raises(Refused, match="Nobody waits"):
        EndBlockingSession().plan(handles[0])


def test_a_victim_is_not_ended_in_its_roots_place(lab, handles, blocked):
    planned(handles[0])
    victim = sessions(lab)["lab fault: waits for it"]
    with pytest.raises(Refused, match=f"Session {victim} holds nobody up from the root"):
        EndBlockingSession(session=victim).plan(handles[0])


@contextmanager
def holding(lab, application):
    """Hold a lock that another session waits for, as a session of this name."""
    url = lab.settings.database_url.reveal()
    first = psycopg.connect(url, application_name=application, autocommit=True)
    second = psycopg.connect(url, application_name="waits", autocommit=True)
    first.execute("BEGIN")
    first.execute("LOCK TABLE public.cases IN ACCESS EXCLUSIVE MODE")

    def wait():
        with suppress(psycopg.Error):
            second.execute("SELECT count(*) FROM public.cases")

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        first.close()
        thread.join(20)
        second.close()


def test_a_run_of_this_program_is_stopped_by_its_name_instead(lab, handles):
    with holding(lab, "opslib:20261129T000000Z-runbooks-migrate-database-abcdef"):

        def refused():
            with pytest.raises(Refused) as told:
                EndBlockingSession().plan(handles[0])
            return "ops stop 20261129T000000Z" in told.value.next_step

        until(refused)


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ({"pid": 0, "application": "prepared transaction"}, "ROLLBACK PREPARED"),
        ({"pid": 7, "application": "autovacuum worker"}, "gives way by itself"),
    ],
)
def test_some_roots_are_not_ended_here(root, words):
    rows = [{"depth": 0, "victims": 2, "victims_seconds": 9.0, **root}]
    with pytest.raises(Refused) as told:
        root_of(rows)
    assert words in told.value.next_step


def test_of_several_roots_the_one_that_holds_up_most_is_ended_unless_another_is_named():
    rows = [
        {"depth": 0, "victims": victims, "victims_seconds": waited, "pid": pid, "application": "a"}
        for pid, victims, waited in ((7, 3, 4.0), (8, 1, 9.0), (9, 0, 99.0))
    ]
    assert root_of(rows)["pid"] == 8
    assert root_of(rows, 7)["pid"] == 7
    with pytest.raises(Refused, match="Session 9 holds nobody up") as told:
        root_of(rows, 9)
    assert told.value.next_step == "Roots are: 7, 8."
