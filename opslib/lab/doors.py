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
        self._host, self._port = str(parts.hostname), parts.port
        if self._host != "127.0.0.1":
            raise LabError(f"{self.url} is no lab's: only a lab has doors.", "Start one with: ops lab up")
        self._trusted = ssl.create_default_context(cafile=settings.kubernetes_ca) if cluster else None

    def state(self) -> dict[str, Any]:
        """Return what all stand-ins remember."""
        state: dict[str, Any] = self._ask("GET", "state")
        return state

    def put(self, **said: Any) -> None:
        """Replace the state of the vendors that are named."""
        self._ask("PUT", "state", said)

    def calls(self, vendor: str) -> list[dict[str, Any]]:
        """Return the latest calls to one vendor."""
        return [call for call in self._ask("GET", "calls")["calls"] if call["vendor"] == vendor]

    def forget(self) -> None:
        """Forget all calls."""
        self._ask("DELETE", "calls")

    def fail(self, vendor: str, fault: str, **more: Any) -> None:
        """Let something go wrong until it is mended."""
        self._ask("POST", "faults", {"vendor": vendor, "fault": fault, **more})

    def mend(self, vendor: str) -> None:
        """Let nothing go wrong at one vendor any more."""
        self._ask("DELETE", f"faults?vendor={vendor}")

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
        data = None if said is None else json.dumps(said).encode()
        line = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        if self._trusted is not None:
            line = http.client.HTTPSConnection(self._host, self._port, timeout=SECONDS, context=self._trusted)
        try:
            line.request(method, f"/_lab/{door}", data)
            answer = line.getresponse()
            told = answer.read()
        finally:
            line.close()
        if answer.status != http.client.OK:
            raise LabError(f"The stand-in's door {door} says {answer.status}: {told[:300]!r}.", "Look at its log.")
        return json.loads(told)
