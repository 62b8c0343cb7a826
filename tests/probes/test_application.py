"""The application's own counters and its word on its readiness, as texts and at the lab's stand-in."""

import pytest

from opslib.errors import Unreachable
from opslib.probes import application as probes
from opslib.probes.application_traffic import between, counted
from opslib.runs.reading import take
from opslib.systems.target import ReadTarget

TEXT = """\
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1764000000.5
# TYPE valuecanvas_http_requests_total counter
valuecanvas_http_requests_total{method="GET",route="/api/a",status_code="200",tenant_id="x"} 90
valuecanvas_http_requests_total{method="GET",route="/api/a",status_code="503",tenant_id="x"} 7
valuecanvas_http_requests_total{method="GET",route="/health/ready",status_code="503",tenant_id=""} 1000
# TYPE valuecanvas_http_request_duration_ms histogram
valuecanvas_http_request_duration_ms_bucket{route="/api/a",le="100"} 80
valuecanvas_http_request_duration_ms_bucket{route="/api/a",le="500"} 92
valuecanvas_http_request_duration_ms_bucket{route="/api/a",le="1000"} 95
valuecanvas_http_request_duration_ms_bucket{route="/api/a",le="+Inf"} 97
valuecanvas_http_request_duration_ms_count{route="/api/a"} 97
valuecanvas_http_request_duration_ms_count{route="/health/ready"} 1000
"""


def row(process, requests, failures=0, slow=0, slower=0):
    return {
        "process": process,
        "requests": requests,
        "failures": failures,
        "over_500_ms": slow,
        "over_1000_ms": slower,
    }


def test_requests_failures_and_slow_ones_are_counted_without_what_only_monitoring_asks():
    assert counted(TEXT, "valuecanvas_") == row(1764000000.5, 97, 7, 5, 2)


def test_a_histogram_without_the_edge_tells_nothing_of_that_time():
    text = "\n".join(line for line in TEXT.splitlines() if 'le="1000"' not in line)
    assert counted(text, "valuecanvas_")["over_1000_ms"] is None


@pytest.mark.parametrize(
    "text", ["", "<html>no</html>", "valuecanvas_http_requests_total{", TEXT.replace("value", "x")]
)
def test_a_page_without_these_counters_is_unknown(text):
    with pytest.raises(Unreachable):
        counted(text, "valuecanvas_")


def test_an_application_that_nobody_asked_yet_has_a_counter_of_nothing():
    text = "# TYPE valuecanvas_http_requests_total counter\n"
    assert counted(text, "valuecanvas_")["requests"] == 0


def test_a_window_needs_two_looks():
    assert between([]) is None
    assert between([row(1, 5)]) is None
    window = between([row(1, 5), row(1, 9, 1, 2, 1)])
    assert window is not None
    assert (window.requests, window.failures, window.slow, window.processes) == (4, 1, (2, 1), 1)


def test_figures_of_different_processes_are_never_subtracted():
    looks = [row("a", 1000, 10), row("b", 5, 0), row("a", 1010, 12), row("b", 9, 1)]
    window = between(looks)
    assert window is not None
    assert (window.requests, window.failures, window.processes) == (14, 3, 2)


def test_a_counter_that_begins_anew_counts_what_it_holds():
    window = between([row(None, 100, 5), row(None, 3, 1), row(None, 10, 1)])
    assert window is not None
    assert (window.requests, window.failures) == (10, 1)


def test_a_figure_that_is_missing_once_is_missing_in_the_window():
    window = between([row(1, 5), row(1, 9, 0, None, 1)])
    assert window is not None
    assert window.slow == (None, 1)


def test_the_labs_application_tells_both(lab):
    target = ReadTarget(lab.settings.reading(), "test")
    serving = take(probes.serving, target)
    assert serving.unknown is None
    assert serving.row["state"] == "ready"
    assert serving.row["process"] > 1e9
    nowhere = lab.settings.reading().model_copy(update={"application_url": None})
    assert "VITE_API_BASE_URL" in (take(probes.serving, ReadTarget(nowhere, "test")).unknown or "")
    target.close()
