"""Whether the API says that it is ready, by its route for that; told apart from a route that is not there.

Readiness fails when one provider of language models is away though the other serves, so its parts are read as well.
"""

from __future__ import annotations

from typing import Any

from opslib.model import Probe, Row
from opslib.probes import application_shapes as shapes
from opslib.probes.application_traffic import address
from opslib.systems.target import ReadTarget
from opslib.systems.web_exchange import Answer

ROUTE = "/health/ready"
SECONDS = 10.0
SPARE = "togetherAI"
"""Readiness fails without it, though OpenAI serves in its stead."""


def state(row: Row) -> str:
    """Return what a row of the probe means: ready, without spare, not ready; else what became of the route."""
    if row["route"] != "there":
        return str(row["route"])
    if row["status"] == 200 and row["word"] == "ready":
        return "ready"
    return "without spare" if ill(row) == [SPARE] else "not ready"


def ill(row: Row) -> list[str]:
    """Return the dependencies that a row of the probe calls neither healthy nor degraded."""
    return sorted(name for name, said in row["parts"].items() if said not in shapes.WELL)


def read(target: ReadTarget) -> list[dict[str, Any]]:
    """Ask the route; raises Unreachable where there is no answer or no address."""
    where = address(target, ROUTE)
    return [row_of(where, target.web.get(where, deadline=SECONDS))]


def row_of(where: str, answer: Answer) -> dict[str, Any]:
    """Return the probe's row for what was answered there."""
    said = shapes.document(answer.text)
    return {
        "address": where,
        "status": answer.status,
        "route": shapes.route(answer.status, said),
        "word": shapes.word(said),
        "parts": shapes.parts(said),
    }


ready = Probe(name="application-ready", title="Answer of the API's readiness route", read=read, source=f"GET {ROUTE}")
"""One row: status, whether the route is there, its word, and each dependency's state."""
