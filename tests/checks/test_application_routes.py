"""Each route's 95th percentile: one that is slow is not lost among the others, and what no bucket shows is unknown."""

import pytest

from opslib.checks import application as checks
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import ReadTarget
from tests.checks.test_application_ready import api
from tests.watchers import watchers

EDGES = ("10", "50", "100", "200", "500", "1000", "+Inf")
FAST = (100, 200, 500, 900, 980, 999, 1000)
SLOW = (0, 0, 0, 0, 500, 600, 1000)
LATE = (100, 200, 300, 400, 900, 1000, 1000)
FEW = (0, 0, 0, 0, 0, 0, 99)


def rows(edges=EDGES, **routes):
    made = [
        {"source": "Prometheus, the last 1 h", "route": f"/api/{name}", "edges": dict(zip(edges, counts, strict=True))}
        for name, counts in routes.items()
    ]
    return Reading("application-routes", "Routes", "lab", now(), 0.1, tuple(made))


@pytest.mark.parametrize(
    ("reading", "verdict", "said"),
    [
        (rows(cases=FAST, agents=FAST), Verdict.OK, "2 routes have a P95 within 500 ms."),
        # 90 % of ten thousand are fast: the percentile of all says nothing of the one that never is.
        (rows(cases=FAST, exports=SLOW), Verdict.CRITICAL, "/api/exports has a P95 above 1000 ms; 40.00 % took longer"),
        (rows(cases=FAST, reports=LATE), Verdict.WARNING, "/api/reports has a P95 of 750 ms"),
        (rows(cases=FAST, rare=FEW), Verdict.OK, "1 more is not judged"),
        (rows(rare=FEW), Verdict.UNKNOWN, "none of 1 routes had 100 requests"),
        (rows(llm=SLOW), Verdict.UNKNOWN, "none of 1 routes"),
        (rows(cases=FAST, llm=SLOW), Verdict.OK, "1 more is not judged"),
        (rows(EDGES[:5] + EDGES[-1:], exports=(0, 0, 0, 0, 500, 1000)), Verdict.UNKNOWN, "no edge that could tell"),
        (rows(("600", "2000", "+Inf"), exports=(0, 1000, 1000)), Verdict.UNKNOWN, "between 600 and 2000 ms"),
        # Without an edge at the target it may be missed.
        (rows(("400", "800", "+Inf"), exports=(0, 1000, 1000)), Verdict.WARNING, "has a P95 of 780 ms"),
        (rows(), Verdict.UNKNOWN, "no route has a histogram"),
    ],
)
def test_a_route_is_judged_by_itself(reading, verdict, said):
    result = judge(checks.routes(), reading)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


METRICS = """valuecanvas_http_requests_total{{route="/api/x",status_code="200"}} {many}
valuecanvas_http_request_duration_ms_bucket{{route="/api/x",le="1000.0"}} {fast}
valuecanvas_http_request_duration_ms_bucket{{route="/api/x",le="+Inf"}} {many}
valuecanvas_http_request_duration_ms_bucket{{route="/health",le="+Inf"}} {many}
process_start_time_seconds 5
"""


def test_without_prometheus_two_scrapes_of_one_process_tell_and_monitoring_does_not_count(lab):
    with api(200, METRICS.format(many=700, fast=1)) as (base, asked):
        told = {"application_url": base, "prometheus_url": None}
        target = ReadTarget(lab.settings.reading().model_copy(update=told), "test")
        result = evaluate(checks.routes(seconds=0.01), target)
        target.close()
    # Nothing was asked between both: what was before counts for nobody.
    assert (result.verdict, len(asked)) == (Verdict.UNKNOWN, 2)
    assert [(row["route"], row["requests"]) for row in result.rows] == [("/api/x", 0)]


def test_prometheus_that_does_not_answer_or_has_no_such_series_is_unknown(lab):
    with watchers(lab.settings) as there, there.doors.fault("prometheus", "401"):
        target = ReadTarget(lab.settings.reading(), "test")
        assert evaluate(checks.routes(), target).verdict is Verdict.UNKNOWN
        target.close()
    target = ReadTarget(lab.settings.reading().model_copy(update={"metrics_prefix": "nobodys_"}), "test")
    result = evaluate(checks.routes(), target)
    target.close()
    assert (result.verdict, "Empty is no zero" in result.summary) == (Verdict.UNKNOWN, True), result.summary
