"""The response times of each route's last requests, as the API itself has them (``/metrics/latency``)."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.application_shapes import document
from opslib.probes.application_traffic import address
from opslib.systems.api import Shape
from opslib.systems.target import ReadTarget

ROUTE = "/metrics/latency"
MOST = 15
LONGEST = 120
"""Characters of a route that are shown: its text is whatever somebody asked for."""


class _Times(Shape):
    p50: float
    p95: float
    count: int


class _Said(Shape):
    routes: dict[str, _Times]


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    answer = target.web.get(address(target, ROUTE))
    if answer.status != 200:
        raise Unreachable(f"{ROUTE} answers {answer.status}.", "Not every deployment serves it.", "other")
    try:
        said = _Said.model_validate(document(answer.text))
    except ValidationError:
        raise Unreachable(f"{ROUTE} answers with something else than it documents.", "", "malformed") from None
    slowest = sorted(said.routes.items(), key=lambda one: -one[1].p95)
    return [
        {"route": name[:LONGEST], "p50": times.p50, "p95": times.p95, "requests": times.count}
        for name, times in slowest[:MOST]
    ]


latency = Probe(
    "application-latency",
    "Response times of each route's last 120 requests, of one process",
    _read,
    source=f"GET {ROUTE}",
    units={"p50": "ms", "p95": "ms"},
)
"""The slowest routes first, at most fifteen."""
