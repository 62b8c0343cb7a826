"""The lab's own doors to its stand-ins: what goes wrong there and what they remember, from outside their process."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opslib.lab.processes import LabError
from opslib.settings import Settings

SECONDS = 20.0


class Doors:
    """What may be done behind a vendor's back. ``url`` is where all stand-ins are, or the cluster's."""

    def __init__(self, settings: Settings, *, cluster: bool = False) -> None:
        """Use the doors of the vendors' stand-ins, or with ``cluster`` those of the cluster's."""
        parts = urlsplit(str(settings.kubernetes_url if cluster else settings.github_url))
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port = _lab_only(str(parts.hostname)), parts.port
        self._trusted = ssl.create_default_context(cafile=settings.kubernetes_ca) if cluster else None

    def state(self) -> dict[str, Any]:
        """Return what all stand-ins remember."""
        state: dict[str, Any] = self._ask("GET", "state")
        return state

    def put(self, **said: Any) -> None:
        """Replace the state of the vendors that are named."""
        self._ask("PUT", "state", said)

    def started(self, app: str) -> list[dict[str, str]]:
        """Return what each pod of ``app`` that takes traffic was started with; of the cluster's doors."""
        found: list[dict[str, str]] = self._ask("GET", f"environment?app={app}")["pods"]
        return found

    def calls(self, vendor: str) -> list[dict[str, Any]]:
        """Return the latest calls to one vendor."""
        return [call for call in self._ask("GET", "calls")["calls"] if call["vendor"] == vendor]

    def forget(self) -> None:
        """Forget all calls."""
        self._ask("DELETE", "calls")

    def fail(self, vendor: str, fault: str, **more: Any) -> None:
        """Let something go wrong until it is mended."""
        self._ask("POST", "faults", {"vendor": vendor, "fault": fault, **more})

    def mend(self, vendor: str, fault: str = "") -> None:
        """Let nothing go wrong at one vendor any more, or not this."""
        self._ask("DELETE", f"faults?vendor={vendor}" + (f"&fault={fault}" if fault else ""))

    @contextmanager
    def fault(self, vendor: str, fault: str, **more: Any) -> Iterator[None]:
        """Let something go wrong until the block ends."""
        self.fail(vendor, fault, **more)
        try:
            yield
        finally:
            self._ask("DELETE", "faults")

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put everything back as it was when the block ends."""
        before = self.state()
        try:
            yield
        finally:
            self._ask("DELETE", "faults")
            self.put(**before)

    def _ask(self, method: str, door: str, said: Any = None) -> Any:
        return _asked(self._host, self._port, self._trusted, method, door, said)


def remembered(settings: Settings, vendor: str) -> dict[str, Any]:
    """Return what the stand-in of one vendor remembers."""
    found: dict[str, Any] = Doors(settings).state()[vendor]
    return found


def change(settings: Settings, vendor: str, **said: Any) -> None:
    """Change fields of what the stand-in of one vendor remembers; all else stays."""
    Doors(settings).put(**{vendor: {**remembered(settings, vendor), **said}})


def front(settings: Settings, **said: Any) -> dict[str, Any]:
    """Change how the lab's application makes its answers; returns how they are made then."""
    parts = urlsplit(str(settings.application_url))
    host = _lab_only(str(parts.hostname))
    found: dict[str, Any] = _asked(host, parts.port, None, "PUT" if said else "GET", "front", said or None)
    return found


def cloud_clock(settings: Settings, ahead_seconds: float) -> None:
    """Let the clock of the lab's AWS be ahead by so much."""
    parts = urlsplit(str(settings.aws_endpoint_url))
    _asked(_lab_only(str(parts.hostname)), parts.port, None, "PUT", "clock", ahead_seconds)


def _lab_only(host: str) -> str:
    if host != "127.0.0.1":
        raise LabError(f"{host} is no lab's: only a lab has doors.", "Start one with: ops lab up")
    return host


def _asked(
    host: str, port: int | None, trusted: ssl.SSLContext | None, method: str, door: str, said: Any = None
) -> Any:
    line = http.client.HTTPConnection(host, port, timeout=SECONDS)
    if trusted is not None:
        line = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=trusted)
    try:
        line.request(method, f"/_lab/{door}", None if said is None else json.dumps(said).encode())
        answer = line.getresponse()
        told = answer.read()
    finally:
        line.close()
    if answer.status != http.client.OK:
        raise LabError(f"The stand-in's door {door} says {answer.status}: {told[:300]!r}.", "Look at its log.")
    return json.loads(told)
