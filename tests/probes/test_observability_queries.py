"""What is read out of queries without evaluating them: series, the comparison, the edges; and what is left open."""

import pytest

from opslib.probes.observability_queries import Comparison, comparison, edges, either, series


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("up == 0", ["up"]),
        ('sum(rate(http_requests_total{status=~"5.."}[5m])) by (job) > 0.05', ["http_requests_total"]),
        ("sum by (le, route) (rate(x_ms_bucket[5m] offset 1h))", ["x_ms_bucket"]),
        ("a_total / on(instance) group_left(name) b_total", ["a_total", "b_total"]),
        (
            "1 - node_filesystem_avail_bytes/node_filesystem_size_bytes > 8e-1",
            ["node_filesystem_avail_bytes", "node_filesystem_size_bytes"],
        ),
        ("absent(up{job='api'}) or vector(0)", ["up"]),
        ("job:errors:ratio5m and on() up", ["job:errors:ratio5m", "up"]),
        ('{__name__="weird_total",a="b"} > 1', ["weird_total"]),
        ("# a remark names x_total\nup > bool 1", ["up"]),
        ('label_replace(up, "a", "$1", "b", "(.*)")', ["up"]),
        ("max_over_time(rate(z_total[5m])[1h:1m]) > Inf", ["z_total"]),
        ("", []),
    ],
)
def test_the_series_that_a_query_reads_are_named_once_each(text, names):
    assert series(text) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("up == 0", Comparison("up", "==", 0.0)),
        ("sum(x) > 0.05", Comparison("sum(x)", ">", 0.05)),
        ("sum(x) >= bool 5e-2", Comparison("sum(x)", ">=", 0.05)),
        ("(a / b) < .99 ", Comparison("(a / b)", "<", 0.99)),
        ("a > 0.01 and b > 100", Comparison("a", ">", 0.01)),
        ("a unless b > 3", Comparison("b", ">", 3.0)),
        ('a{x="y and z > 9"} > 7', Comparison('a{x="y and z > 9"}', ">", 7.0)),
        ("absent(up)", None),
        ("a > b", None),
        ("0.05 < a", None),
    ],
)
def test_the_first_comparison_with_a_number_is_read_and_others_are_left_open(text, said):
    assert comparison(text) == said


def test_the_edges_that_a_query_picks_out_are_read():
    assert edges('1 - rate(x_bucket{le="1000.0",job="a"}[5m]) / y{le=\'5\'}') == [1000.0, 5.0]
    assert edges('rate(x_bucket{le=~"1|2",role="9"}[5m])') == []


def test_what_may_answer_without_one_of_its_series_is_told():
    assert [either(text) for text in ("a or b", "a unless b", "absent(a)", 'a{x="or"}', "a / b")] == [
        *(True, True, True),
        *(False, False),
    ]
