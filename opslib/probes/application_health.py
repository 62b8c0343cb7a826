"""What the API says of its health, on whichever of the documented routes it has; each told from one that is not there.

At most five questions, and no more than are needed: in the product all its routes share one counter of requests, so
that polling health uses up what resetting a circuit breaker needs (five a minute).
"""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes import application_shapes as shapes
from opslib.probes.application_traffic import address
from opslib.systems.target import ReadTarget

ROUTES = ("/health", "/health/ready", "/health/live")
OLDER = ("/healthz", "/ready")
"""Routes of the predecessor: asked where the first three are not there."""
SECONDS = 10.0


def read(target: ReadTarget) -> list[dict[str, Any]]:
    """Return a row per route that was asked; raises Unreachable where there is no answer or no address."""
    rows = [ask(target, path) for path in ROUTES]
    if all(row["route"] != "there" for row in rows):
        rows += [ask(target, path) for path in OLDER]
    return rows


def ask(target: ReadTarget, path: str) -> dict[str, Any]:
    """Return what one route answers: status, whether it is there, its shape, its word, each dependency's state."""
    answer = target.web.get(address(target, path), deadline=SECONDS)
    said = shapes.document(answer.text)
    state = shapes.route(answer.status, said)
    return {
        "path": path,
        "status": answer.status,
        "route": state,
        "shape": shapes.shape(said) if state == "there" else "",
        "word": shapes.word(said) if state == "there" else None,
        "parts": shapes.parts(said) if state == "there" else {},
    }


health = Probe("application-health", "Answers of the API's health routes", read, source=f"GET {' · '.join(ROUTES)}")
"""A row a route."""
