"""What breaks of who watches: rules that cannot fire, routes to nobody, parts that are away, dashboards renamed."""

from __future__ import annotations

from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.broken.cluster import crash, recover
from opslib.lab.broken.revision import change_spec, released, roll_out, taken_back
from opslib.lab.cluster.planted import WATCHERS
from opslib.lab.doors import Doors, change
from opslib.lab.vendors import alertmanager, grafana, prometheus_rules
from opslib.settings import Settings

RECOVER = "disaster/recover-everything"
NEWER = "grafana/grafana:11.0.0"
ERROR_RULE = "ErrorRate"
PRODUCTS = 'sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m])) > 0.05'
"""The product's own rule: on a series that nobody exports, at five times the guide's limit."""
QUANTILE = "histogram_quantile(0.95, sum by (le) (rate(valuecanvas_http_request_duration_ms_bucket[5m]))) > 1000"
REDIS_ITSELF = {"instance": "redis:6379", "health": "down", "error": "invalid metric type: -ERR unknown command GET"}
RENAMED = {"system-health": "aa1", "llm-metrics": "bb2", "cost-tracking": "cc3", "agent-perf": "dd4"}


def _rules(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Doors(settings).state()["prometheus"]["groups"][0]["rules"]
    return found


def _set_rules(settings: Settings, rules: list[dict[str, Any]]) -> None:
    change(settings, "prometheus", groups=[{"name": "guide", "rules": rules}])


def _error_rule(settings: Settings) -> None:
    rules = _rules(settings)
    _set_rules(settings, [one | ({"query": PRODUCTS} if one["name"] == ERROR_RULE else {}) for one in rules])


def _quantile_rule(settings: Settings) -> None:
    rules = [one for one in _rules(settings) if one["name"] != "ResponsesVerySlow"]
    more = {"name": "ResponsesVerySlow", "query": QUANTILE, "for": "10m", "severity": "critical"}
    _set_rules(settings, [*rules, more])


def _mend_rules(settings: Settings) -> None:
    change(settings, "prometheus", groups=prometheus_rules.first()["groups"])


def _routes(settings: Settings) -> None:
    config = alertmanager.CONFIG.replace("pagerduty_configs:", "webhook_configs:").replace("routing_key", "url")
    change(settings, "alertmanager", config=config)


def _mend_routes(settings: Settings) -> None:
    change(settings, "alertmanager", config=alertmanager.CONFIG)


def _exporter(settings: Settings) -> None:
    exporters = prometheus_rules.first()["exporters"]
    change(settings, "prometheus", exporters={**exporters, "redis": REDIS_ITSELF})


def _mend_exporter(settings: Settings) -> None:
    change(settings, "prometheus", exporters=prometheus_rules.first()["exporters"])


def _dashboards(settings: Settings) -> None:
    known = grafana.dashboards()
    change(settings, "grafana", dashboards={RENAMED[uid]: one for uid, one in known.items()})


def _mend_dashboards(settings: Settings) -> None:
    change(settings, "grafana", dashboards=grafana.dashboards())


def _to_zero(settings: Settings) -> None:
    change_spec(settings, settings.prometheus_deployment, lambda spec: spec.update(replicas=0))


def _from_zero(settings: Settings) -> None:
    name = settings.prometheus_deployment
    roll_out(settings, lambda spec: spec.update(replicas=max(1, spec["replicas"])), name)


def _former(settings: Settings) -> None:
    """Give Grafana the image of before again."""
    recover(settings)
    image = WATCHERS[settings.grafana_deployment][0]

    def change(spec: dict[str, Any]) -> None:
        spec["template"]["spec"]["containers"][0]["image"] = image

    roll_out(settings, change, settings.grafana_deployment)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "error-alert-is-mute",
        "observability",
        "The alert on errors stands on a series that nobody exports, at 5 % where the guide says 1 %",
        "observability-guide-alerts",
        "",
        _error_rule,
        _mend_rules,
        person="alert rules are files of whoever keeps the watching",
    ),
    Fault(
        "alert-above-the-histogram",
        "observability",
        "A paging alert waits for a P95 above 1000 ms in a histogram that ends there",
        "observability-silent-rules",
        "",
        _quantile_rule,
        _mend_rules,
        person="alert rules are files of whoever keeps the watching",
    ),
    Fault(
        "nobody-is-paged",
        "observability",
        "Critical alerts go to a receiver without PagerDuty",
        "observability-told",
        "",
        _routes,
        _mend_routes,
        person="whom an alert wakes, people decide, in Alertmanager's own configuration",
    ),
    Fault(
        "redis-is-no-exporter",
        "observability",
        "The job redis scrapes Redis itself, which speaks no HTTP",
        "observability-targets",
        "",
        _exporter,
        _mend_exporter,
        person="scrape configurations are files of whoever keeps the watching",
    ),
    Fault(
        "label-grows-without-end",
        "observability",
        "A metric's label holds each address that somebody asked for",
        "observability-labels",
        "",
        lambda settings: change(settings, "prometheus", label_values=1500),
        lambda settings: change(settings, "prometheus", label_values=0),
        person="which label is meant its program's team knows, and Prometheus keeps what it has until it is too old",
    ),
    Fault(
        "grafana-has-no-database",
        "observability",
        "Grafana's own database is away",
        "observability-stack",
        "",
        lambda settings: change(settings, "grafana", database="failing"),
        lambda settings: change(settings, "grafana", database="ok"),
        person="Grafana's database is mended where it runs",
    ),
    Fault(
        "dashboards-have-other-uids",
        "observability",
        "The four dashboards exist, under uids that the guide does not know",
        "observability-dashboards",
        "",
        _dashboards,
        _mend_dashboards,
        person="dashboards are files of whoever keeps the watching",
    ),
    Fault(
        "prometheus-at-zero",
        "observability",
        "Somebody scaled Prometheus to 0: nothing is measured, and no alert can fire",
        "observability-stack",
        RECOVER,
        _to_zero,
        _from_zero,
    ),
    Fault(
        "grafana-crashes",
        "observability",
        "Grafana's newest image crashes as it starts: nobody sees a dashboard",
        "observability-stack",
        RECOVER,
        lambda settings: crash(settings, settings.grafana_deployment, NEWER),
        _former,
    ),
    Fault(
        "metrics-route-gone",
        "observability",
        "The API's newest revision has no /metrics: Prometheus is answered with 404, and the API's alerts are blind",
        "observability-targets",
        RECOVER,
        released(metrics="none"),
        taken_back,
    ),
)
"""Found by the checks of diagnostics/observability, each by its own."""
