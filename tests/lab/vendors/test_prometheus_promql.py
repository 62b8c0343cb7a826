"""The stand-in's queries give what Prometheus gives: extrapolation, resets, quantiles that stop, NaN of nothing."""

import math

import pytest

from opslib.lab.vendors.prometheus_parse import BadQuery, parse, seconds
from opslib.lab.vendors.prometheus_promql import Evaluation, increase, instant, quantile

SERIES = [
    ({"__name__": "up", "job": "api", "instance": "a"}, [(60.0 * i, 1.0) for i in range(11)]),
    ({"__name__": "up", "job": "api", "instance": "b"}, [(60.0 * i, float(i < 5)) for i in range(11)]),
    ({"__name__": "hits_total", "code": "200", "job": "api"}, [(60.0 * i, 6.0 * i) for i in range(11)]),
    ({"__name__": "hits_total", "code": "503", "job": "api"}, [(60.0 * i, 0.0) for i in range(11)]),
]


def store(select, since, until):
    return [
        (labels, [(t, v) for t, v in samples if since < t <= until])
        for labels, samples in SERIES
        if select.fits(labels)
    ]


def asked(text, at=600.0):
    return {tuple(sorted(labels.items())): value for labels, value in instant(parse(text), at, store)}


def test_a_selector_gives_the_newest_value_that_is_not_too_old():
    assert asked('up{instance="b"}') == {(("__name__", "up"), ("instance", "b"), ("job", "api")): 0.0}
    assert asked("up", at=600 + 299) != {}
    assert asked("up", at=600 + 300) == {}
    assert asked('up{job!="api"}') == {}
    assert len(asked('up{instance=~"a|b",job!~"x.*"}')) == 2


def test_a_counter_that_grows_evenly_is_extrapolated_to_the_ends_of_its_window():
    # Samples at 60, 120 … 600: nine steps of 6, half a step lies before the first.
    assert asked('sum(increase(hits_total{code="200"}[10m]))') == {(): 60.0}
    assert asked('sum(rate(hits_total{code="200"}[10m]))') == {(): pytest.approx(0.1)}
    assert asked("sum by (code) (increase(hits_total[5m]))") == {
        (("code", "200"),): pytest.approx(30.0),
        (("code", "503"),): 0.0,
    }


def test_one_sample_is_no_growth_and_a_fall_is_a_new_beginning():
    assert increase([(1.0, 5.0)], 0, 60) is None
    assert increase([(0.0, 10.0), (30.0, 14.0), (60.0, 2.0)], 0, 60) == 6.0


def test_extrapolation_never_reaches_below_zero():
    # Half a step would be 50 s; a counter that stands at 1 and grows by 1 in 100 s began 10 s earlier.
    assert increase([(100.0, 0.1), (200.0, 1.1), (300.0, 2.1)], 0, 300) == pytest.approx(2.1)


def test_a_share_over_time_is_that_of_the_samples_of_its_window():
    # Left end excluded: 0 is not among them, 60 … 240 are up.
    assert asked('max(avg_over_time(up{instance="b"}[10m]))') == {(): 0.4}
    assert asked("min(avg_over_time(up[10m]))") == {(): 0.4}
    assert asked("count(up)") == {(): 2.0}
    assert asked('timestamp(up{instance="a"})', at=630.0) == {(("instance", "a"), ("job", "api")): 600.0}


@pytest.mark.parametrize(
    ("share", "buckets", "value"),
    [
        (0.5, [(10, 10), (20, 20), (math.inf, 20)], 10.0),
        (0.75, [(10, 10), (20, 20), (math.inf, 20)], 15.0),
        (0.25, [(10, 10), (20, 20), (math.inf, 20)], 5.0),
        # Beyond the last finite edge: never more than that edge.
        (0.95, [(500, 10), (1000, 90), (math.inf, 100)], 1000.0),
        (0.95, [(500, 0), (1000, 0), (math.inf, 100)], 1000.0),
    ],
)
def test_a_quantile_is_interpolated_and_stops_at_the_last_finite_edge(share, buckets, value):
    assert quantile(share, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [[], [(math.inf, 5)], [(10, 0), (math.inf, 0)], [(10, 1), (20, 2)]])
def test_a_quantile_of_nothing_is_not_a_number(buckets):
    assert math.isnan(quantile(0.95, buckets))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up or vector(0)",
        "up unless",
        "sum(up",
        "increase(up)",
        "up{job}",
        "up{job=api}",
        "rate(sum(up)[5m])",
        "up;drop",
        "f(up)",
    ],
)
def test_what_is_not_known_is_refused(text):
    with pytest.raises(BadQuery):
        parse(text)


def test_durations_have_a_unit_or_are_seconds():
    assert [seconds(text) for text in ("15s", "5m", "2h", "3d", "250ms", "7")] == [15, 300, 7200, 259200, 0.25, 7]
    with pytest.raises(BadQuery):
        seconds("soon")


def test_what_was_not_there_before_is_what_began_since():
    late = ({"__name__": "hits_total", "code": "500", "job": "api"}, [(480.0, 4.0), (540.0, 7.0), (600.0, 7.0)])
    born = "sum(max_over_time(hits_total[5m]) unless hits_total offset 5m)"

    def with_late(select, since, until):
        found = store(select, since, until)
        inside = [(t, v) for t, v in late[1] if since < t <= until]
        return [*found, (late[0], inside)] if select.fits(late[0]) and inside else found

    assert instant(parse(born), 600.0, with_late) == [({}, 7.0)]
    assert instant(parse(born), 600.0, store) == []


def test_one_evaluation_serves_many_moments():
    evaluation, query = Evaluation(store, 300, 600), parse("max(up)")
    assert [evaluation.at(query, at) for at in (300, 450, 600)] == [[({}, 1.0)]] * 3
