"""What was run on a target of late, newest first: what it was, who asked, what came out, and whether it is sealed.

A run counts as documented only while its seal holds and a key that may sign vouches for it. What people did by hand
is not in the archive, and not here.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from opslib.archive import record
from opslib.archive.drills import CHANGED, STRANGE
from opslib.archive.log import Log
from opslib.archive.looked import once
from opslib.archive.record import Record, Step
from opslib.archive.searched import lines
from opslib.archive.store import Archive
from opslib.archive.summary import Summary, started_by_id
from opslib.archive.verify import verify
from opslib.archive.vouched import unvouched
from opslib.guide.incident import TRIAGE, looks, when
from opslib.model import Effect, Probe, Verdict, now
from opslib.probes.observability_made import BACK, MOST, runs_made
from opslib.runs.cards import text_of

NAME = runs_made.name
MOST_ILL = 20


def probe(archive: Path, own: str) -> Probe:
    """Return the probe of runs as an executor takes it that has this archive at hand; ``own`` is its run, not told.

    What many cells of one notebook show is one look: it is taken once.
    """
    return once(runs_made, lambda target: rows(archive, target.environment, own))


def rows(archive: Path, environment: str, own: str = "") -> list[dict[str, Any]]:
    """Return the rows of the newest runs of an environment, at most :data:`MOST`."""
    if not (archive / "log").is_dir():
        return []
    # One whose run.json cannot be read is told: it may be of any environment.
    found = [
        run
        for run in _recent(archive)
        if run.run != own and (run.environment == environment or run.damage or run.sealed == "quarantined")
    ][:MOST]
    faults = untrusted(archive, found, verify(archive).sealed)
    newest = next((run.run for run in found if run.notebook == TRIAGE and run.state == "finished"), "")
    return [_row(archive, run, faults[run.run], newest) for run in found]


def untrusted(archive: Path, runs: Collection[Summary], sealed: Collection[str]) -> dict[str, str]:
    """Return of each run why it is not believed: empty where its seal holds and a key that may sign vouches for it.

    ``sealed`` are the runs whose seals hold (``verify``). Of one that is open or in quarantine nothing was sealed;
    that is told by ``sealed`` of its summary.
    """
    holds, strange = set(sealed), set(unvouched(Log(archive), {run.run for run in runs}))
    return {run.run: _fault(run, holds, strange) for run in runs}


def _fault(run: Summary, sealed: set[str], strange: set[str]) -> str:
    if run.damage or run.sealed != "sealed":
        return run.damage
    return CHANGED if run.run not in sealed else STRANGE if run.run in strange else ""


def _recent(archive: Path) -> list[Summary]:
    """Return the summaries of the last days' runs, newest first; no more of a long archive is read than it takes."""
    since, many = now() - BACK, MOST
    while True:
        read = Archive(archive).runs(many)
        if len(read) < many or when(started_by_id(read[-1].run)) < since:
            return [run for run in read if when(started_by_id(run.run)) >= since]
        many *= 4


def _row(archive: Path, run: Summary, fault: str, newest: str) -> dict[str, Any]:
    steps = _steps(archive / "runs" / run.run) if may_change(run) else []
    return {
        "run": run.run,
        "notebook": run.notebook,
        "mode": run.mode,
        "by": run.who,
        "started_at": started(run, fault),
        "finished_at": run.finished_at,
        "state": run.state,
        "verdict": run.verdict.value if run.verdict else "",
        "sealed": run.sealed,
        "untrusted": fault,
        "report": run.report,
        "break_glass": run.break_glass,
        "steps": steps,
        "ill": _ill(archive / "runs" / run.run) if run.run == newest else [],
    }


def started(run: Summary, fault: str) -> str:
    """Return when a run began: of one that is not believed as its id has it.

    The id of a run that applies, resumes or undoes a plan says when that was made.
    """
    return run.started_at if run.started_at and not fault else started_by_id(run.run)


def may_change(run: Summary) -> bool:
    """Tell whether a run may have changed something, and its record may be read."""
    return run.sealed != "quarantined" and run.mode != "plan" and not looks(run.notebook)


def _steps(folder: Path) -> list[dict[str, str]]:
    return [{"step": step.key, "status": step.status} for step in touching(record.load(folder))]


def touching(run: Record) -> list[Step]:
    """Return the steps of a run that touched the target; a plan alone touches nothing."""
    off_target = {effect.value for effect in Effect if not effect.on_target}
    return [
        step
        for step in record.steps(run)
        if step.status not in ("planned", "refused", "interrupted") and text_of(step.plan, "effect") not in off_target
    ]


def _ill(folder: Path) -> list[dict[str, str]]:
    """Return what a run found that is not OK, worst first."""
    order = list(Verdict)
    bad = [
        {"check": line.name, "verdict": line.verdict, "says": line.text}
        for line in lines(record.load(folder))
        if line.kind == "check" and line.verdict in order and line.verdict != Verdict.OK
    ]
    return sorted(bad, key=lambda one: -order.index(Verdict(one["verdict"])))[:MOST_ILL]
