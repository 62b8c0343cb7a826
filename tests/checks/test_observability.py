"""Who watches, as it is judged: rules that cannot fire, limits that differ, routes to nobody, panels without data."""

import json

import pytest

from opslib.checks import observability as checks
from opslib.checks.observability_alerts import limit_of, never
from opslib.guide.alerts import alerts
from opslib.lab.broken.observability import FAULTS
from opslib.lab.vendors.prometheus_rules import RULES
from opslib.model import Reading, Verdict, now
from opslib.probes.observability_queries import series
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import ReadTarget
from tests.watchers import watchers

BUCKET = "valuecanvas_http_request_duration_ms_bucket"
EDGES = [10.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
NOBODY = ("http_requests_total", "http_request_duration_seconds_bucket", "database_connections_active")
REQUESTS = "valuecanvas_http_requests_total"
FAILED = f'sum({REQUESTS}{{s=~"5.."}}) / sum({REQUESTS})'
OTHERS = 'sum(http_requests_total{s=~"5.."}) / sum(http_requests_total)'
QUANTILE = f"histogram_quantile(0.95, sum by (le) (rate({BUCKET}[5m])))"
BY = {one.item: one for one in alerts()}


def rule(query, name="R", severity="critical", **said):
    reads = series(query)
    row = {"rule": name, "group": "g", "severity": severity, "query": query, "for": 300.0, "health": "ok", "error": ""}
    row |= {"reads": reads, "nobody_exports": [one for one in reads if one in NOBODY], "labels": {}}
    return row | {"edges": {BUCKET: EDGES} if BUCKET in reads else {}, **said}


GOOD = [rule(query, name, severity) for name, query, _, severity in RULES]


def reading(*rows, unknown=None):
    return Reading("x", "X", "lab", now(), 0.1, tuple(rows), unknown=unknown)


def without(name, *more):
    return reading(*(one for one in GOOD if one["rule"] != name), *more)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("pg_up == 0", None),
        ("http_requests_total > 5", "nobody exports http_requests_total"),
        ("http_requests_total > 5 or pg_up == 0", None),
        ("absent(http_requests_total)", None),
        (f"{QUANTILE} > 999", None),
        (f"{QUANTILE} > 1000", "never exceeds its last edge, 1000"),
        (f"{QUANTILE} >= 2000", "never exceeds its last edge, 1000"),
        (f"{QUANTILE} < 5", None),
        (f'1 - rate({BUCKET}{{le="1000.0"}}[5m]) / rate(x_count[5m]) > 0.05', None),
        (f'1 - rate({BUCKET}{{le="2000"}}[5m]) / rate(x_count[5m]) > 0.05', "no bucket of"),
        ('sum(a_total{code=~"5.."}) / sum(a_total) > 1', "a share of requests is at most 1"),
        ('100 * sum(a_total{code=~"5.."}) / sum(a_total) > 1', None),
        ("sum(a_total) / sum(b_total) > 1.5", None),
    ],
)
def test_a_rule_that_can_never_fire_is_known_by_its_reason(query, why):
    found = never(rule(query))
    assert (found == []) is (why is None), found
    assert why is None or why in found[0]


def test_a_rule_that_prometheus_cannot_evaluate_never_fires():
    assert "cannot evaluate it: many-to-many" in never(rule("up == 0", health="err", error="many-to-many"))[0]


