"""What the faults of whoever watches the product do: at the doors of the stand-ins' and of the cluster's state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opslib.lab.processes import LabError
from opslib.settings import Settings
from opslib.systems.web import Writer

SECONDS = 20.0


def state(address: str | None, name: str, ca: Path | None = None) -> dict[str, Any]:
    """Return what the stand-in ``name`` at ``address`` remembers."""
    found: dict[str, Any] = json.loads(_door(address, ca, None))[name]
    return found


def put(address: str | None, name: str, said: dict[str, Any], ca: Path | None = None) -> None:
    """Put ``said`` in place of what the stand-in ``name`` remembers."""
    _door(address, ca, json.dumps({name: said}).encode())


def change(settings: Settings, name: str, **said: Any) -> None:
    """Change what one of the stand-ins beside Prometheus remembers."""
    put(settings.prometheus_url, name, {**state(settings.prometheus_url, name), **said})


def episode(settings: Settings, fault: str, **said: Any) -> None:
    """Let the planted traffic be otherwise for a time, known by the fault's name; none of it without fields."""
    known = state(settings.prometheus_url, "prometheus")["episodes"]
    kept = [one for one in known if one.get("fault") != fault]
    change(settings, "prometheus", episodes=[*kept, *([{"fault": fault, **said}] if said else [])])


def _door(address: str | None, ca: Path | None, content: bytes | None) -> str:
    parts = urlsplit(address or "")
    url, writer = f"{parts.scheme}://{parts.netloc}/_lab/state", Writer(ca=ca)
    try:
        if content is None:
            answer = writer.get(url, deadline=SECONDS)
        else:
            answer = writer.send("PUT", url, content, deadline=SECONDS)
    finally:
        writer.close()
    if answer.status != 200:
        raise LabError(f"The lab's door at {url} answered {answer.status}.", "See its log: ops lab status")
    return answer.text
