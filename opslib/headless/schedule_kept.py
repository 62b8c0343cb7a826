"""The due times of the last day as a probe's rows, where archive and table are at hand."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib.archive.due_times import FOLDER
from opslib.archive.looked import once
from opslib.errors import Unreachable, UsageError
from opslib.headless import schedule_table
from opslib.headless.schedule_looking import KEPT, UNKEPT, Due, entries, installed, unkept
from opslib.headless.schedule_telling import untold
from opslib.model import Probe, now
from opslib.probes.observability_audit import BACK as AUDITED
from opslib.probes.observability_audit import MOST
from opslib.probes.observability_audit import archive as audit
from opslib.probes.observability_schedules import BACK, due_times
from opslib.systems.target import PlanTarget

NAME = due_times.name
AUDIT = audit["due"].name
WORDS = (*KEPT, *UNKEPT)


def probe(archive: Path) -> Probe:
    """Return the probe of due times as an executor takes it that has this archive at hand."""

    def read(target: PlanTarget) -> list[dict[str, Any]]:
        return rows(archive, target.environment, now())

    known = due_times
    return Probe(known.name, known.title, read, known.source, known.units, by_executor=True)


def passed(archive: Path) -> Probe:
    """Return the probe of all schedules' due times over the time that an audit looks back on."""
    return once(audit["due"], lambda target: summed(archive, now()))


def summed(archive: Path, moment: datetime, table: Path | None = None) -> list[dict[str, Any]]:
    """Return a row per schedule with what became of its due times, then those that came to nothing, newest first.

    Schedules of every target; one that the table does not hold any more is told, for nobody knows what it allowed.
    """
    read = schedule_table.read(table)
    counted, odd = list[dict[str, Any]](), list[Due]()
    for one in read.rows:
        found = entries(archive, one, moment - AUDITED, moment)
        counts = Counter(due.word for due in found)
        words = {word: counts[word] for word in WORDS}
        counted.append({"kind": "schedule", "schedule": one.name, "due_times": len(found), **words})
        odd += unkept(found)
    known = {one.name for one in read.rows} | set(read.faults)
    folder = archive / FOLDER
    others = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    untold = [{"kind": "untold", "schedule": name, "says": "; ".join(faults)} for name, faults in read.faults.items()]
    untold += [
        {"kind": "untold", "schedule": name, "says": "is not in the table any more"}
        for name in others
        if name not in known
    ]
    newest = sorted(odd, key=lambda due: due.due, reverse=True)[:MOST]
    return [*counted, *untold, *({"kind": "due", **due.row} for due in newest)]


def rows(archive: Path, environment: str, moment: datetime, table: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of an environment's schedules; raises Unreachable where there is no table that can be read."""
    try:
        read = schedule_table.read(table)
    except UsageError as error:
        raise Unreachable(error.message, error.next_step) from error
    found: list[Due] = []
    # Of which environment such a row was meant to be, nobody knows.
    odd = [Due(name, moment, "faulty", says="; ".join(faults)) for name, faults in read.faults.items()]
    for one in read.rows:
        if one.environment == environment:
            found += entries(archive, one, moment - BACK, moment)
            if why := installed(archive, one):
                odd.append(Due(one.name, moment, "not installed", says=why))
    for row in untold(archive, read, moment, environment):
        odd.append(Due(row["to"], moment, "not told", says=f"{row['facts']} to tell; {row['why']}"))
    told = [due.row for due in sorted(found, key=lambda due: due.due)]
    return [*told, *({**due.row, "due": None} for due in odd)]
