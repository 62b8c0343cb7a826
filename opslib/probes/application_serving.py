"""What the API has answered and whether it is ready, in one row: a look of a watch."""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes import application_ready
from opslib.probes.application_traffic import counts
from opslib.systems.target import ReadTarget


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    (said,) = application_ready.read(target)
    return [{**counts(target), "state": application_ready.state(said), "status": said["status"]}]


serving = Probe(
    name="application-serving",
    title="What the API answers, and whether it is ready",
    read=_read,
    source=f"GET /metrics · GET {application_ready.ROUTE}",
)
"""Counters since the process began, and the state of its readiness."""
