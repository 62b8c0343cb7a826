"""What is kept elsewhere: broken, mended, and not to be seen."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from opslib.checks import backups
from opslib.lab import cloud
from opslib.model import Reading, Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.vendors import Doors

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def look(lab, check, **changes):
    target = ReadTarget(lab.settings.reading().model_copy(update=changes), "test")
    try:
        return evaluate(check, target)
    finally:
        target.close()


@pytest.fixture
def supabase(lab):
    """Return a function that changes what Supabase remembers of its backups."""
    doors = Doors(lab.settings)
    with doors.restored():
        yield lambda **said: doors.put(supabase={**doors.state()["supabase"], **said})


@pytest.mark.parametrize(
    ("taken", "verdict", "words"),
    [
        ([["COMPLETED", 0.5]], OK, "The newest of 1 is 12.0 hours old"),
        ([["COMPLETED", 1.5]], WARNING, "36.0 hours"),
        ([["COMPLETED", 3]], CRITICAL, "72.0 hours"),
        ([["FAILED", 0.1], ["COMPLETED", 0.5]], WARNING, "The last one is FAILED; the newest of 1"),
        ([["PENDING", 0.01], ["COMPLETED", 0.5]], OK, "The newest of 1"),
        ([["REMOVED", 2]], CRITICAL, "has no whole backup of"),
        ([], CRITICAL, "has no whole backup of"),
    ],
)
def test_supabases_own_backups_count_when_they_are_whole_and_new(lab, supabase, taken, verdict, words):
    supabase(backups=taken, point_in_time=False)
    result = look(lab, backups.automatic)
    assert result.verdict is verdict
    assert words in result.summary


def test_with_point_in_time_recovery_it_may_take_none_of_these(lab, supabase):
    supabase(backups=[], point_in_time=True)
    assert look(lab, backups.automatic).verdict is WARNING
    assert look(lab, backups.point_in_time).verdict is OK


def test_without_point_in_time_recovery_a_day_may_be_lost(lab, supabase):
    supabase(point_in_time=False)
    result = look(lab, backups.point_in_time)
    assert (result.verdict, "runbooks/back-up-database" in result.remedy) == (WARNING, True)


@pytest.mark.parametrize(("minutes", "verdict"), [(None, UNKNOWN), (2, OK), (16, WARNING), (61, CRITICAL)])
def test_how_far_point_in_time_recovery_is_behind_is_judged(minutes, verdict):
    row = {"point_in_time": True, "behind_minutes": minutes, "reaches_back_days": 7.0}
    reading = Reading("backup-automatic", "", "lab", datetime(2026, 11, 29, tzinfo=UTC), 0.0, (row,))
    assert backups.point_in_time.judge(reading).verdict is verdict


@pytest.mark.parametrize("check", [backups.automatic, backups.point_in_time], ids=lambda check: check.name)
@pytest.mark.parametrize("fault", ["401", "500", "malformed"])
def test_where_supabase_does_not_answer_nothing_is_green(lab, check, fault):
    with Doors(lab.settings).fault("supabase", fault):
        assert look(lab, check).verdict is UNKNOWN


def test_all_places_are_there(lab):
    result = look(lab, backups.places)
    assert (result.verdict, [row["readable"] for row in result.rows]) == (OK, [True] * 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log_group": "/none"}, "logs: CloudWatch /none is not there"),
        ({"vault_secret": "none"}, "secrets: Secrets Manager none is not there"),
        ({"backup_bucket": "valuecanvas-none"}, "S3 valuecanvas-none/"),
    ],
)
def test_a_place_that_is_not_there_is_named_and_the_others_are_looked_at(lab, changes, words):
    result = look(lab, backups.places, **changes)
    assert result.verdict in (CRITICAL, UNKNOWN)
    assert words in result.summary
    assert sum(row["readable"] is True for row in result.rows) == 4


def test_a_place_that_nobody_could_look_at_is_unknown_and_the_others_are_looked_at(lab):
    with Doors(lab.settings).fault("github", "503"):
        result = look(lab, backups.places)
    assert result.verdict is UNKNOWN
    assert "configuration: GitHub" in result.summary
    assert sum(row["readable"] is True for row in result.rows) == 4


@contextmanager
def kept(lab, days):
    """Let the group keep for so many days, and as before afterwards."""
    client, group = cloud.client(lab.settings, "logs"), lab.settings.log_group
    if days is None:
        client.delete_retention_policy(logGroupName=group)
    else:
        client.put_retention_policy(logGroupName=group, retentionInDays=days)
    try:
        yield
    finally:
        client.put_retention_policy(logGroupName=group, retentionInDays=90)


@pytest.mark.parametrize(("days", "verdict"), [(30, WARNING), (90, OK), (365, OK), (None, OK)])
def test_logs_are_kept_as_long_as_the_guide_says(lab, days, verdict):
    with kept(lab, days):
        result = look(lab, backups.logs)
    assert result.verdict is verdict
    assert ("for ever" if days is None else f"{days} days") in result.summary


def test_logs_that_do_not_arrive_any_more_are_a_warning():
    row = {"group": "/g", "days": 90, "size": 1, "newest_hours": 25.0}
    reading = Reading("backup-logs", "", "lab", datetime(2026, 11, 29, tzinfo=UTC), 0.0, (row,))
    assert backups.logs.judge(reading).verdict is WARNING
    empty = Reading("backup-logs", "", "lab", reading.taken_at, 0.0, ({**row, "newest_hours": None},))
    assert "holds no event" in backups.logs.judge(empty).summary


def test_no_group_of_logs_is_critical_and_no_answer_unknown(lab):
    assert look(lab, backups.logs, log_group="/none").verdict is CRITICAL
    assert look(lab, backups.logs, aws_endpoint_url="http://127.0.0.1:9").verdict is UNKNOWN