@pytest.mark.parametrize(
    ("item", "query", "limit"),
    [
        ("MON-ALC-01", "avg_over_time(up[30d]) < 0.99", 99),
        ("MON-ALC-01", "100 * avg_over_time(up[30d]) < 99", 99),
        ("MON-ALC-02", 'sum(a_total{code=~"5.."}) / sum(a_total) > 0.05', 5),
        ("MON-ALC-02", "sum(ok_total) / sum(a_total) < 0.99", 1),
        ("MON-ALW-01", f"{QUANTILE} > 800", 800),
        ("MON-ALW-01", "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m])) > 1", 1000),
        ("MON-ALW-01", f'1 - rate({BUCKET}{{le="500"}}[5m]) / rate(x_count[5m]) > 0.05', 500),
        ("MON-ALW-01", f'rate({BUCKET}{{le="1000"}}[5m]) / rate(x_count[5m]) < 0.95', 1000),
        ("MON-ALW-01", f'1 - rate({BUCKET}{{le="500"}}[5m]) / rate(x_count[5m]) > 0.2', None),
        ("MON-ALW-02", "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1", 90),
        ("MON-ALW-02", "kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes > 0.9", 90),
        ("MON-ALW-03", "llm_cost_total > on() llm_cost_baseline", None),
        ("MON-ALC-03", "pg_up == 0", None),
    ],
)
def test_a_rules_limit_is_read_in_the_guides_unit(item, query, limit):
    found = limit_of(rule(query), BY[item])
    assert found == (None if limit is None else pytest.approx(limit))


def test_rules_for_all_eight_alerts_are_ok():
    result = judge(checks.guide_alerts, reading(*GOOD))
    assert result.verdict is Verdict.OK, result.summary
    assert [(row["rule"], row["state"]) for row in result.rows] == [(name, "can fire") for name, *_ in RULES]


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        (without("ErrorRate"), Verdict.CRITICAL, "Error rate > 1 %: there is no rule"),
        (without("DiskFills"), Verdict.WARNING, "Disk usage > 80 %: there is no rule"),
        (
            without("ErrorRate", rule(f"{OTHERS} > 0.05", "Product")),
            Verdict.CRITICAL,
            "Product can never fire: nobody exports http_requests_total",
        ),
        (
            without("ErrorRate", rule(f"{FAILED} > 0.05", "Five")),
            Verdict.WARNING,
            "Five fires at 5 %, the guide at 1",
        ),
        (
            without("ErrorRate", rule(f"{FAILED} > 0.01", "Weak", "warning")),
            Verdict.WARNING,
            "Weak is labelled warning, so it pages nobody",
        ),
        (without("UptimeBelow99", rule("up == 0", "Down")), Verdict.WARNING, "Down fires at 0 %, the guide at 99"),
        (without("ResponsesSlow", rule(f"{QUANTILE} > 1000", "P95")), Verdict.WARNING, "P95 can never fire"),
        (without("ResponsesSlow", rule(f"rate({BUCKET}[5m]) > rate(x[5m])", "Odd")), Verdict.WARNING, "cannot be read"),
    ],
)
def test_a_missing_mute_or_other_alert_is_found(given, verdict, said):
    result = judge(checks.guide_alerts, given)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert "diagnostics/application" in result.remedy


def test_a_rule_that_can_fire_counts_before_one_that_cannot_and_the_nearest_limit_before_others():
    more = [
        rule("http_requests_total > 1", "Mute"),
        rule('sum(valuecanvas_http_requests_total{c=~"5.."}) / 2 > 0.2', "Far"),
    ]
    assert judge(checks.guide_alerts, reading(*more, *GOOD)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ([], Verdict.OK),
        ([rule("database_connections_active > 90", "Pool", "warning")], Verdict.WARNING),
        ([rule("database_connections_active > 90", "Pool", "critical")], Verdict.CRITICAL),
    ],
)
def test_every_rule_that_cannot_fire_is_found_worse_where_it_pages(more, verdict):
    result = judge(checks.silent_rules, reading(*GOOD, *more))
    assert (result.verdict, "nobody exports" in result.summary) == (verdict, bool(more)), result.summary


def test_without_a_rule_nobody_is_told():
    assert judge(checks.silent_rules, reading()).verdict is Verdict.CRITICAL
    assert judge(checks.guide_alerts, reading()).verdict is Verdict.CRITICAL
    assert judge(checks.told, reading()).verdict is Verdict.UNKNOWN


