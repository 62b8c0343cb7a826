"""Game days for tests: words, drills that people recovered, and runs, as the rows that the archive tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from opslib.canonical import to_json
from opslib.model import Reading
from opslib.probes.backups_drill import rows_of
from opslib.probes.backups_game_day import game_days
from opslib.runs.words import Word
from tests.drills import BEGAN, NOW, drill, exercise

DAY, BEFORE = "2026-q4", "2026-q3"


def word(moment: str, seconds: float = 0.0, **said: Any) -> Word:
    """Return Ben's word of a moment so many seconds after the fault, known to the second."""
    at = BEGAN + timedelta(seconds=seconds)
    known: dict[str, Any] = {
        "environment": "lab",
        "day": DAY,
        "by": "ben@valuecanvas",
        "signed_at": at,
        "service": "database",
        "at": at,
    }
    known |= {"runbook": "disaster/recover-database"} if moment == "opened" else {}
    return Word(**{**known, "moment": moment, "within": 1, **said})


def told(moment: str, seconds: float = 0.0, **said: Any) -> dict[str, Any]:
    """Return the row of such a word."""
    one = word(moment, seconds, **said)
    return {"kind": "word", "id": one.id, **to_json(one), "file": "a.word"}


def drilled(service: str = "database", day: str = DAY, shift: timedelta = timedelta(), **said: Any) -> dict[str, Any]:
    """Return the row of a service that a drill broke on the day and people recovered."""
    made = exercise(service, **{"began_at": BEGAN + shift, **said})
    name = f"{BEGAN + shift:%Y%m%dT%H%M%SZ}-drill-a1b2c3"
    (row,) = to_json(rows_of(drill(made, name=name, day=day, led_by="ann@ops-1"), {}))
    return {"kind": "drill", **row}


def ran(notebook: str, seconds: float, by: str = "ben@ops-2", **said: Any) -> dict[str, Any]:
    """Return the row of a run that somebody began so many seconds after the fault."""
    started = BEGAN + timedelta(seconds=seconds)
    known = {
        "run": f"{started:%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-a1b2c3",
        "mode": "plan",
        "state": "finished",
    }
    known |= {"started_at": started.isoformat(), "finished_at": (started + timedelta(seconds=1)).isoformat()}
    return {
        "day": DAY,
        "kind": "run",
        "notebook": notebook,
        "by": by,
        "verdict": "OK",
        "untrusted": "",
        **known,
        **said,
    }


def reading(*rows: dict[str, Any], taken_at: datetime = NOW, **said: Any) -> Reading:
    """Return the reading of ``probes.backups.game_days`` of an archive with these rows."""
    return Reading(game_days.name, game_days.title, "lab", taken_at, 0.1, rows, **said)
