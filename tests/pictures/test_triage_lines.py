"""The list over its last runs."""

from opslib.pictures import triage
from tests.routines import reading, run

ROWS = [
    {"item": "MNT-DAY-01", "line": "Check <b>error</b> logs", "verdict": "OK"},
    {"item": "MNT-DAY-03", "line": "Verify backup completion", "verdict": "CRITICAL"},
]


def test_one_sees_what_has_not_been_well_and_since_when():
    made = reading(
        [
            run(24, {"MNT-DAY-01": "OK", "MNT-DAY-03": "CRITICAL"}),
            run(48, {"MNT-DAY-01": "WARNING", "MNT-DAY-03": "CRITICAL"}),
            run(72, {"MNT-DAY-01": "OK", "MNT-DAY-03": "OK"}),
        ]
    )
    drawn = triage.lines(made, ROWS)
    assert drawn.alternative == ("1 of 2 lines are OK; Verify backup completion: CRITICAL since 2026-11-27 (3 runs).")
    assert "OK since 2026-11-28 (2 runs)" in drawn.svg
    assert "3 earlier runs, the first on 2026-11-26 12:00 UTC" in drawn.svg
    assert drawn.svg.count("<title>2026-11-27T12:00: WARNING</title>") == 1
    assert "<b>" not in drawn.svg


def test_what_cannot_be_believed_is_left_out_and_said():
    drawn = triage.lines(reading([run(24, untrusted="was changed"), run(48, {"MNT-DAY-01": "OK"})]), ROWS)
    assert "1 earlier runs cannot be believed" in drawn.svg
    assert "1 earlier run, the first on" in drawn.svg


def test_without_earlier_runs_it_shows_this_one_and_says_why():
    assert "No earlier run of this routine" in triage.lines(reading(), ROWS).svg
    drawn = triage.lines(reading(unknown="There is no archive at hand."), ROWS)
    assert "There is no archive at hand." in drawn.svg
    assert triage.lines(reading(), []).alternative == "Unknown: the list has no lines."
