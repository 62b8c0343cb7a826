"""Error rate and response times as they are judged: by exact shares, never by what nobody asked or no bucket shows."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.checks import application as checks
from opslib.checks.application_rates import above, percentile
from opslib.lab.vendors.prometheus_promql import quantile
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import judge

EDGES = ("10", "50", "100", "200", "500", "1000", "+Inf")
ERRORS, TIMES = checks.error_rate(), checks.response_time()


def edges(*counts):
    return dict(zip(EDGES, counts, strict=True))


FAST = edges(1000, 2000, 5000, 9000, 9800, 9990, 10_000)


def window(requests=10_000, failures=0, edges=FAST, **said):
    row = {"source": "Prometheus, the last 1 h", "seconds": 3600.0, "requests": requests, "failures": failures}
    row |= {"uncounted": 0.0, "statuses": {}, "edges": edges, **said}
    return Reading("application-window", "Window", "lab", now(), 0.1, (row,))


@pytest.mark.parametrize(
    ("requests", "failures", "verdict", "said"),
    [
        (36_000, 3, Verdict.OK, "0.01 % (3 of 36000"),
        (36_000, 100, Verdict.WARNING, "0.28 %"),
        (36_000, 1800, Verdict.CRITICAL, "5.00 %"),
        (36_000, 0, Verdict.OK, "0.00 %"),
        # 1 of 120 may be 0.1 % or 4.6 %: nobody knows.
        (120, 1, Verdict.UNKNOWN, "0.83 %"),
        (120, 20, Verdict.CRITICAL, "16.67 %"),
        (99, 99, Verdict.UNKNOWN, "Only 99 requests"),
        (0, 0, Verdict.UNKNOWN, "Nobody asked anything"),
        (None, None, Verdict.UNKNOWN, "Empty is no zero"),
    ],
)
def test_failures_are_judged_by_their_interval_and_nothing_is_green_for_want_of_requests(
    requests, failures, verdict, said
):
    result = judge(ERRORS, window(requests, failures))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert bool(result.remedy) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("failures", "uncounted", "verdict"),
    [
        (3, 2, Verdict.OK),
        # Forty tenants whose first request failed: increase() says that nothing did.
        (0, 100, Verdict.WARNING),
        (0, 900, Verdict.UNKNOWN),
        (100, 900, Verdict.UNKNOWN),
        (1800, 900, Verdict.CRITICAL),
    ],
)
def test_failures_that_a_new_series_hides_count_as_what_could_be_missing(failures, uncounted, verdict):
    result = judge(ERRORS, window(36_000, failures, uncounted=float(uncounted)))
    assert (result.verdict, f"at most {uncounted} more" in result.summary) == (verdict, True), result.summary


def test_statuses_are_shown_with_their_shares():
    result = judge(ERRORS, window(1000, 10, statuses={"200": 990.0, "503": 10.0}))
    assert [(row["status"], row["share"]) for row in result.rows] == [("200", 99.0), ("503", 1.0)]


@pytest.mark.parametrize(
    ("buckets", "verdict", "said"),
    [
        (FAST, Verdict.OK, "between 200 and 500 ms"),
        (edges(0, 0, 0, 0, 9000, 9990, 10_000), Verdict.WARNING, "between 500 and 1000 ms"),
        # Above the last edge: the percentile has no value, but the share above the alert is exact.
        (edges(0, 0, 0, 0, 8000, 9000, 10_000), Verdict.CRITICAL, "the P95 is UNKNOWN: more than 1000 ms"),
        (edges(0, 0, 0, 0, 8000, 9500, 10_000), Verdict.WARNING, "above 1000 ms 5.00 %"),
    ],
)
def test_the_products_histogram_tells_by_its_edges(buckets, verdict, said):
    result = judge(TIMES, window(edges=buckets))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert (result.value is None) is ("UNKNOWN" in result.summary)


@pytest.mark.parametrize(
    ("buckets", "verdict", "said"),
    [
        # The histogram ends below the alert, and 7 % lie above it: how far nobody knows.
        (
            {"100": 5000, "500": 9300, "+Inf": 10_000},
            Verdict.UNKNOWN,
            "more than 500 ms, where the histogram ends; 7.00 %",
        ),
        # It ends below the alert, and only 3 % lie above it: the percentile is surely within.
        ({"100": 5000, "500": 9700, "+Inf": 10_000}, Verdict.OK, "above 1000 ms unknown (no edge there)"),
        # No edge at either limit: between 250 and 2500 ms.
        ({"250": 9000, "2500": 9990, "+Inf": 10_000}, Verdict.UNKNOWN, "between 250 and 2500 ms"),
        # No edge at the target: within the alert, perhaps above the target.
        ({"250": 9000, "1000": 9990, "+Inf": 10_000}, Verdict.WARNING, "between 250 and 1000 ms"),
        ({"2000": 5000, "+Inf": 10_000}, Verdict.CRITICAL, "more than 2000 ms"),
    ],
)
def test_a_limit_that_the_histogram_does_not_show_is_unknown_where_it_could_matter(buckets, verdict, said):
    result = judge(TIMES, window(edges=buckets))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


@pytest.mark.parametrize("buckets", [{}, {"10": 0, "+Inf": 0}, {"+Inf": 0}])
def test_a_histogram_of_nothing_is_unknown(buckets):
    result = judge(TIMES, window(edges=buckets))
    assert (result.verdict, result.value) == (Verdict.UNKNOWN, None)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=8), st.floats(0.01, 0.99))
def test_within_the_edges_a_percentile_is_what_prometheus_would_say(steps, share):
    counts = list(accumulate(steps))
    buckets = {f"{10.0 * 2**i:g}": float(number) for i, number in enumerate(counts[:-1])} | {"+Inf": float(counts[-1])}
    place = percentile(buckets, share)
    said = quantile(share, [(float(edge), number) for edge, number in buckets.items()])
    if place is None:
        assert math.isnan(said)
    elif place.value is None:
        # Above every edge Prometheus says the last of them; here it is unknown.
        assert said == place.low
    else:
        assert place.value == pytest.approx(said)
        assert place.low <= place.value <= place.high


def test_a_percentile_is_interpolated_as_prometheus_does_it():
    place = percentile({"10": 0, "20": 50, "40": 100, "+Inf": 100}, 0.75)
    assert place is not None
    assert (place.low, place.high, place.value) == (20.0, 40.0, 30.0)
    place = percentile({"10": 0, "+Inf": 100})
    assert place is not None
    assert (place.low, place.high, place.value) == (10.0, math.inf, None)
    assert percentile({"10": 5}) is None
    assert above({"10": 90, "+Inf": 100}, 10) == 10.0
    assert above({"10": 90, "+Inf": 100}, 11) is None
