"""Images, parts that come later, and what counts visits: read from a page that is really served."""

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.checks import frontend as checks
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.hosters import of
from tests.vendors import Doors

KIB = 1024
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "png": "image/png", "webp": "image/webp"}


@contextmanager
def served(files):
    """Serve these files by path, the page as ``/``; hands out the address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/") or "index.html"
            data = files.get(name)
            self.send_response(200 if data is not None else 404)
            self.send_header("content-type", TYPES[name.rpartition(".")[2]] if data is not None else "text/plain")
            self.send_header("content-length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *said):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def judged(lab, check, files):
    with served(files) as address:
        settings = lab.settings.model_copy(update={"front_end_url": address})
        with closing(ReadTarget(settings, "test")) as target:
            return evaluate(check, target)


def page(head="", body=""):
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({"index.html": page()}, "UNKNOWN", "None of 1 files names an image"),
        ({"index.html": page(body='<img src="a.webp">'), "a.webp": b"x" * KIB}, "OK", "1 KiB"),
        ({"index.html": page(body='<img src="a.webp">'), "a.webp": b"x" * 201 * KIB}, "WARNING", "201 KiB"),
        ({"index.html": page(body='<img srcset="a.webp 1x, b.webp 2x">'), "a.webp": b"x", "b.webp": b"x" * 1001 * KIB},
         "CRITICAL", "of 2 images is b.webp"),
        ({"index.html": page(body='<img src="a.png">'), "a.png": b"x" * 60 * KIB}, "WARNING", "older type: a.png"),
        ({"index.html": page('<script src="i.js"></script>'), "i.js": b'x = "./a.png";', "a.png": b"x"}, "OK", "a.png"),
        ({"index.html": page('<link rel="stylesheet" href="i.css">'), "i.css": b"b{c:url(a.png)}", "a.png": b"x"},
         "OK", "a.png"),
        ({"index.html": page(body='<img src="gone.png"><img src="a.png">'), "a.png": b"x"}, "UNKNOWN", "1 could not"),
        ({"index.html": page(body='<img src="https://elsewhere.example/a.png">')}, "UNKNOWN", "could be measured"),
        ({"index.html": page(body='<img src="data:image/png;base64,AA">')}, "UNKNOWN", "names an image"),
    ],
)  # fmt: skip
def test_images_are_measured_wherever_the_first_page_names_them(lab, files, verdict, words):
    said = judged(lab, checks.images, files)
    assert (said.verdict, words in said.summary) == (verdict, True), said.summary


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({"index.html": page()}, "UNKNOWN", "Plausible"),
        (
            {"index.html": page('<script src="//plausible.io/js/s.js"></script>')},
            "OK",
            "Plausible (the page)",
        ),
        ({"index.html": page('<script src="/i.js"></script>'), "i.js": b"posthog.init()"}, "OK", "PostHog (i.js)"),
    ],
)
def test_a_service_that_counts_visits_is_named_by_the_page_or_its_scripts(lab, files, verdict, words):
    said = judged(lab, checks.analytics, files)
    assert (said.verdict, words in said.summary) == (verdict, True), said.summary


def test_scripts_that_come_later_are_told_and_a_page_without_any_is_not_ticked(lab):
    page_of = {"index.html": page('<script type="module" src="i.js"></script>')}
    whole = judged(lab, checks.lazy, page_of | {"i.js": b"console.log(1)"})
    assert (whole.verdict, "All 1 scripts" in whole.summary) == ("WARNING", True)
    parts = judged(lab, checks.lazy, page_of | {"i.js": b'import("./later.js")', "later.js": b"1"})
    assert (parts.verdict, "1 of 2 scripts come later" in parts.summary) == ("OK", True)
    assert judged(lab, checks.lazy, {"index.html": page()}).verdict == "UNKNOWN"


def test_the_labs_own_page_has_a_part_that_comes_later_and_no_image(lab):
    doors = Doors(lab.settings)
    with doors.restored(), closing(ReadTarget(of(lab.settings, doors, "vercel").settings, "test")) as target:
        found = [evaluate(check, target).verdict for check in (checks.lazy, checks.images, checks.analytics)]
    assert found == ["OK", "UNKNOWN", "UNKNOWN"]


def test_where_nobody_answers_nobody_knows(lab):
    settings = lab.settings.model_copy(update={"front_end_url": "http://127.0.0.1:9"})
    with closing(ReadTarget(settings, "test")) as target:
        found = [evaluate(check, target).verdict for check in (checks.lazy, checks.images, checks.analytics)]
    assert found == ["UNKNOWN"] * 3
