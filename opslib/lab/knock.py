"""The lab's own doors, asked over HTTP: what a stand-in remembers, and how the application's answers are made."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from opslib.settings import Settings
from opslib.systems.web import Writer


def remembered(settings: Settings, vendor: str) -> dict[str, Any]:
    """Return what the stand-in of ``vendor`` remembers."""
    found: dict[str, Any] = _ask("GET", f"{_vendors(settings)}/_lab/state")[vendor]
    return found


def change(settings: Settings, vendor: str, **said: Any) -> None:
    """Change what the stand-in of ``vendor`` remembers; the rest stays."""
    known = remembered(settings, vendor)
    _ask("PUT", f"{_vendors(settings)}/_lab/state", {vendor: {**known, **said}})


def front(settings: Settings, **said: Any) -> dict[str, Any]:
    """Change how the application's answers are made; returns how they are then."""
    url = f"{settings.application_url}/_lab/front"
    return _ask("PUT", url, said) if said else _ask("GET", url)


def _vendors(settings: Settings) -> str:
    parts = urlsplit(settings.supabase_url or "")
    return f"{parts.scheme}://{parts.netloc}"


def _ask(method: str, url: str, said: Any = None) -> dict[str, Any]:
    writer = Writer()
    try:
        answer = writer.get(url) if method == "GET" else writer.send("PUT", url, json.dumps(said).encode())
        found: dict[str, Any] = json.loads(answer.text)
        return found
    finally:
        writer.close()