def way(severity, *kinds, sent=("http://a",), silent=None):
    row = {
        "rule": f"R-{severity}",
        "severity": severity,
        "sent_to": list(sent),
        "receivers": ["x"],
        "kinds": list(kinds),
    }
    return row | {"silent_until": silent, "silenced_by": "ann" if silent else ""}


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([way("critical", "pagerduty"), way("warning", "slack")], Verdict.OK, "1 rules page"),
        ([way("critical", "slack")], Verdict.CRITICAL, "pages nobody"),
        ([way("warning", "webhook")], Verdict.WARNING, "neither Slack nor a mailbox"),
        (
            [way("critical", "slack"), way("critical", "slack")],
            Verdict.CRITICAL,
            "R-critical, R-critical (critical) to x",
        ),
        ([way("", "email")], Verdict.OK, "0 rules page"),
        ([way("critical", "pagerduty", sent=())], Verdict.CRITICAL, "sends its alerts to nobody"),
        ([way("critical", "pagerduty", silent="2026-12-01T00:00:00.000Z")], Verdict.WARNING, "silenced by ann until"),
    ],
)
def test_alerts_reach_whom_the_guide_names(rows, verdict, said):
    result = judge(checks.told, reading(*rows))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def target(job, health="up", missed=0.5, why=""):
    row = {"job": job, "instance": f"{job}:1", "health": health, "age": 1.0, "interval": 15.0, "missed": missed}
    return row | {"why": why}


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([target("api"), target("node")], Verdict.OK, "All 2 targets"),
        ([target("redis", "down", None, "EOF")], Verdict.CRITICAL, "redis: 1 of 1 down (redis:1: EOF)"),
        ([target("api"), target("api", "down", None)], Verdict.WARNING, "api: 1 of 2 down"),
        ([target("api", missed=3.0)], Verdict.WARNING, "not scraped lately"),
        ([target("api", missed=30.0)], Verdict.CRITICAL, "not scraped lately"),
        ([target("api", missed=30.0), target("api")], Verdict.WARNING, "1 of 2 not scraped lately"),
        ([target("api", "unknown", None)], Verdict.UNKNOWN, "not scraped yet"),
        ([], Verdict.CRITICAL, "it has no target"),
    ],
)
def test_targets_are_judged_job_by_job(rows, verdict, said):
    result = judge(checks.targets, reading(*rows))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture
def judged(lab):
    handles = ReadTarget(lab.settings.reading(), "test")
    yield lambda check: evaluate(check, handles)
    handles.close()


def test_every_check_has_a_fault_that_it_finds():
    assert {fault.check for fault in FAULTS} == {check.name for check in checks.DECISIVE}


ALL = (checks.stack, checks.targets, checks.guide_alerts, checks.silent_rules, checks.told, checks.dashboards)


def test_the_healthy_lab_is_ok(judged, there):
    assert {check.name: judged(check).verdict for check in ALL} == {check.name: Verdict.OK for check in ALL}


NEEDING = ("targets", "guide-alerts", "silent-rules", "told", "dashboards")
"""Checks that ask Prometheus."""


@pytest.mark.parametrize(
    ("away", "unknown"),
    [
        ("prometheus", {f"observability-{name}" for name in NEEDING}),
        ("alertmanager", {"observability-told"}),
        ("grafana", {"observability-dashboards"}),
        ("jaeger", set()),
    ],
)
def test_what_is_away_is_critical_in_the_stack_unknown_where_it_is_needed_and_nowhere_else(
    judged, there, away, unknown
):
    with there.doors.fault(away, "401"):
        found = {check.name: judged(check) for check in ALL}
    assert found["observability-stack"].verdict is Verdict.CRITICAL
    assert {name for name, one in found.items() if one.verdict is Verdict.UNKNOWN} == unknown
    others = set(found) - unknown - {"observability-stack"}
    assert {found[name].verdict for name in others} <= {Verdict.OK}


