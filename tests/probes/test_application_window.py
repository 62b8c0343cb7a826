"""What the API answered, by Prometheus or by two scrapes: of one process only, and never of metrics that are old."""

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.errors import UsageError
from opslib.probes import application as probes
from opslib.probes.application_fresh import interval
from opslib.probes.application_traffic import OURS
from opslib.probes.series_questions import series_question
from opslib.runs.reading import take
from opslib.systems.target import ReadTarget
from tests.watchers import watchers

QUESTIONS = ("newest", "uptime", "requests", "new-failures", "durations")
METRICS = """\
# TYPE process_start_time_seconds gauge
process_start_time_seconds {process}
# TYPE valuecanvas_http_requests_total counter
valuecanvas_http_requests_total{{route="/api/a",status_code="200"}} {requests}
valuecanvas_http_requests_total{{route="/api/a",status_code="500"}} {failures}
# TYPE valuecanvas_http_request_duration_ms histogram
valuecanvas_http_request_duration_ms_bucket{{route="/api/a",le="500"}} {fast}
valuecanvas_http_request_duration_ms_bucket{{route="/api/a",le="+Inf"}} {requests}
"""


@contextmanager
def api(*looks):
    """Serve one of ``looks`` after the other, the last for good."""
    left = list(looks)

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            process, requests, failures, fast = left.pop(0) if len(left) > 1 else left[0]
            data = METRICS.format(process=process, requests=requests, failures=failures, fast=fast).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        served.server_close()


def scraped(lab, *looks):
    with api(*looks) as address:
        settings = lab.settings.reading().model_copy(update={"application_url": address, "prometheus_url": None})
        with closing(ReadTarget(settings, "test")) as target:
            return take(probes.window(seconds=0.01), target)


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture
def target(lab):
    with closing(ReadTarget(lab.settings.reading(), "test")) as made:
        yield made


def test_without_a_prometheus_two_scrapes_of_one_process_tell(lab):
    row = scraped(lab, (1.5, 100, 3, 90), (1.5, 150, 5, 138)).row
    assert (row["requests"], row["failures"], row["edges"]) == (52, 2, {"500": 48, "+Inf": 50})
    assert row["source"] == "two scrapes, 0.01 s apart"


def test_looks_at_different_processes_are_not_subtracted(lab):
    row = scraped(lab, (1.5, 100, 0, 90), (2.5, 7000, 900, 1), (1.5, 110, 0, 99)).row
    assert (row["requests"], row["failures"]) == (10, 0)
    unknown = scraped(lab, *((float(n), 100, 0, 90) for n in range(9))).unknown
    assert "4 processes" in (unknown or "")


def test_prometheus_tells_of_a_window_by_status_and_by_edge(target, there):
    there.episode("failing", 2, 0, 0.02)
    row = take(probes.window(hours=1), target).row
    assert row["requests"] == pytest.approx(36_000, rel=0.02)
    assert row["failures"] == pytest.approx(720, rel=0.05)
    assert set(row["statuses"]) >= {"200", "503"}
    assert list(row["edges"])[-2:] == ["1000", "+Inf"]


def test_failures_of_a_series_that_began_within_the_window_are_told_apart(target, there):
    others = take(probes.window(hours=1), target).row["uncounted"]  # of whoever broke this lab's API before
    there.prometheus(newborn=[{"tenant": f"t{n}", "hours": 0.5, "count": 3} for n in range(40)])
    row = take(probes.window(hours=1), target).row
    assert (row["uncounted"], row["failures"] < 10) == (others + 120.0, True)
    there.prometheus(newborn=[{"tenant": "t1", "hours": 5, "count": 3}])
    assert take(probes.window(hours=1), target).row["uncounted"] == others


def test_no_traffic_is_zero_and_no_series_is_none(lab, target, there):
    there.episode("quiet", 3, 0)
    quiet = take(probes.window(hours=1), target).row
    assert quiet["requests"] < 100
    assert quiet["failures"] == 0
    settings = lab.settings.reading().model_copy(update={"metrics_prefix": "other_"})
    with closing(ReadTarget(settings, "test")) as other:
        row = take(probes.window(hours=1), other).row
    assert (row["requests"], row["failures"], row["edges"]) == (None, None, {})


def test_what_is_old_is_not_read_at_all(target, there):
    there.prometheus(stopped_hours=1.0)
    for probe in (probes.window(), probes.uptime(1), probes.burn(99.9, month=False)):
        assert "too old to judge" in (take(probe, target).unknown or "")
    ages = [row["age"] for row in take(probes.fresh, target).rows]
    assert ages
    assert set(ages) == {None}


def test_a_job_that_nobody_scrapes_is_unknown(lab, there):
    settings = lab.settings.reading().model_copy(update={"prometheus_job": "nobody"})
    with closing(ReadTarget(settings, "test")) as target:
        assert "no target of the job nobody" in (take(probes.window(), target).unknown or "")
        assert take(probes.fresh, target).rows == ()


def test_down_and_unmeasured_time_are_told_apart_day_by_day(target, there):
    there.episode("down", 50, 48)
    there.episode("lost", 46, 45)
    rows = take(probes.uptime(4), target).rows
    assert sum(row["down"] for row in rows) == pytest.approx(120, abs=10)
    assert sum(row["unknown"] for row in rows) == pytest.approx(60, abs=10)
    assert sum(row["up"] + row["down"] + row["unknown"] for row in rows) == pytest.approx(4 * 1440, abs=10)


def test_the_pace_of_each_window_is_told_and_none_where_nobody_asked(target, there):
    there.episode("failing", 3, 0, 0.01)
    there.episode("quiet", 0.3, 0)
    by = {row["window"]: row for row in take(probes.burn(99.9), target).rows}
    assert by["5m"]["pace"] is None or by["5m"]["requests"] > 0
    assert by["2h"]["pace"] == pytest.approx(10, rel=0.2)
    assert by["30d"]["pace"] == pytest.approx(0.12, abs=0.03)


def test_the_apis_own_times_are_told_by_route(lab, target):
    assert take(probes.health, target).unknown is None
    rows = take(probes.latency, target).rows
    assert "/health" in [row["route"] for row in rows]
    assert all(row["requests"] >= 1 for row in rows)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_query_is_filled_from_the_description_alone(lab, name):
    text = series_question(name).filled(lab.settings, "6h")
    assert "$" not in text
    assert 'job="valuecanvas-api"' in text
    for window in ("", "5m]) or vector(0", "0m", "5", "1y", "5m5m"):
        with pytest.raises(UsageError):
            series_question(name).filled(lab.settings, window)


def test_queries_leave_out_what_only_monitoring_asks():
    for name in ("requests", "new-failures", "durations"):
        text = series_question(name).text
        (left_out,) = [part.split('"')[1] for part in text.split(",") if part.startswith("route!~")]
        beginnings = {one.removesuffix(".*") for one in left_out.split("|")}
        assert all(any(path.startswith(begin) for begin in beginnings) for path in OURS)


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("1m", 60), ("1m30s", 90), ("500ms", 0.5), ("", 60)])
def test_an_interval_is_read_as_prometheus_writes_it(text, seconds):
    assert interval(text) == seconds
