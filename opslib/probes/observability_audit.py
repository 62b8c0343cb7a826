"""What an auditor asks of the whole archive, where the executor looks it up: one look, told from several sides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

BACK = timedelta(days=92)
"""How far back is told what is no damage: silence, missed due times, changed keys, redactions. A quarter."""
MOST = 200
"""Rows of one sort that are told at most, the worst or the newest."""
LOG = "the archive's log and the folders of its runs"


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


def _probe(name: str, title: str, source: str = LOG, **units: str) -> Probe:
    return Probe(f"archive-{name}", title, _read, source, units, by_executor=True)


archive: dict[str, Probe] = {
    "seals": _probe("seals", "Every entry, seal, signature, approval and journal, verified"),
    "keys": _probe("keys", "Keys that the log adds, and what each signed"),
    "heads": _probe("heads", "What others hold of the log", "the bucket of published heads", behind_hours="hours"),
    "dates": _probe(
        "dates", "Between which moments entries were written", "time stamps and published heads", widest_hours="hours"
    ),
    "silences": _probe("silences", "Times without an entry", hours="hours", allowed_hours="hours"),
    "runs": _probe("runs", "Every run from open to close, by target", f"{LOG}; run by run: evidence/archive-audit"),
    "unsettled": _probe("unsettled", "Works that were broken off, and where each was left"),
    "agreed": _probe(
        "agreed", "What changed something, held against who agreed", "plans, approvals and journals of runs"
    ),
    "words": _probe(
        "words",
        "Signed words that runs showed, and whether they still lie there",
        "evidence of runs, words/, sign-offs/",
    ),
    "due": _probe("due", "Due times of all schedules, by what became of them", "schedules/, held against the runs"),
    "redactions": _probe("redactions", "Runs that were redacted or not sealed"),
    "room": _probe(
        "room", "What the archive takes, and the room that it has", "the archive's file system", size="bytes"
    ),
    "days": _probe("days", "The archive from its first entry until now, for a picture"),
}
"""By what is asked. ``kind`` says what a row is: ``finding`` (``severity``, ``where``, ``what`` and the ``run`` that it
is of), else what the probe counts. Where an archive is at hand, :mod:`opslib.archive.audited` reads it."""
