"""The drills of an archive, newest first: a record counts only as it was sealed, by a key that may sign here.

A drill is a run of its own (mode ``drill``) whose folder holds its record. Runs that the record names count only while
each of their bytes is what it was: the record has the digest of their manifests.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opslib import files
from opslib.archive import seal
from opslib.archive.log import Log
from opslib.archive.store import Archive
from opslib.archive.summary import Summary
from opslib.archive.verify import verify
from opslib.archive.verify_report import VerifyReport
from opslib.archive.vouched import unvouched
from opslib.canonical import to_json
from opslib.model import Probe
from opslib.probes import backups_drills as probes
from opslib.probes.backups_drill import FILE, Drill, Referred, damaged, rows_of
from opslib.runs.steps import DRILL
from opslib.systems.target import PlanTarget

NAME = probes.drills.name
MOST = 12
"""Drills of each sort, the tool's and game days', that are read at most, newest first: three years of one a quarter."""
MOST_LOOKED_AT = 1000
LARGEST = 4 * 1024 * 1024
GONE = "is in the log and its folder is gone"
CHANGED = "is not what was sealed"
STRANGE = "is not signed by a key that may sign here"


def probe(archive: Path) -> Probe:
    """Return the probe of drills as an executor takes it that has this archive at hand.

    The whole archive is verified, and then not again until something is added to its log: what many cells of one
    notebook show is one look.
    """
    seen: dict[tuple[int, str], list[dict[str, Any]]] = {}

    def read(target: PlanTarget) -> list[dict[str, Any]]:
        now = Log(archive).newest(), target.environment
        if now not in seen:
            seen.clear()
            seen[now] = drills(archive, target.environment)
        return seen[now]

    known = probes.drills
    return Probe(known.name, known.title, read, known.source, known.units, by_executor=True)


def drills(archive: Path, environment: str) -> list[dict[str, Any]]:
    """Return the rows of an environment's newest drills; a record that cannot be believed is one row that says why."""
    if not (archive / "log").is_dir():
        return []
    found = [run for run in Archive(archive).runs() if _of_drill(run, environment)][:MOST_LOOKED_AT]
    said = verify(archive)
    records = _newest({run.run: _record(archive, run, set(said.sealed)) for run in found})
    named = {one.run for record in records.values() for one in _runs(record)}
    strange = set(unvouched(Log(archive), {*records, *named}))
    rows = [damaged(run, GONE) for run in _gone(said)]
    for run, record in records.items():
        if isinstance(record, str) or run in strange:
            rows.append(damaged(run, record if isinstance(record, str) else STRANGE))
            continue
        held = {one.run: _changed(archive, one, said, strange) for one in _runs(record)}
        rows += to_json(rows_of(record, {name: why for name, why in held.items() if why}))
    return sorted(rows, key=lambda row: str(row["drill"]), reverse=True)


def _newest(records: dict[str, Drill | str]) -> dict[str, Drill | str]:
    """Return the newest of each sort; a tool that drills each night leaves no game day out."""
    counted: Counter[bool] = Counter()
    kept = {}
    for run, record in records.items():
        people = not isinstance(record, str) and bool(record.day)
        counted[people] += 1
        if counted[people] <= MOST:
            kept[run] = record
    return kept


def _of_drill(run: Summary, environment: str) -> bool:
    # A drill under way is none yet. One whose run.json cannot be read is told by its id, wherever it was.
    if "-drill-" not in run.run or run.sealed == "open":
        return False
    return (run.mode, run.environment) == (DRILL, environment) or bool(run.damage) or run.sealed == "quarantined"


def _gone(said: VerifyReport) -> list[str]:
    places = [finding.where.removeprefix("runs/") for finding in said.findings if finding.what == GONE]
    return [run for run in places if "-drill-" in run]


def _record(archive: Path, run: Summary, sealed: set[str]) -> Drill | str:
    """Return the record of a drill, or why there is none to be believed."""
    if run.sealed == "quarantined":
        return "is in quarantine: a secret stands in its files"
    if run.run not in sealed:
        return CHANGED
    try:
        record = Drill.model_validate_json(files.read_plain(archive / "runs" / run.run / FILE, LARGEST))
    except FileNotFoundError:
        return "was broken off and has no record; the next drill mends what it left"
    except (OSError, ValidationError):
        return "has a record that this version cannot read"
    return record if record.drill == run.run else f"has the record of {record.drill}"


def _runs(record: Drill | str) -> list[Referred]:
    return [] if isinstance(record, str) else [run for one in record.exercises for run in one.runs]


def _changed(archive: Path, one: Referred, said: VerifyReport, strange: set[str]) -> str:
    """Return what is wrong with a run that a drill names; empty when it is the very run that it began."""
    if one.run not in said.sealed:
        return CHANGED
    if one.run in strange:
        return STRANGE
    try:
        same = seal.sha256(archive / "runs" / one.run / seal.MANIFEST) == one.sha256
    except OSError:
        same = False
    return "" if same else "is another run than the drill began"
