"""The client of Prometheus against the lab's stand-in: empty answers stay empty, and failures are told apart."""

import time

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.systems.prometheus import ReadOnlyPrometheus
from tests.watchers import watchers


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture
def prometheus(lab):
    handle = ReadOnlyPrometheus(lab.settings)
    yield handle
    handle.close()


def test_a_query_gives_labels_and_numbers_and_nothing_where_there_is_nothing(prometheus, there):
    found = prometheus.ask('up{job="valuecanvas-api",instance=~"api-server.*"}')
    assert [(one.labels["instance"], one.number) for one in found] == [
        ("api-server-0:8000", 1.0),
        ("api-server-1:8000", 1.0),
    ]
    assert prometheus.ask('up{job="nobody"}') == []
    there.prometheus(per_minute=0.0)
    buckets = 'valuecanvas_http_request_duration_ms_bucket{instance=~"api.*"}[5m]'
    (nothing,) = prometheus.ask(f"histogram_quantile(0.95, sum by (le) (increase({buckets})))")
    assert nothing.number != nothing.number


def test_a_range_has_a_gap_where_nobody_measured(prometheus, there):
    there.episode("lost", 3, 2)
    now = time.time() // 600 * 600
    (line,) = prometheus.over('max(avg_over_time(up{instance=~"api.*"}[10m]))', now - 4 * 3600, now, 600)
    known = {round((now - at) / 3600, 1) for at, _ in line.values}
    assert {0.0, 1.0, 3.5} <= known
    assert 2.5 not in known


def test_targets_rules_and_names_are_read(prometheus, there):
    targets = {one.labels["instance"]: one for one in prometheus.targets()}
    assert targets["api-server-0:8000"].health == "up"
    assert (targets["node-exporter:9100"].pool, targets["node-exporter:9100"].interval) == ("node", "15s")
    rules = prometheus.rules()
    assert ("guide", "ErrorRate", 300.0, "critical") in [
        (group, rule.name, rule.duration, rule.labels["severity"]) for group, rule in rules
    ]
    assert {"up", "pg_up", "valuecanvas_http_requests_total"} <= prometheus.names()
    # Declared by the application, which has no payments: no sample, and yet somebody exports it.
    assert "billing_invoices_processed_total" in prometheus.names()
    assert prometheus.alerts() == []
    assert prometheus.alertmanagers() == ["http://alertmanager:9093/api/v2/alerts"]
    assert "Ready" in prometheus.ready()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("404", "missing"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_each_failure_is_told_from_the_others(prometheus, there, fault, kind):
    with there.doors.fault("prometheus", fault), pytest.raises(Unreachable) as told:
        prometheus.ask("up")
    assert told.value.kind == kind


def test_a_query_that_it_refuses_says_why_and_is_asked_once(prometheus, there):
    with pytest.raises(Unreachable, match="parse error") as told:
        prometheus.ask("up{")
    assert (told.value.kind, len(there.doors.calls("prometheus"))) == ("rejected", 1)


def test_without_an_address_nothing_is_asked(lab, there):
    with pytest.raises(SettingsError, match="OPS_PROMETHEUS_URL"):
        ReadOnlyPrometheus(lab.settings.model_copy(update={"prometheus_url": None}))
    assert there.doors.calls("prometheus") == []
