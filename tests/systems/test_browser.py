"""The real browser: it tells times and faults, finds no other host, keeps nothing, and is ended in time."""

import os
import shutil
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from opslib.errors import Refused, Unreachable, UsageError
from opslib.systems import browser

needed = pytest.mark.skipif(
    not shutil.which("chromium") and not os.environ.get("CI"), reason="no chromium: pages are not opened"
)
PAGE = b"""<!doctype html><title>t</title><link rel="icon" href="data:,"><h1>Here</h1>
<script>document.cookie = "seen=1"; localStorage.setItem("seen", "1")</script>
<script src="http://elsewhere.test/a.js"></script><script src="/gone.js"></script>
<script>fetch("http://localhost:%d/away").catch(() => console.error("no call"));</script>
<script>throw new Error("on purpose")</script>"""


class Site(BaseHTTPRequestHandler):
    """A page with faults, one that never ends, and a record of what was asked."""

    asked: ClassVar[list] = []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("cookie")))
        if self.path == "/never":
            threading.Event().wait(20)
        there = self.path in ("/", "/never")
        with suppress(OSError):
            self.send_response(200 if there else 404)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE % self.server.server_port if there else b"gone")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def site():
    Site.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def left():
    return {path.name for path in Path(tempfile.gettempdir()).glob("ops-browser-*")}


@needed
def test_each_visit_is_somebody_elses_and_tells_times_faults_and_what_was_kept_away(site):
    before = left()
    visits = browser.visit(site, 2, unsafe=True)
    assert len(visits) == 2
    for one in visits:
        assert one.status == 200
        assert 0 < one.first_byte <= one.paint
        assert one.shown == len("Here")
        assert [address.rpartition("/")[2] for address, _ in one.failed] == ["gone.js"]
        assert any("on purpose" in text for text in one.errors)
        assert one.kept_away >= 2
    # The name of this machine is another host, and no cookie of the first visit comes with the second.
    assert {path for path, _ in Site.asked} == {"/", "/gone.js"}
    assert {cookie for path, cookie in Site.asked if path == "/"} == {None}
    assert left() == before


@needed
def test_a_page_that_never_ends_is_given_up_and_the_browser_is_gone(site):
    before = left()
    with pytest.raises(Unreachable) as told:
        browser.visit(f"{site}never", 1, unsafe=True, seconds=4)
    assert told.value.kind == "slow"
    assert left() == before


@needed
def test_an_address_at_which_nobody_answers_is_unreachable(site):
    with pytest.raises(Unreachable, match="could not be opened"):
        browser.visit("http://127.0.0.1:9/", 1, unsafe=True)


def test_as_root_no_page_is_opened_unless_it_is_the_labs(site):
    if os.geteuid() != 0:
        pytest.skip("not root")
    with pytest.raises((Refused, UsageError)):
        browser.visit(site, 1, unsafe=False)
    assert Site.asked == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "javascript:alert(1)", "http://user:word@host/", "x"])
def test_what_is_no_plain_address_is_not_opened(address):
    with pytest.raises(UsageError):
        browser.visit(address, 1, unsafe=True)
