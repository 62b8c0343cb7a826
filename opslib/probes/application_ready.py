"""Whether the application says that it is ready: route absent, not allowed and not ready are told apart.

Three forms are known in the product's code: the health router's ``/health/ready``, the older ``/ready``, and the
shipped server, which has neither and answers with a page of HTML. Source: the product's server and health router.
"""

from __future__ import annotations

import json
from typing import Any

from opslib.model import Probe
from opslib.probes.application_traffic import address, counts
from opslib.systems.target import ReadTarget
from opslib.systems.web import Answer

ROUTE = "/health/ready"


def standing(answer: Answer) -> dict[str, Any]:
    """Return what an answer of the readiness route means: ``state`` and what it says of each dependency."""
    try:
        body = json.loads(answer.text)
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    dependencies = said.get("dependencies")
    parts = (
        {name: one.get("status") for name, one in dependencies.items() if isinstance(one, dict)}
        if isinstance(dependencies, dict)
        else {}
    )
    if answer.status == 200 and said.get("status") == "ready":
        state = "ready"
    elif answer.status == 503 and said.get("status") in ("not_ready", "not ready"):
        state = "not ready"
    elif answer.status == 404:
        state = "absent"
    elif answer.status in (401, 403):
        state = "not allowed"
    elif answer.status == 429:
        state = "too many"
    else:
        state = "other"
    return {
        "state": state,
        "status": answer.status,
        **{f"{name}_is": str(word) for name, word in sorted(parts.items())},
    }


def _readiness(target: ReadTarget) -> list[dict[str, Any]]:
    return [standing(target.web.get(address(target, ROUTE)))]


def _serving(target: ReadTarget) -> list[dict[str, Any]]:
    return [{**counts(target), **standing(target.web.get(address(target, ROUTE)))}]


readiness = Probe(
    name="application-readiness",
    title="What the application says of its readiness",
    read=_readiness,
    source=f"GET {ROUTE}",
)
"""One row: state (ready, not ready, absent, not allowed, too many, other), status, each dependency's word."""

serving = Probe(
    name="application-serving",
    title="What the application answers, and whether it is ready",
    read=_serving,
    source=f"GET /metrics · GET {ROUTE}",
)
"""Counters and readiness in one row, for a watch."""
