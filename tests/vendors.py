"""For tests of the vendors' stand-ins: the lab's own doors to them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit


class Doors:
    """What a test may do behind a vendor's back. ``url`` is where all stand-ins are."""

    def __init__(self, settings: Any) -> None:
        parts = urlsplit(settings.github_url)
        self.url = f"{parts.scheme}://{parts.netloc}"

    def state(self) -> dict[str, Any]:
        """Return what all stand-ins remember."""
        return self._ask("GET", "state")

    def put(self, **said: Any) -> None:
        """Replace the state of the vendors that are named."""
        self._ask("PUT", "state", said)

    def calls(self, vendor: str) -> list[dict[str, Any]]:
        """Return the latest calls to one vendor."""
        return [call for call in self._ask("GET", "calls")["calls"] if call["vendor"] == vendor]

    def forget(self) -> None:
        """Forget all calls."""
        self._ask("DELETE", "calls")

    @contextmanager
    def fault(self, vendor: str, fault: str, **more: Any) -> Iterator[None]:
        """Let something go wrong until the block ends."""
        self._ask("POST", "faults", {"vendor": vendor, "fault": fault, **more})
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
        request = urllib.request.Request(f"{self.url}/_lab/{door}", data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
