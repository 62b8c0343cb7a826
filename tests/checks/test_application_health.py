"""The API's health in each documented shape, at a server that has it; and what the cluster asks its pods."""

import json
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.checks import application as checks
from opslib.lab.broken.application import FAULTS
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import ReadTarget

PAGE = "<!DOCTYPE html><title>ValueCanvas</title>"
GONE = (404, "<pre>Cannot GET</pre>")


@contextmanager
def api(routes, otherwise=GONE):
    """Serve answers by path; yields the base address and the paths that were asked."""
    asked = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, said = routes.get(self.path, otherwise)
            data = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{served.server_port}", asked
    finally:
        served.shutdown()
        served.server_close()


def looked(lab, routes, otherwise=GONE):
    with api(routes, otherwise) as (address, asked):
        settings = lab.settings.reading().model_copy(update={"application_url": address})
        with closing(ReadTarget(settings, "test")) as target:
            return evaluate(checks.health, target), asked


def parts(**said):
    return {name: {"status": state} for name, state in said.items()}


WELL = parts(database="healthy", supabase="healthy", togetherAI="healthy", openAI="healthy", redis="healthy")
LIVE = {"/health/live": (200, {"status": "alive", "timestamp": "t"})}


READY = (200, {"status": "ready", "dependencies": parts(database="healthy", togetherAI="healthy")})


def router(health, ready=READY):
    return {"/health": health, "/health/ready": ready, **LIVE}


def whole(status, code=200, **said):
    return code, {"status": status, "timestamp": "t", "dependencies": {**WELL, **parts(**said)}}


UNREADY = (503, {"status": "not_ready", "dependencies": parts(database="healthy", togetherAI="unhealthy")})
DESCRIBED = [
    {"name": "database", "status": "healthy", "latency": 4},
    {"name": "redis", "status": "healthy", "latency": 1},
]


@pytest.mark.parametrize(
    ("routes", "verdict", "said"),
    [
        (router(whole("healthy")), Verdict.OK, "Form: the health router"),
        (router(whole("degraded", togetherAI="degraded")), Verdict.WARNING, "slow: togetherAI"),
        (router(whole("healthy", redis="unhealthy")), Verdict.WARNING, "content while these are ill: redis"),
        (router(whole("healthy", openAI="not_configured")), Verdict.WARNING, "not configured: openAI"),
        (router(whole("unhealthy", 503, togetherAI="unhealthy"), UNREADY), Verdict.WARNING, "Together.ai's sake alone"),
        (router(whole("unhealthy", 503, database="unhealthy")), Verdict.CRITICAL, "database"),
        (
            {"/health": (200, {"status": "ok", "checks": DESCRIBED}), "/health/live": (200, {"status": "ok"})},
            Verdict.OK,
            "the interface description",
        ),
        ({"/health": (200, {"status": "ok", "service": "billing-api"})}, Verdict.WARNING, "looks at nothing"),
        (
            {
                "/healthz": (200, {"status": "ok", "environment": "production"}),
                "/ready": (200, {"status": "ready", "database": "connected", "redis": "connected"}),
            },
            Verdict.OK,
            "the predecessor",
        ),
        (
            {
                "/healthz": (200, {"status": "ok", "environment": "production"}),
                "/ready": (503, {"status": "not ready", "error": "connection refused"}),
            },
            Verdict.CRITICAL,
            "/ready says 'not ready' (503)",
        ),
        ({}, Verdict.UNKNOWN, "/health (404) is not there, which says nothing"),
    ],
)
def test_each_documented_shape_is_understood_and_named(lab, routes, verdict, said):
    result, asked = looked(lab, routes)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert len(asked) == len(set(asked)) <= 5
    assert all(isinstance(row["parts"], str) for row in result.rows)


@pytest.mark.parametrize(
    ("otherwise", "verdict", "said"),
    [
        ((401, {"error": "Unauthorized"}), Verdict.UNKNOWN, "not logged in"),
        ((426, {"error": "unsupported_version"}), Verdict.UNKNOWN, "not logged in"),
        ((429, {"error": "Too Many Requests"}), Verdict.UNKNOWN, "too many requests"),
        ((200, PAGE), Verdict.UNKNOWN, "a front end answers every path"),
        ((200, {"status": 1}), Verdict.UNKNOWN, "no word of the API's"),
        ((502, PAGE), Verdict.CRITICAL, "fails before the API itself answers"),
    ],
)
def test_absent_not_allowed_limited_and_unhealthy_are_four_things_and_a_page_is_no_answer(
    lab, otherwise, verdict, said
):
    result, _ = looked(lab, {}, otherwise)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_every_check_of_the_area_has_a_fault_that_it_finds():
    assert {fault.check for fault in FAULTS} == {check.name for check in checks.DECISIVE}


def test_without_an_address_or_an_answer_nobody_knows(lab):
    for address in (None, "http://127.0.0.1:1"):
        settings = lab.settings.reading().model_copy(update={"application_url": address})
        with closing(ReadTarget(settings, "test")) as target:
            assert evaluate(checks.health, target).verdict is Verdict.UNKNOWN


def coupling(what, asks, depends=(), after=30.0):
    row = {
        "container": "api",
        "what": what,
        "asks": asks,
        "depends_on": list(depends),
        "seen": "",
        "fails_after": after,
    }
    return Reading("application-coupling", "Coupling", "lab", now(), 0.1, (row,))


@pytest.mark.parametrize(
    ("reading", "verdict", "said"),
    [
        (coupling("liveness", "GET /health/live"), Verdict.OK, "No outage of anybody else"),
        (coupling("liveness", "a command or a port"), Verdict.OK, "No outage"),
        (coupling("liveness", "nothing", after=None), Verdict.WARNING, "nothing restarts api"),
        (coupling("liveness", "GET /health", ["database"]), Verdict.CRITICAL, "30 s without them restart every pod"),
        (coupling("readiness", "GET /health/ready", ["togetherAI"]), Verdict.WARNING, "leaves service at once"),
        (coupling("readiness", "nothing", after=None), Verdict.WARNING, "before it is ready"),
    ],
)
def test_what_depends_on_others_is_found_worse_where_it_restarts(reading, verdict, said):
    result = judge(checks.coupling, reading)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_the_labs_liveness_depends_on_nobody_by_the_apis_own_answer(lab):
    result = evaluate(checks.coupling, lab.target)
    assert result.verdict is Verdict.OK, result.summary
    (live,) = [row for row in result.reading.rows if row["what"] == "liveness"]
    assert (live["asks"], live["seen"]) == ("GET /health/live", "the API's own answer (200)")


def test_where_the_api_cannot_be_asked_the_products_sources_tell(lab):
    settings = lab.settings.reading().model_copy(update={"application_url": None})
    with closing(ReadTarget(settings, "test")) as target:
        result = evaluate(checks.coupling, target)
    assert result.verdict is Verdict.OK
    assert "not asked" in result.reading.rows[0]["seen"]
