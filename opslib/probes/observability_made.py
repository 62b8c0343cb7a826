"""The runs that this archive has of the target. They lie in the archive, so the executor takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

BACK = timedelta(days=8)
"""How far back runs are told: a week from handover to handover, and a day."""
MOST = 400
"""Runs that are told at most, newest first."""


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


runs_made = Probe(
    "runs-made",
    "Runs of this target, newest first",
    _read,
    source="the archive: sealed runs, held against its log; of open ones that they are open",
    by_executor=True,
)
"""A row per run of the last days, with the steps of those that changed something, and what the newest triage found ill.
Here only its name: where an archive is at hand, :mod:`opslib.archive.made` reads it."""
