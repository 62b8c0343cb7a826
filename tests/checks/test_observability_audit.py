"""What an audit says of each side of an archive, by the rows that were read. Pure; damage itself: tests/archive."""

import pytest

from opslib.checks import observability as checks
from opslib.model import Verdict
from opslib.probes.observability_audit import archive
from tests.incidents_told import after, reading


def judged(check, *rows):
    found = check.judge(reading(*rows, probe=check.probe.name))
    return found.verdict, found.summary


def finding(severity, where="runs/X/report.html", what="is not what the manifest names"):
    return {"kind": "finding", "severity": severity, "run": "X", "where": where, "what": what}


WHOLE = {"kind": "archive", "entries": 9, "files": 40, "sealed": 4, "statement": "NOT ANCHORED."}
ROOM = {"kind": "room", "first_entry_at": "2026-01-02T00:00:00Z"}
HEADS = {"kind": "heads", "newest": 9, "of_entries": 9, "behind": 0, "behind_hours": 0.0}
DATES = {"kind": "dates", "entries": 9, "between_two": 8, "widest_hours": 1.0, "widest_entry": 4}


def test_errors_are_critical_warnings_a_warning_and_an_archive_without_entries_unknown():
    assert judged(checks.archive_sound, WHOLE)[0] is Verdict.OK
    assert judged(checks.archive_sound, WHOLE, finding("warning"))[0] is Verdict.WARNING
    verdict, said = judged(checks.archive_sound, WHOLE, finding("warning", "log"), *[finding("error")] * 5)
    assert (verdict, "runs/X/report.html is not what the manifest names" in said) == (Verdict.CRITICAL, True)
    assert ("and 2 more" in said, "NOT ANCHORED." in said) == (True, True)
    assert judged(checks.archive_sound, WHOLE | {"entries": 0})[0] is Verdict.UNKNOWN
    assert judged(checks.archive_sound)[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("heads", "rows", "verdict"),
    [
        ({}, (), "OK"),
        ({"behind": 2, "behind_hours": 0.5}, (), "OK"),
        ({"behind": 2, "behind_hours": 1.5}, (), "WARNING"),
        ({"behind": 2, "behind_hours": 25.0}, (), "CRITICAL"),
        ({}, (finding("warning"),), "WARNING"),
        ({}, (finding("error"),), "CRITICAL"),
        ({"newest": None}, (), "UNKNOWN"),
        ({"newest": None}, (finding("error"),), "CRITICAL"),
    ],
)
def test_heads_count_by_how_long_nothing_was_published(heads, rows, verdict):
    assert judged(checks.archive_published, HEADS | heads, *rows)[0] == verdict


@pytest.mark.parametrize(
    ("hours", "rows", "verdict"),
    [
        (1.0, (), "OK"),
        (3.0, (), "WARNING"),
        (30.0, (), "CRITICAL"),
        (None, (), "UNKNOWN"),
        (1.0, (finding("error"),), "CRITICAL"),
    ],
)
def test_dates_count_by_the_widest_bounds(hours, rows, verdict):
    assert judged(checks.archive_dated, DATES | {"widest_hours": hours}, *rows)[0] == verdict


def left(state):
    return {"kind": "left", "run": "X", "step": "clear", "state": state}


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ((), "OK"),
        (("left half done",), "WARNING"),
        (("left open",), "WARNING"),
        (("left half done", "not believed"), "UNKNOWN"),
        (("not believed", "in doubt"), "CRITICAL"),
        (("undo in doubt",), "CRITICAL"),
    ],
)
def test_works_count_by_the_worst_that_was_left(states, verdict):
    found = judged(checks.runs_settled, {"kind": "works", "works": 3}, *map(left, states))
    assert found[0] == verdict
    assert (f"{len(states)} were left unsettled" in found[1], "X clear" in found[1]) == (True, bool(states))


def schedule(**words):
    none = dict.fromkeys(("ran", "running", "due", "late", "skipped", "missed", "interrupted", "failed"), 0)
    return {"kind": "schedule", "schedule": "triage", **none, **words, "due_times": sum(words.values())}


def test_due_times_that_came_to_nothing_are_a_warning_and_a_schedule_that_nobody_knows_is_unknown():
    check, untold = checks.due_times_kept, {"kind": "untold", "schedule": "old", "says": "is not in the table any more"}
    assert judged(check, schedule(ran=9))[0] is Verdict.OK
    assert judged(check, schedule(ran=9, late=1))[0] is Verdict.OK
    for word in ("missed", "interrupted", "failed"):
        assert judged(check, schedule(ran=9, **{word: 1})) == (
            Verdict.WARNING,
            "10 due times of 92 days, 1 came to nothing.",
        )
    assert judged(check, schedule(ran=9), untold)[0] is Verdict.UNKNOWN
    assert judged(check, schedule())[0] is Verdict.UNKNOWN
    assert judged(check)[0] is Verdict.UNKNOWN


def test_what_was_redacted_long_ago_is_shown_and_not_judged():
    old, new = (
        {"kind": "redacted", "run": name, "at": at}
        for name, at in (("A", "2025-01-01T00:00:00Z"), ("B", f"{after(0):%Y-%m-%dT%H:%M:%SZ}"))
    )
    entries = {"kind": "entries", "entries": 9}
    assert judged(checks.runs_redacted, entries)[0] is Verdict.OK
    assert judged(checks.runs_redacted, entries, old) == (
        Verdict.OK,
        "0 runs of 92 days were redacted or not sealed; 1 of the whole log.",
    )
    verdict, said = judged(checks.runs_redacted, entries, old, new)
    assert (verdict, "not sealed: B; 2 of the whole log" in said) == (Verdict.WARNING, True)
    assert judged(checks.runs_redacted, {"kind": "entries", "entries": 0})[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("days", "verdict"), [(4000.0, "OK"), (60.0, "WARNING"), (10.0, "CRITICAL"), (None, "UNKNOWN")]
)
def test_room_counts_by_how_long_it_lasts(days, verdict):
    assert judged(checks.archive_room, ROOM | {"lasts_days": days})[0] == verdict


def test_every_side_of_the_archive_has_its_check_or_is_only_shown():
    named = (getattr(checks, name) for name in checks.__all__)
    asked = {check.probe.name for check in named if hasattr(check, "probe")}
    assert {probe.name for probe in archive.values()} - asked == {"archive-runs", "archive-days"}
