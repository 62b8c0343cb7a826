"""How a check went over its runs. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from opslib.guide.trend import chosen, trend

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def row(values, verdicts=None, days=1.0, **said):
    """Return a check's row: one run after another, so many days apart."""
    at = [(BEGAN + timedelta(days=days * number)).isoformat() for number in range(len(values))]
    known = {"check": "database-disk", "title": "The disk", "unit": "%", "warning": 70.0, "critical": 80.0}
    known |= {"above": True, "moved": False, "at": at, "value": list(values), "report": "runs/x/report.html"}
    return known | {"verdict": list(verdicts or ["OK"] * len(values))} | said


def test_a_figure_on_its_way_to_its_limit_says_when_it_is_there():
    found = trend(row([50, 52, 54, 56, 58, 60]), 50)
    assert (found.state, found.limit, found.was) == ("nearer to its limit", 70, 52)
    assert found.days == pytest.approx(5)


def test_beyond_its_warning_the_next_limit_is_the_critical_one():
    found = trend(row([66, 68, 70, 72, 74], ["OK", "OK", "OK", "WARNING", "WARNING"]), 50)
    assert (found.state, found.limit) == ("worse", 80)
    assert found.days == pytest.approx(3)


def test_where_less_is_worse_the_way_down_counts():
    found = trend(row([90, 85, 80, 75, 72, 71], warning=60.0, critical=50.0, above=False), 50)
    assert found.state == "nearer to its limit"
    assert 0 < found.days < 10
    assert trend(row([50, 60, 70, 80], warning=40.0, critical=None, above=False), 50).days is None


@pytest.mark.parametrize(
    "values",
    [[50, 50, 50, 50], [60, 58, 56, 54], [50, 51, 50, 51, 50, 52], [50, None, None, 60], [50, 50, 95, 50, 50, 50]],
    ids=["level", "away", "noise", "too few", "one run that was otherwise"],
)
def test_what_is_level_or_goes_away_or_is_noise_is_steady(values):
    found = trend(row(values), 50)
    assert (found.state, found.days) == ("steady", None)


def test_an_hour_tells_nothing_of_next_week():
    assert trend(row([50, 52, 54, 56, 58, 60], days=1 / 240), 50).days == pytest.approx(10 / 480)
    assert trend(row([50, 50.6, 51.2, 51.8, 52.4, 53.1], days=1 / 240), 50).days is None


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        (["OK", "OK", "CRITICAL"], "worse"),
        (["OK", "CRITICAL", "OK", "OK"], "steady"),
        (["CRITICAL", "CRITICAL", "WARNING"], "better"),
        (["OK", "OK", "UNKNOWN"], "nobody could look"),
        (["OK"], "one run tells no trend"),
        (["UNKNOWN", "UNKNOWN", "OK"], "one run tells no trend"),
    ],
)
def test_the_newest_verdict_is_held_against_the_usual_one(verdicts, state):
    assert trend(row([None] * len(verdicts), verdicts), 50).state == state


def test_only_the_newest_runs_count_and_the_worst_comes_first():
    old = row([None] * 5, ["CRITICAL", "CRITICAL", "CRITICAL", "OK", "OK"], check="old")
    assert trend(old, 2).state == "steady"
    assert trend(old, 5).state == "better"
    bad = row([None] * 3, ["OK", "OK", "WARNING"], check="bad")
    soon = row([50, 52, 54, 56, 58, 60], check="soon")
    assert [one.check for one in chosen([old, soon, bad], "none", 50)] == ["bad", "soon", "old"]
    assert [one.check for one in chosen([old, soon, bad], "soon,other", 50)] == ["soon"]
