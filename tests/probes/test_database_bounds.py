"""What is proven about slow calls holds for any times: checked against the times themselves."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.probes.database_bounds import Times

MILLISECONDS = st.floats(min_value=0, max_value=1e6, allow_nan=False, allow_subnormal=False)
SAMPLES = st.lists(MILLISECONDS, min_size=1, max_size=60) | st.lists(
    st.sampled_from([0.5, 1.0, 99.0, 100.0, 101.0, 5000.0]), min_size=1, max_size=200
)


def seen(times, whole=True):
    return Times(len(times), statistics.fmean(times), statistics.pstdev(times), min(times), max(times), whole)


@given(SAMPLES, st.sampled_from([0.0, 1.0, 100.0, 500.0, 99_999.5]), st.booleans())
def test_the_true_number_of_slow_calls_lies_between_the_bounds(times, limit, whole):
    true = sum(one > limit for one in times)
    figures = seen(times, whole)
    assert figures.above_at_least(limit) <= true <= figures.above_at_most(limit)


@given(SAMPLES, SAMPLES, st.sampled_from([1.0, 100.0, 500.0]))
def test_extremes_of_other_calls_keep_the_bounds_true(times, others, limit):
    true = sum(one > limit for one in times)
    least, most = min(times + others), max(times + others)
    figures = Times(len(times), statistics.fmean(times), statistics.pstdev(times), least, most, whole=False)
    assert figures.above_at_least(limit) <= true <= figures.above_at_most(limit)


@pytest.mark.parametrize(
    ("times", "limit", "least", "most"),
    [
        ([10.0] * 100, 100, 0, 0),  # the maximum is below the limit: none
        ([200.0] * 100, 100, 100, 100),  # the minimum is above it: all
        ([1.0] * 99 + [1000.0], 100, 1, 10),  # one at least, and Markov leaves ten open
        ([1.0] * 50 + [1000.0] * 50, 100, 50, 100),  # the mean square alone proves fifty
    ],
)
def test_known_cases(times, limit, least, most):
    figures = seen(times)
    assert figures.above_at_least(limit) == least
    assert figures.above_at_most(limit) == most


def test_no_calls_prove_nothing_and_unknown_extremes_still_bound():
    assert Times(0, 0, 0, 0, 0).above_at_most(100) == 0
    unknown = Times(1000, 1.0, 2.0, 0.0, math.inf, whole=False)
    assert unknown.above_at_least(100) == 0
    assert unknown.above_at_most(100) == 0  # Cantelli: 4 / (4 + 99²) of a thousand calls is no whole call
