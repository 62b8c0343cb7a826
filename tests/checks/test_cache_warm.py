"""What is said of the guide's warm-up route, by what an application answers to a GET."""

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.checks import cache as checks
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget


@contextmanager
def application(status, **headers):
    """Serve ``status`` at every address and yield the base address and the requests that came."""
    asked = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path, self.headers.get("authorization")))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_PUT = do_HEAD = do_GET

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
        return evaluate(checks.warm_up_route, target)


@pytest.mark.parametrize(
    ("status", "verdict", "said"),
    [
        (404, Verdict.WARNING, "no such route"),
        (405, Verdict.OK, "the route is there (allowed: POST)"),
        (401, Verdict.UNKNOWN, "not told whether the route is there"),
        (403, Verdict.UNKNOWN, "not told whether the route is there"),
        (429, Verdict.UNKNOWN, "look again later"),
        (200, Verdict.UNKNOWN, "does not say"),
        (302, Verdict.UNKNOWN, "does not say"),
        (503, Verdict.UNKNOWN, "does not say"),
    ],
)
def test_only_what_tells_of_the_route_is_taken_for_a_sign_of_it(lab, status, verdict, said):
    with application(status, Allow="POST") as (address, _):
        result = looked(lab, address)
    assert result.verdict is verdict
    assert said in result.summary
    assert ("by use" in result.remedy) is (verdict is not Verdict.OK)


@pytest.mark.parametrize("end", ["", "/", "/base", "/base/"])
def test_it_is_asked_once_by_get_without_credentials(lab, end):
    with application(404) as (address, asked):
        looked(lab, f"{address}{end}")
    assert asked == [("GET", f"{end.rstrip('/')}/api/admin/cache/warmup", None)]


def test_without_an_address_or_an_answer_nobody_knows(lab):
    unset = looked(lab, None)
    assert (unset.verdict, "VITE_API_BASE_URL" in unset.summary) == (Verdict.UNKNOWN, True)
    assert looked(lab, "http://127.0.0.1:1").verdict is Verdict.UNKNOWN


def test_the_labs_application_asks_for_a_log_in_first(lab):
    assert evaluate(checks.warm_up_route, lab.target).verdict is Verdict.UNKNOWN
