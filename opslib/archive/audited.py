"""The whole archive as an auditor asks after it: the probes of :mod:`opslib.probes.observability_audit`.

One look is taken for all of them, at the first that is asked for; what could not be had from elsewhere (heads, time
stamps) is told as that, and keeps nothing else from being told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opslib.archive import audited_agreed, audited_log, audited_room, audited_runs, audited_words
from opslib.archive.audited_look import Look
from opslib.archive.looked import once
from opslib.model import Probe
from opslib.probes.observability_audit import archive as asked
from opslib.settings import Settings
from opslib.systems.target import PlanTarget

Rows = list[dict[str, Any]]

_ROWS: dict[str, Callable[[Look], Rows]] = {
    "seals": audited_log.seals,
    "keys": audited_log.keys_of,
    "heads": audited_log.heads,
    "dates": audited_log.dated,
    "silences": audited_log.silences,
    "runs": audited_runs.runs,
    "unsettled": audited_runs.unsettled,
    "agreed": audited_agreed.agreed,
    "words": audited_words.gone,
    "redactions": audited_log.redactions,
    "room": audited_room.room,
    "days": audited_room.days,
}


def probes(archive: Path, keep: Path, settings: Settings, own: str) -> dict[str, Probe]:
    """Return the probes by name, as an executor takes them for the run ``own`` whose folder is ``keep``."""
    look = Look(archive, settings, own, keep)
    return {asked[name].name: once(asked[name], _of(look, rows)) for name, rows in _ROWS.items()}


def _of(look: Look, rows: Callable[[Look], Rows]) -> Callable[[PlanTarget], Rows]:
    return lambda target: rows(look)
