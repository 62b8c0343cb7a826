"""The disk and who keeps it full; whether a session of the application may write, and who said that it may not."""

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.databases import as_role, with_settings

HOLDS = {"mount_point": "/data", "size_bytes": 10**9, "free_bytes": 10**8, "used_percent": 90.0, "holds_data": True}
BEGINS = {"address": "db/valuecanvas", "asked_as": "postgres", "standby": False, "read_only": True}


def judged(check, **row):
    return check.judge(Reading("x", "X", "lab", now(), 0.1, (row,)))


def begins(**more):
    return Reading("x", "X", "lab", now(), 0.1, ({**BEGINS, "said_by": "configuration file", **more},))


@pytest.fixture
def looking(lab):
    made = PlanTarget(lab.settings, "test")
    yield made
    made.close()


def test_a_forgotten_slot_is_named_with_the_time_that_its_pace_leaves():
    found = judged(checks.disk, **HOLDS, kept_by="reporting", kept_bytes=5 * 10**8, kept_seconds=3600.0)
    assert found.verdict is Verdict.CRITICAL
    assert "slot reporting has no consumer" in found.summary
    # A hundred MB are free, five hundred were kept in an hour.
    assert "the disk is full in 12 min" in found.summary


@pytest.mark.parametrize("seconds", [None, 20.0])
def test_of_one_that_has_just_begun_or_is_of_unknown_age_no_pace_is_told(seconds):
    found = judged(checks.disk, **HOLDS, kept_by="reporting", kept_bytes=5 * 10**8, kept_seconds=seconds)
    assert "slot reporting" in found.summary
    assert "pace" not in found.summary


def test_a_disk_without_such_a_slot_says_nothing_of_one():
    assert "slot" not in judged(checks.disk, **HOLDS).summary


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        ({"read_only": False}, Verdict.OK, "right to write"),
        ({}, Verdict.CRITICAL, "from 95 % of the disk on"),
        ({"said_by": "database"}, Verdict.CRITICAL, "a setting of the database"),
        ({"said_by": "user"}, Verdict.WARNING, "a setting of that role's"),
        ({"standby": True}, Verdict.CRITICAL, "it is a standby"),
    ],
)
def test_who_keeps_sessions_from_writing_is_told(row, verdict, words):
    found = checks.writes.judge(begins(**row))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


def test_the_watch_goes_on_until_sessions_may_write_and_else_says_what_keeps_them():
    watch = checks.writes_again()
    unseen = Reading("x", "X", "lab", now(), 0.1, unknown="no connection")
    assert watch.decide([begins()], False) is None
    assert watch.decide([begins(), begins(read_only=False)], False).verdict is Verdict.OK
    assert watch.decide([unseen], False) is None
    assert watch.decide([unseen], True).verdict is Verdict.UNKNOWN
    assert watch.decide([begins(), unseen], True).verdict is Verdict.CRITICAL


def test_a_database_that_is_set_read_only_is_found_though_the_reading_role_never_may_write(lab, looking):
    assert evaluate(checks.writes, looking).verdict is Verdict.OK
    with lab.admin("postgres") as admin:
        admin.execute("ALTER DATABASE valuecanvas SET default_transaction_read_only = on")
        try:
            found = evaluate(checks.writes, looking)
        finally:
            admin.execute("ALTER DATABASE valuecanvas RESET default_transaction_read_only")
    assert (found.verdict, "a setting of the database" in found.summary) == (Verdict.CRITICAL, True)
    assert evaluate(checks.writes, looking).verdict is Verdict.OK


def test_where_the_server_does_not_answer_nobody_says_that_it_lets_write(lab):
    nobody = lab.settings.model_copy(update={"database_url": as_role(lab, "postgres", port=9)})
    target = PlanTarget(nobody, "test")
    try:
        assert evaluate(checks.writes, target).verdict is Verdict.UNKNOWN
    finally:
        target.close()


def test_without_the_servers_metrics_the_disk_is_unknown_and_whether_writes_are_let_in_is_not(lab, looking):
    assert evaluate(checks.disk, with_settings(lab, server_metrics_url=None)).verdict is Verdict.UNKNOWN
    assert evaluate(checks.writes, looking).verdict is Verdict.OK
