"""What the archive has of an incident: each run with its steps and their times, and where a check's verdict turned.

A run counts while its seal holds and a key that may sign vouches for it. One that does not is named, and nothing that
stands in it is told: neither what came out, nor a step, nor a reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from opslib.archive import record
from opslib.archive.looked import once
from opslib.archive.made import may_change, started, touching, untrusted
from opslib.archive.record import Record
from opslib.archive.search_index import opened
from opslib.archive.store import Archive
from opslib.archive.summary import Summary, read, started_by_id
from opslib.archive.verify import verify
from opslib.canonical import to_json
from opslib.guide.incident import when
from opslib.guide.review import turns
from opslib.model import Probe, now
from opslib.probes.observability_record import BACK, MOST, MOST_TURNS, incident_record
from opslib.runs.cards import sub, text_of

NAME = incident_record.name
_LOOKS = re.compile(r"[0-9TZ]+-(?!reviews-incident-workbench-)(diagnostics|reviews)-")
"""Ids of runs of notebooks that only look (:func:`opslib.guide.incident.looks`)."""
_ENDS = ("applied", "verified", "settled", "resolved", "failed", "undone")


def probe(archive: Path, own: str) -> Probe:
    """Return the probe as an executor takes it that has this archive at hand; ``own`` is its run, not told.

    What many cells of one notebook show is one look: it is taken once.
    """
    return once(incident_record, lambda target: rows(archive, target.environment, own))


def rows(archive: Path, environment: str, own: str = "") -> list[dict[str, Any]]:
    """Return the rows of the last weeks' runs of an environment, newest first, and behind them those of the turns."""
    if not (archive / "log").is_dir():
        return []
    since = now() - BACK
    runs, sealed = _recent(archive, environment, own, since), set(verify(archive).sealed)
    faults = untrusted(archive, runs, sealed)
    changing = {
        run.run: record.load(archive / "runs" / run.run) for run in runs if may_change(run) and not faults[run.run]
    }
    told = [_row(run, faults[run.run], changing.get(run.run)) for run in runs]
    turned = _turned(archive, environment, since, changing)
    return [*told, *_exact(archive, turned[:MOST_TURNS], sealed)]


def _recent(archive: Path, environment: str, own: str, since: datetime) -> list[Summary]:
    """Return the newest runs, at most :data:`MOST` that may change something, and as many that only look."""
    found: list[Summary] = []
    left = {True: MOST, False: MOST}
    for run in reversed(Archive(archive).ids()):
        looks = _LOOKS.match(run) is not None
        if when(started_by_id(run)) < since or not any(left.values()):
            break
        if run == own or not left[looks]:
            continue
        said = read(archive, run)
        # One whose run.json cannot be read is told: it may be of any environment.
        if said.environment == environment or said.damage or said.sealed == "quarantined":
            found.append(said)
            left[looks] -= 1
    return found


def _row(run: Summary, fault: str, changed: Record | None) -> dict[str, Any]:
    believed = not fault and run.sealed == "sealed"
    agreed = changed.result.get("approvals") if changed is not None else None
    return {
        "kind": "run",
        "run": run.run,
        "notebook": run.notebook,
        "mode": run.mode,
        "by": run.who,
        "approved_by": [text_of(one, "principal") for one in agreed or () if isinstance(one, dict)],
        "started_at": started(run, fault),
        "finished_at": run.finished_at if believed else "",
        "state": run.state if believed else "",
        "verdict": run.verdict.value if believed and run.verdict else "",
        "sealed": run.sealed,
        "untrusted": fault,
        "report": run.report,
        "break_glass": run.break_glass,
        "steps": _steps(changed) if changed is not None else [],
    }


def _steps(run: Record) -> list[dict[str, str]]:
    """Return the steps that touched the target: when each was begun and ended, by the journal's own lines."""
    found = []
    for step in touching(run):
        lines = [line for line in run.journal if (text_of(line, "step") or text_of(line, "cell")) == step.key]
        begun = [text_of(line, "time") for line in lines if text_of(line, "event") in ("intent", "undoing")]
        ended = [text_of(line, "time") for line in lines if text_of(line, "event") in _ENDS]
        found.append(
            {
                "step": step.key,
                "title": text_of(step.plan, "title") or step.key,
                "status": step.status,
                "begun_at": begun[0] if begun else "",
                "ended_at": ended[-1] if ended else "",
                "verified": text_of(step.verification, "verdict"),
            }
        )
    return found


@dataclass(frozen=True)
class _Seen:
    """A result of a check: in which run, when its reading was taken ("" where only its journal knows), what it was."""

    run: str
    at: str
    verdict: str


def _turned(
    archive: Path, environment: str, since: datetime, changing: dict[str, Record]
) -> list[tuple[str, _Seen, _Seen]]:
    """Return where checks' verdicts turned, newest first: the check, its last result before that, its first after it.

    Runs that only look say each check once, so the index tells where it turned and only those journals are read; runs
    that change something look before and after it, so all of their results count.
    """
    by_check: dict[str, list[_Seen]] = {}
    with opened(archive) as index:
        for name, run, verdict in index.verdicts(environment, to_json(since)):
            if run not in changing:
                by_check.setdefault(name, []).append(_Seen(run, "", verdict))
    for run, said in changing.items():
        for name, at, verdict in _results(said):
            by_check.setdefault(name, []).append(_Seen(run, at, verdict))
    found = [(name, *pair) for name, seen in by_check.items() for pair in _pairs(seen)]
    return sorted(found, key=lambda one: _order(one[2]), reverse=True)


def _pairs(seen: list[_Seen]) -> list[tuple[_Seen, _Seen]]:
    seen.sort(key=_order)
    return [(seen[before], seen[after]) for before, after in turns([one.verdict for one in seen])]


def _order(one: _Seen) -> str:
    return one.at or started_by_id(one.run)


def _exact(
    archive: Path, found: Sequence[tuple[str, _Seen, _Seen]], sealed: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the turns with the moments of their readings; those of runs that are not believed say so."""
    runs = sorted({one.run for _, *pair in found for one in pair})
    faults = untrusted(archive, [read(archive, run) for run in runs], sealed)

    @cache
    def load(run: str) -> dict[str, str]:
        return {name: at for name, at, _ in _results(record.load(archive / "runs" / run))}

    def moment(one: _Seen, name: str) -> str:
        return one.at or ("" if faults[one.run] else load(one.run).get(name, "")) or started_by_id(one.run)

    for name, before, after in found:
        # A run may have looked a little later than another one that was begun after it.
        first, last = sorted((moment(before, name), moment(after, name)), key=when)
        yield {
            "kind": "turn",
            "check": name,
            "before": before.verdict,
            "before_at": first,
            "before_run": before.run,
            "after": after.verdict,
            "after_at": last,
            "after_run": after.run,
            "untrusted": faults[before.run] or faults[after.run],
        }


def _results(run: Record) -> Iterator[tuple[str, str, str]]:
    """Yield what a run's checks said, in order: name, moment of the reading, verdict."""
    for line in run.events("result"):
        result = sub(line, "result")
        at = text_of(sub(result, "reading"), "taken_at")
        yield text_of(result, "check"), at or text_of(line, "time"), text_of(result, "verdict")
