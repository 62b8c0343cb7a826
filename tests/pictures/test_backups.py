from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

from opslib.model import Reading
from opslib.pictures import backups

STATES = ["before the first backup", "proven", "present", "missing", "broken", "not yet"]


def reading(states, unknown=None):
    rows = tuple(
        {"day": date(2026, 11, 1) + timedelta(days=n), "state": s, "proven": int(s == "proven"), "present": 0}
        for n, s in enumerate(states)
    )
    return Reading("backup-days", "Restore points", "lab", datetime.now(UTC), 0.1, rows, unknown=unknown)


def test_each_day_is_a_cell_with_its_sign_and_the_whole_story_as_title():
    svg = backups.calendar(reading(STATES)).svg
    ElementTree.fromstring(svg)
    assert [sign in svg for sign in "✓○!✗"] == [True] * 4
    assert "2026-11-04: missing; 0 proven, 0 not proven" in svg


def test_the_text_alternative_counts_the_same_days_and_names_the_missing():
    said = backups.calendar(reading(STATES)).alternative
    assert said.startswith("Of 6 days, 1 have a proven backup")
    assert said.endswith("none (!): 2026-11-04.")


def test_a_reading_that_could_not_be_taken_is_no_empty_calendar():
    assert backups.calendar(reading([], unknown="no connection")).alternative == "Nobody could look: no connection."