def test_a_part_that_is_not_described_is_unknown(lab):
    settings = lab.settings.reading().model_copy(update={"jaeger_url": None})
    result = evaluate(checks.stack, ReadTarget(settings, "test"))
    assert (result.verdict, "Jaeger is not in the target" in result.summary) == (Verdict.UNKNOWN, True)


def test_a_jaeger_to_which_nobody_sends_is_a_warning(judged, there):
    there.put("jaeger", services=["jaeger-query"])
    result = judged(checks.stack)
    assert (result.verdict, "no service sends it traces" in result.summary) == (Verdict.WARNING, True)


VARIABLE = ("V", 'up{job=~"$job"}')


def panels(there, uid, *given):
    known = there.doors.state()["grafana"]["dashboards"]
    made = [{"title": title, "expr": expr} for title, expr in given]
    there.put("grafana", dashboards={**known, uid: {"title": "X", "panels": made}})


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        ([("Good", "max(up)"), ("Gone", "llm_requests_total")], Verdict.WARNING, "empty: Gone"),
        ([("Odd", "sum(")], Verdict.WARNING, "broken: Odd"),
        ([("Good", f"sum(rate({REQUESTS}[$__rate_interval]))"), VARIABLE], Verdict.OK, "panels have data"),
        ([VARIABLE, ("Text", "")], Verdict.UNKNOWN, "none of its panels could be asked"),
        ([], Verdict.WARNING, "has no panel"),
    ],
)
def test_a_dashboard_is_worth_what_its_panels_answer(judged, there, given, verdict, said):
    panels(there, "agent-perf", *given)
    result = judged(checks.dashboards)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_a_dashboard_under_another_uid_is_missing_and_where_it_is_said(judged, there):
    known = there.doors.state()["grafana"]["dashboards"]
    there.put("grafana", dashboards={("zz9" if uid == "llm-metrics" else uid): one for uid, one in known.items()})
    result = judged(checks.dashboards)
    assert result.verdict is Verdict.WARNING
    assert "/d/llm-metrics does not exist; one of its title has the uid zz9" in result.summary


def test_the_products_own_rules_are_audited_as_they_are(judged, there):
    """The rules of the product's two files, by what is known of them: most stand on series that nobody exports."""
    product = [
        (
            "HighErrorRate",
            "sum(valuecanvas_http_request_errors_total) / sum(valuecanvas_http_requests_total) > 0.05",
            "warning",
        ),
        ("SlowResponses", f"{QUANTILE} > 1000", "warning"),
        ("HighLatency", "histogram_quantile(0.9, http_request_duration_seconds_bucket) > 1", "warning"),
        ("PoolExhausted", "database_connections_active / database_connections_max > 0.9", "critical"),
        ("ApiDown", 'up{job="valuecanvas-api"} == 0', "critical"),
        ("VolumeFull", "kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes > 0.9", "critical"),
    ]
    rules = [{"name": name, "query": query, "for": "5m", "severity": severity} for name, query, severity in product]
    there.prometheus(groups=[{"name": "product", "rules": rules}])
    audit, silent = judged(checks.guide_alerts), judged(checks.silent_rules)
    assert (audit.verdict, silent.verdict) == (Verdict.CRITICAL, Verdict.CRITICAL)
    states = {row["item"]: row["state"] for row in audit.rows}
    assert states["MON-ALC-01"] == "ApiDown fires at 0 %, the guide at 99"
    assert states["MON-ALC-04"] == states["MON-ALW-03"] == "there is no rule"
    assert "SlowResponses can never fire" in states["MON-ALW-01"]
    assert "HighLatency can never fire: nobody exports http_request_duration_seconds_bucket" in states["MON-ALW-01"]
    assert "nobody exports database_connections_active" in states["MON-ALC-03"]
    mute = {row["rule"] for row in silent.rows}
    assert states["MON-ALC-02"] == "HighErrorRate is labelled warning, so it pages nobody; fires at 5 %, the guide at 1"
    assert mute == {"SlowResponses", "HighLatency", "PoolExhausted", "VolumeFull"}
    assert json.dumps(audit.rows)
