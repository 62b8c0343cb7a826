"""The drills that this archive has of the target. Their records lie in the archive, so the executor takes them."""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


drills = Probe(
    "drills",
    "Drills of this target, newest first",
    _read,
    source="the sealed records of drills in the archive (drill.json), each held against the archive's log",
    units={
        **dict.fromkeys(("broken_seconds", "out_seconds", "detected_seconds", "acknowledged_seconds"), "s"),
        **dict.fromkeys(("mitigated_seconds", "resolved_seconds", "rto_seconds", "lost_seconds"), "s"),
        **dict.fromkeys(("stated_seconds", "ended_seconds", "lost_time_seconds", "stated_loss_seconds"), "s"),
    },
    by_executor=True,
)
"""A row per drill and service (:func:`opslib.probes.backups_drill.rows_of`); one row with ``damage`` where a record
cannot be believed. Here only its name: where an archive is at hand, :mod:`opslib.archive.drills` reads it."""
