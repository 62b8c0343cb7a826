"""The clock of an incident. Pure."""

import pytest

from opslib.errors import UsageError
from opslib.guide.incident import given, since, undocumented
from tests.incidents_told import BEGAN, after, ran, told


def late(incident, minutes):
    return [turn.level.number for turn in incident.turns(after(minutes)) if turn.late is not None]


@pytest.mark.parametrize(
    ("minutes", "levels"), [(0, [1]), (14.9, [1]), (15, [1, 2]), (30, [1, 2, 3]), (59, [1, 2, 3]), (60, [1, 2, 3, 4])]
)
def test_each_levels_turn_comes_at_its_minute(minutes, levels):
    assert late(told(), minutes) == levels


def test_who_took_it_on_is_of_the_first_level_and_stops_no_clock():
    taken = told(acknowledged=after(5), by="ann")
    assert late(taken, 31) == [2, 3]
    assert late(told(acknowledged=after(5), by="ann", told_level=2), 31) == [3]
    assert late(told(told_level=4), 90) == []


def test_the_clock_stops_when_it_is_over():
    assert late(told(resolved=after(20)), 300) == [1, 2]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"started": None}, "nobody says when it began"),
        ({"started": after(30)}, "it began in the time to come"),
        ({"acknowledged": after(-1), "by": "ann"}, "it was taken on before it began"),
        ({"resolved": after(40)}, "it was over in the time to come"),
        ({"acknowledged": after(9), "by": "ann", "resolved": after(8)}, "it was taken on after it was over"),
        ({"acknowledged": after(9)}, "it was taken on and nobody says by whom"),
    ],
)
def test_what_cannot_be_so_is_said(said, why):
    assert told(**said).faults(after(20)) == [why]


def test_what_can_be_so_has_no_fault():
    assert told(acknowledged=after(5), by="ann", resolved=after(20)).faults(after(20)) == []


def test_a_day_that_there_is_not_is_refused():
    assert given("none") is None
    assert given("2026-11-29T10:00:00Z") == BEGAN
    with pytest.raises(UsageError, match="2026-13-45"):
        given("2026-13-45T10:00:00Z")


def test_runs_of_the_incident_come_oldest_first():
    rows = [ran(30), ran(5), ran(-1)]
    assert [row["run"] for row in since(rows, BEGAN, after(20))] == [rows[1]["run"]]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, ""),
        ({"sealed": "open"}, "is not sealed yet"),
        ({"sealed": "quarantined"}, "is in quarantine"),
        ({"untrusted": "is not what was sealed"}, "is not what was sealed"),
        ({"steps": [{"step": "clear", "status": "in doubt"}]}, "left in doubt what clear did"),
        ({"steps": [{"step": "clear", "status": "undo in doubt"}]}, "left in doubt what clear did"),
        ({"report": ""}, "has no report"),
    ],
)
def test_what_is_not_written_down_says_why(said, why):
    found = undocumented(ran(5, **said))
    assert (found == "") is (why == "")
    assert why in found
