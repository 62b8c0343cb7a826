"""What the archive has of an incident. Runs and readings lie in the archive, so the executor takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

BACK = timedelta(days=35)
"""How far back an incident may lie: a month, and the days in which its review is written."""
MOST = 400
"""Runs that are told at most, newest first: so many that may change something, and so many that only look."""
MOST_TURNS = 300
"""Changes of a check's verdict that are told at most, newest first."""


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


incident_record = Probe(
    "incident-record",
    "What the archive has of the last weeks: runs, steps, and where a check's verdict turned",
    _read,
    source="the archive: sealed runs and their journals, held against its log",
    by_executor=True,
)
"""A row per run (``kind`` run) with its steps, when each began and ended by the journal; and per change of a check's
verdict (``turn``): the last reading ``before`` it and the first one ``after`` it, each with its moment and run. Here
only its name: where an archive is at hand, :mod:`opslib.archive.incident_record` reads it."""
