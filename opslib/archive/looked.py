"""A probe of the archive as an executor takes it: what many cells of one notebook show is one look, taken once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.model import Probe
from opslib.systems.target import PlanTarget

Rows = list[dict[str, Any]]


def once(known: Probe, rows: Callable[[PlanTarget], Rows]) -> Probe:
    """Return the probe ``known`` with ``rows`` behind it, asked for at its first use and kept for the run."""
    seen: list[Rows] = []

    def take(target: PlanTarget) -> Rows:
        if not seen:
            seen.append(rows(target))
        return seen[0]

    return Probe(known.name, known.title, take, known.source, known.units, by_executor=True)
