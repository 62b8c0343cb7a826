"""What is said of the API's readiness, by what it answers: absent, not allowed and unhealthy are three things."""

import json
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.checks import application as checks
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget


@contextmanager
def api(status, body):
    """Serve one answer at every address; yields the base address and the paths that were asked."""
    asked = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("authorization")))
            data = body.encode()
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


def looked(lab, address):
    settings = lab.settings.reading().model_copy(update={"application_url": address})
    with closing(ReadTarget(settings, "test")) as target:
        return evaluate(checks.ready, target)


def body(word, **parts):
    return json.dumps({"status": word, "dependencies": {name: {"status": state} for name, state in parts.items()}})


@pytest.mark.parametrize(
    ("status", "text", "verdict", "said"),
    [
        (200, body("ready", database="healthy", togetherAI="healthy"), Verdict.OK, "ready"),
        (200, body("ready", database="healthy", togetherAI="degraded"), Verdict.WARNING, "slow: togetherAI"),
        (200, '{"status": "ready"}', Verdict.OK, "ready"),
        (503, body("not_ready", database="healthy", togetherAI="unhealthy"), Verdict.WARNING, "fallback"),
        (503, body("not_ready", database="unhealthy", togetherAI="healthy"), Verdict.CRITICAL, "database"),
        (503, body("not_ready", database="unhealthy", togetherAI="unhealthy"), Verdict.CRITICAL, "database"),
        (503, '{"status": "not ready", "error": "x"}', Verdict.CRITICAL, "not ready"),
        (200, body("not_ready"), Verdict.CRITICAL, "not_ready"),
        (200, "<html>the front end answers every path</html>", Verdict.UNKNOWN, "front end"),
        (200, '{"status": 1, "dependencies": []}', Verdict.UNKNOWN, "front end"),
        (200, "[]", Verdict.UNKNOWN, "front end"),
        (404, "Cannot GET /health/ready", Verdict.UNKNOWN, "not there"),
        (401, "{}", Verdict.UNKNOWN, "not logged in"),
        (403, "{}", Verdict.UNKNOWN, "not logged in"),
        (426, "{}", Verdict.UNKNOWN, "not logged in"),
        (429, "{}", Verdict.UNKNOWN, "too many"),
        (302, "", Verdict.UNKNOWN, "not the API's"),
        (500, "oops", Verdict.CRITICAL, "what stands before it"),
        (503, "<html>no server available</html>", Verdict.CRITICAL, "what stands before it"),
    ],
)
def test_each_answer_is_told_from_the_others(lab, status, text, verdict, said):
    with api(status, text) as (address, asked):
        result = looked(lab, address + "/")
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert asked == [("/health/ready", None)]


def test_without_an_address_or_an_answer_nobody_knows(lab):
    assert "VITE_API_BASE_URL" in looked(lab, None).summary
    assert looked(lab, "http://127.0.0.1:1").verdict is Verdict.UNKNOWN


def test_the_labs_application_is_ready(lab):
    assert evaluate(checks.ready, lab.target).verdict is Verdict.OK
