"""Hostile pages in a real browser: which of them run script, and which ask anybody for anything.

Every page holds one payload, with a number of its own. A payload that runs writes its number to the console;
one that loads asks a host that begins with it. All of the browser's traffic goes to a proxy of ours, which
notes whom it would have reached and answers with nothing: what the browser itself says it blocked is not
taken for granted.
"""

import re
import shutil
import socketserver
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.archive import places
from tests.archive.payloads import ALL_AT_ONCE, HTML, MARKDOWN, STREAM, SVG

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FIRST = 100_000
MARK = "MARKERx7"

_TEXTS = [place for place in places.PLACES if place not in ("svg", "picture")]
_STREAMS = ("stdout", "stderr", "ename", "evalue", "traceback", "source", "plain", "raw cell")


@dataclass(frozen=True)
class Case:
    """One payload in one place of a run."""

    number: int
    name: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.name} in {self.place}"


def cases():
    """Every case, in an order in which neighbours are alike: each n-th of them is a fair sample."""
    pairs = [(name, text, "html") for name, text in HTML.items()]
    # In each place that is not for HTML at all, other vectors; and in each the one that runs in most contexts.
    pairs += [(name, text, _TEXTS[i % len(_TEXTS)]) for i, (name, text) in enumerate(HTML.items())]
    pairs += [("all_at_once", ALL_AT_ONCE, place) for place in _TEXTS]
    pairs += [(name, text, place) for name, text in MARKDOWN.items() for place in ("markdown cell", "markdown output")]
    pairs += [(name, text, place) for name, text in STREAM.items() for place in _STREAMS]
    pairs += [(name, text, place) for name, text in SVG.items() for place in ("svg", "picture")]
    numbered = enumerate(pairs, FIRST)
    return [Case(number, name, place, text.replace("666", str(number))) for number, (name, text, place) in numbered]


def sample(most):
    """Return at most so many cases, evenly taken from all."""
    found = cases()
    return [found[i * len(found) // most] for i in range(most)] if most < len(found) else found


def rendered(folder, case):
    """The page as we write it."""
    return places.page(folder, case.place, case.text)


def unpoliced(folder, case):
    """The page as we write it, without its policy: only what sanitises stands in the way."""
    return _without_policy(rendered(folder, case))


def unsanitised(folder, case):
    """The page with its policy, and the payload raw where it belongs: only the policy stands in the way."""
    text = places.page(folder, case.place, MARK)
    raw = _raw(case).encode("utf-8", "replace").decode()
    return text.replace(MARK, raw) if MARK in text else text.replace("</body>", f"{raw}</body>")


def unprotected(folder, case):
    """The raw payload and no policy: what happens to a page that does not defend itself."""
    return _without_policy(unsanitised(folder, case))


def _without_policy(text):
    text, count = re.subn(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">\n', "", text)
    assert count == 1
    return text


def _raw(case):
    if case.place.startswith("markdown"):
        import mistune

        return mistune.html(case.text)
    return f"<script>{case.text}</script>" if case.place == "javascript" else case.text


class Sink(socketserver.ThreadingTCPServer):
    """A proxy that answers with nothing and remembers the first line of everything that was sent to it."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), _Asked)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Asked(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline(4096).decode("latin-1")
        self.server.asked.append(line.strip() or "a connection without a word")
        self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


PRESS = """async () => {
  for (const node of document.querySelectorAll('body, body *')) {
    for (const kind of ['pointerover', 'mouseover', 'focusin']) node.dispatchEvent(new Event(kind, {bubbles: false}));
  }
  const pressable = 'a, area, button, summary, input, select, textarea, label, mrow, text, [tabindex], [onclick]';
  let plain = 0;
  for (const node of document.querySelectorAll(pressable)) {
    // Of links into the page that have nothing else to them, the first show what the others do.
    const inside = (node.getAttribute('href') || '').startsWith('#') && node.attributes.length === 1;
    if (inside && ++plain > 3) continue;
    node.focus && node.focus({preventScroll: true});
    node.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, view: window}));
  }
  await new Promise(done => setTimeout(done, 30));
}"""


class Attacked:
    """A browser that opens pages and sums up what they did."""

    def __init__(self, browser, sink, folder: Path) -> None:
        self.sink, self.folder = sink, folder
        self.said, self.strange, self.case = [], [], None
        self.context = browser.new_context(proxy={"server": sink.address, "bypass": "<-loopback>"})
        self.context.on("console", lambda message: self.said.append(message.text))
        self.context.on("request", lambda request: self._file(request.url))
        self.context.on("requestfailed", self._failed)
        self.context.on("dialog", self._dialog)
        self.context.on("page", self._page)
        self.page = self.context.new_page()
        self._from = len(sink.asked)

    def _note(self, what):
        self.strange.append((self.case.name if self.case else "", what))

    def _file(self, url):
        # A window of a page before this one may still ask for its own page.
        ours = re.search(r"/1\d{5}/page\.html$", url.partition("#")[0])
        if url.startswith("file:") and not ours:
            self._note(url)

    def _failed(self, request):
        # Chromium tells of what its policy stopped before it left, too.
        if request.failure == "csp":
            self.strange = [(name, what) for name, what in self.strange if what != request.url]

    def _dialog(self, dialog):
        self._note(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _page(self, page):
        if len(self.context.pages) > 1:
            self._note("a window")
            page.close()

    def open(self, case, make):
        """Open the page that ``make`` gives for ``case`` and press everything on it that can be pressed."""
        from playwright.sync_api import Error

        self.case = case
        path = self.folder / str(case.number) / "page.html"
        path.parent.mkdir(parents=True)
        path.write_text(make(path.parent, case), encoding="utf-8", errors="replace")
        try:
            self.page.goto(path.as_uri(), wait_until="load")
            self.page.evaluate(PRESS)
        except Error as error:
            if "navigat" not in error.message and "closed" not in error.message:
                raise
            # It left for elsewhere while it was looked at.
            self._note("left")

    def outcome(self):
        """Return numbers that ran, numbers that asked, and what else happened, by its case's name."""
        self.case = None
        self.page.goto("about:blank")
        self.page.wait_for_timeout(300)
        asked = self.sink.asked[self._from :]
        ran = {int(text) for text in self.said if text.isdecimal()}
        asking = {int(found[1]) for line in asked if (found := re.search(r"x(1\d{5})\.evil", line))}
        strange = [*self.strange, *(("", line) for line in asked if not re.search(r"x1\d{5}\.evil", line))]
        return ran, asking, strange

    def close(self):
        self.context.close()


def opened(browser, folder, chosen, make):
    """Open each of ``chosen`` as ``make`` gives it; returns (ran, asked, strange) with cases for numbers."""
    with Sink() as sink:
        attacked = Attacked(browser, sink, folder)
        began = time.monotonic()
        for case in chosen:
            attacked.open(case, make)
        ran, asked, strange = attacked.outcome()
        attacked.close()
        print(f"{len(chosen)} pages, {time.monotonic() - began:.1f} s, {len(ran)} ran, {len(asked)} asked")
        sink.shutdown()
    return [c for c in chosen if c.number in ran], [c for c in chosen if c.number in asked], strange
