"""What the vendors' stand-ins remember, changed through the lab's own doors."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from opslib.errors import SettingsError
from opslib.settings import Settings

SECONDS = 20.0


def state(settings: Settings, vendor: str) -> dict[str, Any]:
    """Return what the stand-in of one vendor remembers."""
    found: dict[str, Any] = _ask(settings, "GET")[vendor]
    return found


def change(settings: Settings, vendor: str, **said: Any) -> None:
    """Change fields of what the stand-in of one vendor remembers; all else stays."""
    _ask(settings, "PUT", {vendor: {**state(settings, vendor), **said}})


def _ask(settings: Settings, method: str, said: Any = None) -> Any:
    if settings.environment != "lab" or settings.github_url is None:
        raise SettingsError("Only a lab is broken on purpose.", "Start one: ops lab up")
    parts = urlsplit(settings.github_url)
    data = None if said is None else json.dumps(said).encode()
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/_lab/state", data, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the lab's own address
        return json.loads(answer.read())
