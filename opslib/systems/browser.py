"""A real Chromium, headless, that opens one address of the product's and tells how long it took and what went wrong.

It is spoken to over two pipes (no port is opened), keeps nothing (a folder of its own that is gone afterwards, a
context of its own for each visit), and finds no host but the one that it is told. Source: Chrome DevTools Protocol
(Target, Page, Network, Log, Runtime), "Navigation Timing" and "Largest Contentful Paint" of the W3C.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from opslib.errors import Refused, Unreachable, UsageError
from opslib.redaction import Redactor
from opslib.systems.deadline import deadline
from opslib.systems.program_inputs import BROWSERS, PROGRAMS, Program, check_arguments, environment
from opslib.systems.programs import GUARDIAN, Child, find, leash
from opslib.systems.web import public

LAUNCHER = str(Path(__file__).with_name("browser_launcher.py"))
PATIENCE_MILLISECONDS = 500
QUIET, LONGEST_QUIET = 0.5, 3.0
"""Seconds without any event after which a page is taken to have come to rest; and how long that is waited for."""
LARGEST = 8 * 1024 * 1024
MOST_TOLD = 20
_TIMES = """new Promise((done) => {
  let largest = null;
  const seen = (list) => { largest = list.getEntries().at(-1)?.startTime ?? largest; };
  try { new PerformanceObserver(seen).observe({ type: "largest-contentful-paint", buffered: true }); } catch {}
  setTimeout(() => {
    const page = performance.getEntriesByType("navigation")[0] ?? {};
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    done({ protocol: page.nextHopProtocol ?? null, first_byte: page.responseStart,
           ready: page.domContentLoadedEventEnd, load: page.loadEventEnd,
           status: page.responseStatus ?? null, paint: paint?.startTime ?? null, largest,
           shown: (document.body?.innerText ?? "").trim().length });
  }, 100);
})"""


@dataclass(frozen=True)
class Visit:
    """One opening of a page: milliseconds since its beginning (None: it never came), bytes over the network.

    ``shown`` counts the characters that stand on the page; ``kept_away`` the calls of other hosts, which are not found
    here; ``failed`` are addresses of the page's own host with the reason; ``blocked`` what
    the page's own content security policy kept out; ``errors`` what its scripts raised.
    """

    status: int | None
    first_byte: float | None
    paint: float | None
    largest: float | None
    ready: float | None
    load: float | None
    transferred: int
    requests: int
    shown: int
    kept_away: int
    protocol: str | None
    failed: tuple[tuple[str, str], ...]
    blocked: tuple[str, ...]
    errors: tuple[str, ...]


def installed() -> Program:
    """Return which browser this machine has; raises UsageError where it has none."""
    for name in BROWSERS:
        with suppress(UsageError):
            find(name)
            return name
    raise UsageError("No Chromium is installed here.", f"Install one of {', '.join(BROWSERS)} on the PATH.")


def visit(address: str, times: int, *, unsafe: bool, seconds: float = 60.0) -> list[Visit]:
    """Open ``address`` so many times, each time as somebody who was never there; raises Unreachable, UsageError.

    ``unsafe``: as root, for whom the browser has no sandbox, it is started all the same: for pages of the lab alone.
    """
    program, host = installed(), urlsplit(public(address)).hostname or ""
    arguments = [f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {host}"]
    if os.geteuid() == 0:
        if not unsafe:
            raise Refused("As root a browser has no sandbox, and is not shown pages.", "Run as another user.")
        arguments.append("--no-sandbox")
    with tempfile.TemporaryDirectory(prefix="ops-browser-", ignore_cleanup_errors=True) as folder:
        arguments.append(f"--user-data-dir={folder}")
        with _started(program, arguments, folder, seconds) as browser:
            return [_visited(browser, address) for _ in range(times)]


@contextmanager
def _started(program: Program, arguments: list[str], folder: str, seconds: float) -> Iterator[_Browser]:
    check_arguments(program, arguments)
    with leash() as held:
        hears, says = os.pipe()
        reads, writes = os.pipe()
        python = [sys.executable, "-I", "-S"]
        guarded = [*python, GUARDIAN, str(held), str(PATIENCE_MILLISECONDS), *python, LAUNCHER, str(hears), str(writes)]
        try:
            process = subprocess.Popen(
                [*guarded, str(find(program)), *PROGRAMS[program], *arguments],
                env=environment(None) | {"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(held, hears, writes),
            )
        finally:
            os.close(hears)
            os.close(writes)
        child = Child(process, program, Redactor([]))
        try:
            with deadline(seconds, program, child.kill, "Look at the page, and at this machine's load."):
                yield _Browser(reads, says)
        finally:
            child.kill()
            os.close(says)
            os.close(reads)
            child.warnings()
            if process.stderr is not None:
                process.stderr.close()


class _Browser:
    """The conversation: commands, their answers, and the events that come between."""

    def __init__(self, reads: int, says: int) -> None:
        self._reads, self._says = reads, says
        self._rest, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; raises Unreachable where the browser refuses it."""
        self._number += 1
        said = {"id": self._number, "method": method, "params": parameters}
        data = json.dumps(said | ({"sessionId": session} if session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self._says, data) :]
        while True:
            message = self._next(None)
            if message is not None and message.get("id") == self._number:
                break
            self._keep(message)
        if "error" in message:
            raise Unreachable(f"The browser refuses {method}: {str(message['error'])[:200]}.", kind="protocol")
        return cast("dict[str, Any]", message.get("result", {}))

    def until(self, method: str, session: str) -> None:
        """Wait for an event of a session."""
        while not any(one["method"] == method and one.get("sessionId") == session for one in self.events):
            self._keep(self._next(None))

    def rest(self) -> None:
        """Wait until nothing has happened for a while."""
        end = time.monotonic() + LONGEST_QUIET
        while time.monotonic() < end and (message := self._next(QUIET)) is not None:
            self._keep(message)

    def _keep(self, message: dict[str, Any] | None) -> None:
        if message is not None and "method" in message:
            self.events.append(message)

    def _next(self, seconds: float | None) -> dict[str, Any] | None:
        """Return the next message, or None where none came in time; raises Unreachable where no more can come."""
        while b"\0" not in self._rest:
            if not select.select([self._reads], [], [], seconds)[0]:
                return None
            piece = os.read(self._reads, 65536)
            if not piece or len(self._rest) > LARGEST:
                raise Unreachable("The browser ended in the midst of it.", "Is it whole? Try: chromium --version")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@dataclass
