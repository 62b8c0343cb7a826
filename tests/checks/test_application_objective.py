"""Freshness, uptime and the pace of the budget: what is old, dark or rare is not judged as if it were well."""

import pytest

from opslib.checks import application as checks
from opslib.guide.objectives import PAIRS
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import judge

UPTIME, BURN = checks.uptime(30), checks.burn()
MONTH = 30 * 1440.0


def reading(*rows, unknown=None):
    return Reading("x", "X", "lab", now(), 0.1, rows, unknown=unknown)


def instance(name, missed):
    return {"instance": name, "health": "up", "age": 10.0, "interval": 15.0, "missed": missed, "why": ""}


@pytest.mark.parametrize(
    ("missed", "verdict"),
    [
        ((0.5, 1.9), Verdict.OK),
        ((0.5, 2.5), Verdict.WARNING),
        ((0.5, None), Verdict.WARNING),
        ((3.0, 3.0), Verdict.WARNING),
        ((9.0, None), Verdict.CRITICAL),
        ((None,), Verdict.CRITICAL),
        ((), Verdict.CRITICAL),
    ],
)
def test_metrics_are_fresh_while_an_instance_is_scraped(missed, verdict):
    result = judge(checks.fresh, reading(*(instance(f"api-{i}", one) for i, one in enumerate(missed))))
    assert result.verdict is verdict, result.summary
    assert bool(result.remedy) is (verdict is not Verdict.OK)


def day(up, down=0.0, unknown=0.0, name="2026-11-01"):
    return {"day": name, "up": up, "down": down, "unknown": unknown}


@pytest.mark.parametrize(
    ("row", "verdict", "said"),
    [
        (day(MONTH), Verdict.OK, "Up 100.000 %"),
        (day(MONTH - 43, 43), Verdict.OK, "43.2 min are allowed"),
        (day(MONTH - 44, 44), Verdict.WARNING, "down 44.0 min"),
        (day(MONTH - 431, 431), Verdict.WARNING, "99.002 %"),
        (day(MONTH - 433, 433), Verdict.CRITICAL, "98.998 %"),
        # Nobody measured a day of it: it could have been down, and then the month missed its target.
        (day(MONTH - 1440, 0, 1440), Verdict.UNKNOWN, "nobody measured 1440 min, which could change the verdict"),
        (day(MONTH - 10, 0, 10), Verdict.OK, "nobody measured 10 min"),
        # Far below, whatever the dark hour was.
        (day(MONTH - 1500, 1440, 60), Verdict.CRITICAL, "nobody measured 60 min"),
        (day(59), Verdict.UNKNOWN, "Only 59 minutes"),
    ],
)
def test_uptime_is_that_of_the_time_that_was_measured_and_the_rest_may_change_it(row, verdict, said):
    result = judge(UPTIME, reading(row))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_days_that_were_not_whole_are_shown_first():
    days = [day(1440, name="2026-11-01"), day(1400, 40, name="2026-11-02"), day(1440, name="2026-11-03")]
    result = judge(UPTIME, reading(*days))
    assert [row["day"][-2:] for row in result.rows] == ["02", "03", "01"]


def test_uptime_of_nothing_is_unknown():
    assert judge(UPTIME, reading()).verdict is Verdict.UNKNOWN


SPANS = tuple(dict.fromkeys(span for pair in PAIRS for span in (pair.long, pair.short)))


def paces(requests=10_000.0, failures=100.0, month=True, **said):
    """Return a reading in which each window has the pace that is said of it (w1h=20 …), else 0.1."""
    rows = []
    for span in (*SPANS, "30d") if month else SPANS:
        pace = said.get(f"w{span}", 0.1)
        rows.append({"window": span, "requests": requests, "failures": failures, "pace": pace})
    return reading(*rows)


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        ({}, Verdict.OK, "the fastest pace is 0.1 times it"),
        ({"w1h": 15, "w5m": 15}, Verdict.CRITICAL, "1h & 5m: 15 and 15 times"),
        ({"w1h": 15, "w5m": 14}, Verdict.OK, "15 times"),
        ({"w1h": 14, "w5m": 15}, Verdict.OK, "14 times"),
        ({"w6h": 7, "w30m": 7}, Verdict.CRITICAL, "6h & 30m"),
        ({"w1d": 4, "w2h": 4}, Verdict.WARNING, "1d & 2h"),
        ({"w3d": 2, "w6h": 2}, Verdict.WARNING, "3d & 6h"),
        ({"w1h": 15, "w5m": None}, Verdict.OK, "15 times"),
        # Nine failures at any pace are too few.
        ({"w1h": 500, "w5m": 500, "failures": 9.0}, Verdict.OK, "too few failures to count: 1h & 5m"),
        ({"w1h": 500, "w5m": 500, "failures": 10.0}, Verdict.CRITICAL, "1h & 5m"),
    ],
)
def test_a_pair_counts_where_both_windows_are_beyond_and_enough_failed(said, verdict, words):
    result = judge(BURN, paces(**said))
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_where_nobody_asked_anything_no_budget_lasts():
    nothing = {f"w{span}": None for span in SPANS}
    result = judge(BURN, paces(requests=0.0, failures=0.0, w30d=None, **nothing))
    assert (result.verdict, "nobody knows" in result.summary) == (Verdict.UNKNOWN, True)


def test_too_few_requests_cannot_show_that_a_budget_lasts():
    result = judge(BURN, paces(requests=900.0, failures=0.0))
    assert (result.verdict, "it takes 1\u202f000" in result.summary) == (Verdict.UNKNOWN, True), result.summary


def test_how_much_of_the_month_is_used_is_said():
    assert "12 % of the month's budget is used (100 failures" in judge(BURN, paces(w30d=0.12)).summary
    assert "month's budget is used" not in judge(BURN, paces(month=False)).summary


def test_what_could_not_be_read_is_unknown():
    for check in (UPTIME, BURN, checks.fresh):
        assert judge(check, reading(unknown="Prometheus is away.")).verdict is Verdict.UNKNOWN
