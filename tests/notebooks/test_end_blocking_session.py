"""Ending a blocking session as people run it: planned, carried out, refused where nobody waits."""

import json
import os
import signal

import pytest

from opslib.archive.verify import verify
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find
from opslib.lab.broken.database import HOLDS, WAITS
from opslib.systems.postgres import connect
from tests.scale import nightly
from tests.waiting import until

NAME = "runbooks/end-blocking-session"
SHARES = True
FAULT = find("blocked-sessions")


@pytest.fixture
def blocked(house):
    FAULT.make(house.settings)
    until(lambda: waiting(house))
    yield
    FAULT.mend(house.settings)


def waiting(house):
    """Count the sessions that wait for a lock."""
    with connect(house.settings.database_url, "test") as database:
        query = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        return database.execute(query, (WAITS,)).fetchone()["n"]


def test_a_plan_names_the_root_and_ends_nobody(run, house, blocked):
    result, folder = run(NAME, mode="plan")
    assert result["state"] == "finished", result["reason"]
    (step,) = json.loads((folder / "plan.json").read_text())["steps"]
    assert (step["plan"]["effect"], step["plan"]["before"]["application"]) == ("destructive", "lab fault: holds a lock")
    assert waiting(house) == 1


def test_it_is_ended_and_an_undo_says_that_there_is_none(run, house, blocked):
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert waiting(house) == 0
    assert "Who waits for whom" in (folder / "report.html").read_text()
    taken = undo(result["run"], house.archive)
    assert taken["exit_code"] != 0
    assert "cannot be undone" in taken["reason"]


def test_where_nobody_waits_it_is_refused_and_nothing_is_ended(run):
    result, _ = run(NAME)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "Nobody waits" in result["reason"]


@nightly
def test_one_that_does_not_end_is_told_and_after_it_ended_late_nobody_else_is_ended(run, house, blocked):
    with connect(house.settings.database_url, "test") as database:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        pid = database.execute(query, (HOLDS,)).fetchone()["pid"]
    # As a server's process that waits for its disk: the signal stays with it until it can be ended.
    os.kill(pid, signal.SIGSTOP)
    try:
        result, _ = run(NAME)
        assert (result["state"], result["exit_code"]) == ("failed", 5), result["reason"]
        assert f"Session {pid} does not end" in result["reason"]
        assert waiting(house) == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: waiting(house) == 0)
    again = resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("refused", 4), again["reason"]
    assert "Nobody waits" in again["reason"]


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