class _Seen:
    """What happened while a page of ``host`` was open."""

    host: str
    kept_away: int = 0
    addresses: dict[str, str] = field(default_factory=dict)
    transferred: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, method: str, said: Mapping[str, Any]) -> None:
        """Take one event."""
        if method == "Network.requestWillBeSent":
            self.addresses[said["requestId"]] = said["request"]["url"].partition("?")[0][:300]
        elif method == "Network.loadingFinished":
            self.transferred += int(said.get("encodedDataLength", 0))
        elif method == "Network.responseReceived" and said["response"]["status"] >= 400:
            self._fail(said["response"]["url"].partition("?")[0][:300], f"answers {said['response']['status']}")
        elif method == "Network.loadingFailed":
            reason = said.get("blockedReason") or said.get("errorText", "failed")
            self._fail(self.addresses.get(said["requestId"], "?"), reason)
        elif method == "Log.entryAdded" and said["entry"]["source"] == "security":
            self.blocked.append(said["entry"]["text"][:300])
        elif method == "Runtime.exceptionThrown":
            told = said["exceptionDetails"]
            text = (told.get("exception") or {}).get("description") or told.get("text", "")
            self.errors.append(text.partition("\n")[0][:300])
        elif method == "Runtime.consoleAPICalled" and said["type"] == "error":
            self.errors.append(
                " ".join(str(one.get("value", one.get("description", ""))) for one in said["args"])[:300]
            )

    def _fail(self, address: str, reason: str) -> None:
        if urlsplit(address).hostname not in (self.host, None):
            self.kept_away += 1
        elif not address.endswith("/favicon.ico"):
            self.failed.setdefault(address, reason)


def _visited(browser: _Browser, address: str) -> Visit:
    browser.events.clear()
    context = browser.ask("Target.createBrowserContext")["browserContextId"]
    page = browser.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
    for area in ("Page", "Network", "Log", "Runtime"):
        browser.ask(f"{area}.enable", session)
    gone = browser.ask("Page.navigate", session, url=address).get("errorText")
    if gone:
        raise Unreachable(f"{public(address)} could not be opened in a browser ({gone}).", "Look at its address.")
    browser.until("Page.loadEventFired", session)
    browser.rest()
    result = browser.ask("Runtime.evaluate", session, expression=_TIMES, awaitPromise=True, returnByValue=True)
    seen = _Seen(urlsplit(address).hostname or "")
    for event in browser.events:
        if event.get("sessionId") == session:
            seen.take(event["method"], event["params"])
    browser.ask("Target.disposeBrowserContext", browserContextId=context)
    said = result.get("result", {}).get("value") or {}
    return Visit(
        status=said.get("status"),
        first_byte=said.get("first_byte"),
        paint=said.get("paint"),
        largest=said.get("largest"),
        ready=said.get("ready"),
        load=said.get("load"),
        transferred=seen.transferred,
        requests=len(seen.addresses),
        shown=int(said.get("shown") or 0),
        kept_away=seen.kept_away,
        protocol=said.get("protocol"),
        failed=tuple(list(seen.failed.items())[:MOST_TOLD]),
        blocked=tuple(seen.blocked[:MOST_TOLD]),
        errors=tuple(seen.errors[:MOST_TOLD]),
    )
