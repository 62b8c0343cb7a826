"""Whether the application is ready, and what a watch after a change decides; the rules are pure."""

import pytest

from opslib.checks.application import after_change
from opslib.checks.application_watch import Share, decide
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import watched

WATCH = after_change(0.1)


def look(requests=0, failures=0, slow=0, slower=0, state="ready", process=1.0):
    row = {"process": process, "requests": requests, "failures": failures, "state": state, "status": 200}
    return reading([row | {"over_500_ms": slow, "over_1000_ms": slower}])


def reading(rows, unknown=None):
    return Reading("application-serving", "Serving", "lab", now(), 0.1, tuple(rows), unknown=unknown)


def gone():
    return reading([], "The server refuses connections.")


def grown(*steps):
    """Return looks whose counters grow by each of ``steps`` (requests, failures, slow, slower)."""
    total, looks = (0, 0, 0, 0), [look()]
    for step in steps:
        total = tuple(a + b for a, b in zip(total, step, strict=True))
        looks.append(look(*total))
    return looks


def verdict(samples):
    judgement = decide(samples, True)
    assert judgement is not None
    return judgement.verdict


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 100, 0.0, 3.70), (1, 100, 0.18, 5.45), (50, 100, 40.38, 59.62), (10, 1000, 0.54, 1.83), (0, 0, 0.0, 100.0)],
)
def test_the_interval_of_a_share_is_wilsons(part, whole, low, high):
    assert [round(end, 2) for end in Share(part, whole).ends] == [low, high]


def test_many_requests_without_a_failure_keep_the_change():
    assert verdict(grown((2000, 0, 0, 0))) is Verdict.OK


def test_few_requests_prove_nothing():
    assert verdict(grown((100, 0, 0, 0))) is Verdict.UNKNOWN
    assert verdict(grown((0, 0, 0, 0))) is Verdict.UNKNOWN
    assert verdict([look()]) is Verdict.UNKNOWN


def test_more_failures_than_the_target_and_fewer_than_the_alert_are_a_warning():
    assert verdict(grown((20000, 60, 0, 0))) is Verdict.WARNING


def test_surely_more_failures_than_the_alert_take_the_change_back():
    assert verdict(grown((1000, 30, 0, 0))) is Verdict.CRITICAL


def test_a_share_near_the_alert_is_for_a_person():
    assert verdict(grown((1000, 9, 0, 0))) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("slow", "slower", "expected"),
    [(0, 0, Verdict.OK), (200, 0, Verdict.WARNING), (200, 200, Verdict.CRITICAL), (100, 100, Verdict.UNKNOWN)],
)
def test_response_times_are_judged_by_the_share_above_the_guides_limits(slow, slower, expected):
    assert verdict(grown((2000, 0, slow, slower))) is expected


def test_a_histogram_without_the_edge_is_no_green():
    samples = [look(0), reading([{**look(5000).rows[0], "over_1000_ms": None}])]
    judgement = decide(samples, True)
    assert judgement is not None
    assert (judgement.verdict, "no such edge" in judgement.summary) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize("bad", [lambda: look(state="not ready"), lambda: look(state="unhealthy"), gone])
def test_three_looks_in_a_row_without_readiness_end_it_at_once(bad):
    assert decide([look(), bad(), bad()], False) is None
    judgement = decide([look(), bad(), bad(), bad()], False)
    assert judgement is not None
    assert judgement.verdict is Verdict.CRITICAL
    assert decide([look(), bad(), bad(), look(), bad()], False) is None


def test_a_flood_of_failures_ends_it_at_once_and_a_few_do_not():
    assert decide(grown((20, 9, 0, 0)), False) is None
    judgement = decide(grown((20, 10, 0, 0)), False)
    assert judgement is not None
    assert judgement.verdict is Verdict.CRITICAL


def test_readiness_that_came_back_is_a_warning_and_one_that_did_not_is_critical():
    calm = grown((2000, 0, 0, 0))
    assert verdict([calm[0], look(state="not ready"), calm[1]]) is Verdict.WARNING
    assert verdict([calm[0], reading([{**calm[1].rows[0], "state": "not ready"}])]) is Verdict.CRITICAL
    assert verdict([calm[0], reading([{**calm[1].rows[0], "state": "absent"}])]) is Verdict.UNKNOWN
    assert verdict([calm[0], reading([{**calm[1].rows[0], "state": "without spare"}])]) is Verdict.WARNING


def test_a_watch_that_saw_nothing_is_unknown_and_goes_on_until_its_end():
    assert watched(WATCH, [gone()], last=False) is None
    result = watched(WATCH, [gone()], last=True)
    assert result is not None
    assert (result.verdict, "refuses" in result.summary) == (Verdict.UNKNOWN, True)


def test_the_result_keeps_the_rows_of_all_samples_and_shows_each_look():
    result = watched(WATCH, [look(0), gone(), look(2000)], last=True)
    assert result is not None
    assert (result.verdict, len(result.reading.rows), len(result.rows)) == (Verdict.WARNING, 2, 3)
    assert "unreachable" in result.rows[1]["state"]
    assert result.rows[2]["requests"] == 2000
