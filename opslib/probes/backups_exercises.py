"""What can be exercised on a game day, as a table to be read before anything is broken. No system is asked."""

from __future__ import annotations

from typing import Any

from opslib.guide.exercises import LINES
from opslib.guide.promises import PROMISES
from opslib.model import Probe
from opslib.systems.target import ReadTarget


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    lab = target.environment == "lab"
    return [
        {
            "service": service,
            "priority": PROMISES[service].priority,
            "method": f"ops drill {service} --day DAY: {line.fault}" if lab else line.elsewhere,
            "rollback": f"the drill's end; else ops lab mend {line.fault}" if lab else line.back,
            "runbook": line.notebook,
            "rto_minutes": PROMISES[service].rto.critical,
            "rpo_minutes": getattr(PROMISES[service].rpo, "critical", None),
        }
        for service, line in LINES.items()
    ]


exercises = Probe(
    "exercises",
    "What can be exercised, how it is broken and taken back, and what is promised",
    _read,
    source="opslib/guide/exercises.py, the guide's table of recovery objectives",
    units={"rto_minutes": "minutes", "rpo_minutes": "minutes"},
)
"""A row a service, by priority: what is done to it (``method``), what takes that back (``rollback``), its runbook, and
its promises. No system is asked."""
