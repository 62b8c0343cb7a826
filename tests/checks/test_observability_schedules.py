"""Whether schedules were kept, by the entries of their due times."""

import pytest

from opslib.checks.observability import schedules_kept
from opslib.model import Reading, now


def judged(*words):
    rows = tuple(
        {"schedule": "triage", "due": f"2026-11-30T{n:02}:00:00Z", "word": word, "says": ""}
        for n, word in enumerate(words)
    )
    reading = Reading("due-times", "Due times", "lab", now(), 0.1, rows)
    return schedules_kept.judge(reading)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["ran"], "OK"),
        (["ran", "running", "due"], "OK"),
        (["ran", "late"], "WARNING"),
        (["ran", "skipped"], "WARNING"),
        (["ran", "missed"], "CRITICAL"),
        (["missed", "late"], "CRITICAL"),
        (["ran", "interrupted"], "CRITICAL"),
        (["ran", "failed"], "CRITICAL"),
        (["missed", "not installed"], "CRITICAL"),
        (["ran", "not installed"], "UNKNOWN"),
        (["ran", "faulty"], "UNKNOWN"),
        (["late", "faulty"], "UNKNOWN"),
        (["due"], "UNKNOWN"),
        (["running"], "UNKNOWN"),
        ([], "UNKNOWN"),
    ],
)
def test_the_worst_of_what_became_of_the_due_times_counts(words, verdict):
    assert judged(*words).verdict == verdict


def test_what_is_not_as_it_should_be_is_counted_and_shown():
    found = judged("ran", "ran", "missed", "late", "not installed")
    assert found.summary == "Due times of the last 24 h: 1 missed, 1 late, 2 ran; triage is not installed."
    assert found.value == 1
    assert [row["word"] for row in found.rows] == ["missed", "late", "not installed"]
    assert [row["word"] for row in judged("ran").rows] == ["ran"]


def test_a_destination_that_was_not_told_is_a_warning_and_shown():
    found = judged("ran", "not told")
    assert (found.verdict, found.summary) == ("WARNING", "Due times of the last 24 h: 1 ran; triage was not told.")
    assert [row["word"] for row in found.rows] == ["not told"]
    assert judged("missed", "not told").verdict == "CRITICAL"
