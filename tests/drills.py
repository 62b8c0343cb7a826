"""Drills for tests: tries written as a text, exercises with figures that are easy to check, whole records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opslib.canonical import to_json
from opslib.model import Reading
from opslib.probes.backups_drill import Drill, Exercise, Loss, Moments, Referred, Sample, rows_of
from opslib.probes.backups_drills import drills

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BEGAN = datetime(2026, 11, 29, 11, tzinfo=UTC)
ID = "20261129T110000Z-drill-a1b2c3"
RUN = "20261129T110000Z-runbooks-restore-database-a1b2c3"


def tries(course: str, began: float) -> list[Sample]:
    """Return a try of one second for each sign: ``.`` was good, ``x`` failed."""
    return [
        Sample(n=n, began=began + n - 1, ended=began + n, why="refused" if sign == "x" else "")
        for n, sign in enumerate(course, 1)
    ]


MOMENTS = Moments(broken=1.0, out=1.5, detected=2.0, acknowledged=2.1, ended=9.0, mitigated=10.0, resolved=12.0)
LOSS = Loss(counted="rows", acknowledged=100, lost=3, seconds=30.0, stated_seconds=40.0)


def exercise(service: str, why: str = "", **said: Any) -> Exercise:
    """Return an exercise in which all went well, changed by ``said``; with ``why`` one that was not drilled."""
    known: dict[str, Any] = {
        "service": service,
        "fault": "table-dropped",
        "notebook": "runbooks/restore-database",
        "detects": "database-core-tables",
        "why": why,
    }
    if not why:
        run = {"run": RUN, "what": "plan", "state": "finished", "verdict": "OK", "seconds": 1.0, "sha256": "0" * 64}
        known |= {
            "began_at": BEGAN,
            "moments": MOMENTS,
            "tries": 50,
            "failed": 20,
            "loss": LOSS if service == "database" else LOSS.model_copy(update={"lost": 0, "seconds": 0.0}),
            "runs": (Referred.model_validate(run),),
        }
    return Exercise.model_validate(known | said)


def drill(*exercises: Exercise, name: str = ID, **said: Any) -> Drill:
    """Return a record of these exercises."""
    known: dict[str, Any] = {
        "drill": name,
        "environment": "lab",
        "led_by": "ada@ops-1",
        "started_at": BEGAN,
        "finished_at": NOW,
        "state": "finished",
        "exercises": exercises,
    }
    return Drill.model_validate(known | said)


def reading(*records: Drill, unsealed: dict[str, str] | None = None, **said: Any) -> Reading:
    """Return the reading of ``probes.backups.drills`` of an archive with these records."""
    rows = [row for record in records for row in to_json(rows_of(record, unsealed or {}))]
    return Reading(drills.name, drills.title, "lab", NOW, 0.1, tuple(rows), **said)
