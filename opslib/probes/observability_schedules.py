"""What became of the due times of this target's schedules. Table and archive lie beside, so the executor reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

BACK = timedelta(hours=24)
"""How far back due times are told."""


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


due_times = Probe(
    "due-times",
    "Due times of this target's schedules, earliest first",
    _read,
    source="schedules.toml and the archive's files of claimed due times, held against its runs",
    units={"seconds": "s"},
    by_executor=True,
)
"""A row per due time of the last day; one with the word ``not installed`` or ``faulty`` per schedule of which nobody
can tell; one with ``not told`` per destination of notices that did not hear what it should have. Here only its name:
where an archive is at hand, :mod:`opslib.headless.schedule_kept` reads it."""
