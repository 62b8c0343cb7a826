"""The alert rules of the lab's Prometheus: the guide's eight alerts, each on a series that somebody exports.

They are not evaluated: which of them fire is said in the state. What exporters have beside the API is a list of names.
"""

from __future__ import annotations

from typing import Any

from opslib.lab.vendors.prometheus_parse import seconds

REQUESTS, BUCKETS = "valuecanvas_http_requests_total", "valuecanvas_http_request_duration_ms"
FAILED = f'sum(rate({REQUESTS}{{status_code=~"5.."}}[5m]))'

RULES: tuple[tuple[str, str, str, str], ...] = (
    ("UptimeBelow99", 'max(avg_over_time(up{job="valuecanvas-api"}[30d])) < 0.99', "5m", "critical"),
    ("ErrorRate", f"{FAILED} / sum(rate({REQUESTS}[5m])) > 0.01", "5m", "critical"),
    ("DatabaseUnreachable", "pg_up == 0", "1m", "critical"),
    (
        "PaymentsFail",
        'sum(increase(billing_stripe_webhooks_total{status="failed"}[15m])) > 0',
        "0s",
        "critical",
    ),
    (
        "ResponsesSlow",
        f'1 - sum(rate({BUCKETS}_bucket{{le="1000.0"}}[10m])) / sum(rate({BUCKETS}_count[10m])) > 0.05',
        "10m",
        "warning",
    ),
    ("DiskFills", "1 - node_filesystem_avail_bytes / node_filesystem_size_bytes > 0.8", "15m", "warning"),
    ("LlmCostAboveBaseline", "llm_cost_usd_hour / llm_cost_usd_hour_baseline > 1.5", "15m", "warning"),
    ("JobsFail", "sum(increase(billing_jobs_failures_total[15m])) > 0", "0s", "warning"),
)
"""Name, query, how long it must hold, severity."""

EXPORTED = (
    "billing_jobs_failures_total",
    "billing_stripe_webhooks_total",
    "llm_cost_usd_hour",
    "llm_cost_usd_hour_baseline",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "pg_up",
)


def first() -> dict[str, Any]:
    """Return rules, exporters that are well, and one Alertmanager that is told."""
    return {
        "groups": [
            {
                "name": "guide",
                "rules": [dict(zip(("name", "query", "for", "severity"), rule, strict=True)) for rule in RULES],
            }
        ],
        "exported": list(EXPORTED),
        "exporters": {
            "node": {"instance": "node-exporter:9100", "health": "up"},
            "postgresql": {"instance": "postgres-exporter:9187", "health": "up"},
            "redis": {"instance": "redis-exporter:9121", "health": "up"},
        },
        "firing": {},
        "told": ["http://alertmanager:9093/api/v2/alerts"],
    }


def groups(state: dict[str, Any], evaluated: str) -> list[dict[str, Any]]:
    """Return the groups as the API shows them; ``evaluated`` is the time of the last evaluation."""
    return [
        {
            "name": group["name"],
            "file": "/etc/prometheus/rules.yml",
            "interval": 30,
            "limit": 0,
            "evaluationTime": 0.002,
            "lastEvaluation": evaluated,
            "rules": [_rule(rule, state["firing"].get(rule["name"]), evaluated) for rule in group["rules"]],
        }
        for group in state["groups"]
    ]


def _rule(rule: dict[str, Any], firing: dict[str, Any] | None, evaluated: str) -> dict[str, Any]:
    labels = {"severity": rule["severity"], **rule.get("labels", {})}
    alerts = []
    if firing is not None:
        alerts = [
            {
                "labels": {"alertname": rule["name"], **labels},
                "annotations": {"summary": firing.get("summary", "")},
                "state": firing.get("state", "firing"),
                "activeAt": evaluated,
                "value": firing.get("value", "1e+00"),
            }
        ]
    return {
        "state": alerts[0]["state"] if alerts else "inactive",
        "name": rule["name"],
        "query": rule["query"],
        "duration": seconds(rule["for"]),
        "keepFiringFor": 0,
        "labels": labels,
        "annotations": {},
        "alerts": alerts,
        "health": rule.get("health", "ok"),
        "lastError": rule.get("error", ""),
        "evaluationTime": 0.0004,
        "lastEvaluation": evaluated,
        "type": "alerting",
    }
