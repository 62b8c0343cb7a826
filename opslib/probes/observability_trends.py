"""How the checks of each area went over the runs of this archive, where the executor looks them up."""

from __future__ import annotations

from typing import Any

from opslib.areas import AREAS
from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

MOST = 100
"""Runs of each check that are told at most, newest last."""


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


trends: dict[str, Probe] = {
    area: Probe(
        f"trends-{area}",
        f"How the checks of the area {area} went, run by run",
        _read,
        source="the archive's index (search.sqlite): sealed runs; it proves nothing, ops archive verify does",
        by_executor=True,
    )
    for area in AREAS
}
"""By area: a row a check, with its title, unit, limits, and run by run, oldest first, when (``at``), ``verdict`` and
``value``; ``moved`` says that its limits were others in some of them. Where an archive is at hand,
:mod:`opslib.archive.trends` reads it."""
