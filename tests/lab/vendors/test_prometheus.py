"""The lab's Prometheus: documented shapes, a planted month that can be otherwise, and the application scraped."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.lab.vendors.prometheus_parse import parse
from opslib.lab.vendors.prometheus_series import Series, first
from opslib.systems.prometheus import ReadOnlyPrometheus
from tests import specs
from tests.watchers import watchers

JOB = "valuecanvas-api"
TEXT = """\
# TYPE valuecanvas_http_requests_total counter
valuecanvas_http_requests_total{method="GET",route="/api/a",status_code="200"} %d
# TYPE billing_jobs_failures_total counter
"""


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture
def prometheus(lab):
    handle = ReadOnlyPrometheus(lab.settings)
    yield handle
    handle.close()


def increase(state, what, hours):
    now = time.time()
    found = Series({**first(), **state}, None).select(parse(what), now - 3600 * hours, now, JOB)
    return sum(samples[-1][1] - samples[0][1] for _, samples in found)


def test_the_planted_month_is_steady_and_an_episode_changes_it():
    all_of_them = 'valuecanvas_http_requests_total{status_code=~".+"}'
    failed = 'valuecanvas_http_requests_total{status_code="503"}'
    assert increase({}, all_of_them, 1) == pytest.approx(36_000, rel=0.05)
    assert increase({}, failed, 24) == pytest.approx(69, abs=6)
    failing = {"episodes": [{"kind": "failing", "share": 0.05, "from": 1, "to": 0}]}
    assert increase(failing, failed, 1) == pytest.approx(1800, rel=0.05)
    assert increase({"episodes": [{"kind": "quiet", "from": 2, "to": 0}]}, all_of_them, 1) == 0


def test_while_a_pod_is_down_only_its_absence_is_seen_and_while_nobody_looks_nothing():
    now = time.time()
    for kind, expected in (("down", {0.0}), ("lost", set())):
        series = Series({**first(), "episodes": [{"kind": kind, "from": 2, "to": 0}]}, None)
        ups = series.select(parse("up"), now - 3600, now - 60, JOB)
        assert {value for _, samples in ups for _, value in samples} == expected
        assert series.select(parse("valuecanvas_http_requests_total"), now - 3600, now - 60, JOB) == []


def test_the_application_is_scraped_where_the_lab_says_that_it_is(tmp_path):
    count = [10]

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            data = (TEXT % count[0]).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    lab = tmp_path / "lab.json"
    lab.write_text(json.dumps({"services": {"application": {"port": served.server_port}}}))
    series = Series({**first(), "per_minute": 0.0}, lab)
    series.look(JOB)
    instance = f"127.0.0.1:{served.server_port}"
    assert (series.scrape.instance, series.scrape.error) == (instance, "")
    now = time.time()
    mine = parse(f'valuecanvas_http_requests_total{{instance="{instance}"}}')
    ((labels, samples),) = series.select(mine, now - 60, now, JOB)
    assert (labels["job"], samples[-1][1]) == (JOB, 10.0)
    assert "billing_jobs_failures_total" in series.declared
    served.shutdown()
    served.server_close()
    series.scrape = type(series.scrape)(instance, 0.0, "")
    series.look(JOB)
    assert "refused" in series.scrape.error
    ((_, ups),) = [
        one for one in series.select(parse("up"), now - 60, time.time(), JOB) if one[0]["instance"] == instance
    ]
    assert [value for _, value in ups] == [1.0, 0.0]


def test_what_is_sent_and_answered_is_as_prometheus_describes_it(prometheus, there):
    described = specs.load("prometheus-3.1.yaml", "/prometheus/api/v1")
    there.prometheus(firing={"ErrorRate": {"summary": "5 %", "value": "5e-02"}})
    now = time.time()
    prometheus.ask("up")
    prometheus.over("max(up)", now - 600, now, 60)
    prometheus.targets()
    prometheus.rules()
    prometheus.alerts()
    prometheus.alertmanagers()
    prometheus.names()
    with pytest.raises(Exception, match="parse error"):
        prometheus.ask("up or vector(0)")
    calls = there.doors.calls("prometheus")
    assert [fault for call in calls for fault in described.faults(call)] == []
    assert {call["method"] for call in calls} == {"GET"}


def test_whoever_has_no_token_is_told_nothing(lab, there):
    with_none = lab.settings.model_copy(update={"read_prometheus_token": None})
    with pytest.raises(Exception, match="token is not known"):
        ReadOnlyPrometheus(with_none).targets()
