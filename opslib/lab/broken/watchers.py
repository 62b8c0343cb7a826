"""What the faults of whoever watches the product do, at the doors of the stand-ins."""

from __future__ import annotations

from typing import Any

from opslib.lab.doors import change, remembered
from opslib.settings import Settings


def episode(settings: Settings, fault: str, **said: Any) -> None:
    """Let Prometheus' planted traffic be otherwise for a time, known by the fault's name; without fields no more."""
    known = remembered(settings, "prometheus")["episodes"]
    kept = [one for one in known if one.get("fault") != fault]
    change(settings, "prometheus", episodes=[*kept, *([{"fault": fault, **said}] if said else [])])
