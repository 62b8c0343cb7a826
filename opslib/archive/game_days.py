"""Game days as the archive has them: drills that broke something for people, runs meanwhile, and people's signed words.

A drill counts as :mod:`opslib.archive.drills` says; a run while its seal holds and a key that may sign vouches for
it; a word while its own signature holds. The words that a run of the notebook showed are kept in its folder, with the
list of keys that they were verified with: an auditor needs neither this archive's other folders nor this program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from opslib.archive import drills
from opslib.archive.log import Log
from opslib.archive.looked import once
from opslib.archive.store import Archive
from opslib.archive.summary import Summary, started_by_id
from opslib.archive.verify import verify
from opslib.archive.vouched import unvouched
from opslib.canonical import to_json
from opslib.guide.game_day import NAME as NOTEBOOK
from opslib.guide.game_day import when
from opslib.model import Probe, now
from opslib.probes.backups_game_day import game_days
from opslib.runs import witness
from opslib.runs.words import Word
from opslib.settings import Settings

NAME = game_days.name
MOST = 12
"""Game days whose rows are read at most, newest first: three years of one a quarter."""
MOST_RUNS = 1000
BEFORE = timedelta(hours=2)
"""How long before the first fault a look at the whole system counts as one at the steady state."""
AFTER = timedelta(hours=1)
KINDS = ("diagnostics/", "runbooks/", "disaster/")


def probe(archive: Path, keep: Path, settings: Settings) -> Probe:
    """Return the probe of game days as an executor takes it: of this archive, for a run whose folder is ``keep``.

    What many cells of one notebook show is one look: it is taken once.
    """
    return once(game_days, lambda target: rows(archive, settings, keep))


def rows(archive: Path, settings: Settings, keep: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of the newest game days of a target; the verified words are copied to ``keep``."""
    every = drills.drills(archive, settings.environment)
    drilled = [row for row in every if row["day"]]
    folder = archive / witness.FOLDER
    names = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in {*names, *(row["day"] for row in drilled)}}
    for row in drilled:
        found[row["day"]].append({"kind": "drill", **row})
    for name in names:  # what lies there under another name than a day's has no word of that day
        collected = witness.collect(folder / name, name, settings, now())
        found[name] += [_word(one) for one in collected.heard]
        found[name] += [{"day": name, "kind": "refused", "why": why} for why in collected.refusals]
        found[name] += [{"day": name, "kind": "unverified", "why": collected.unknown}] if collected.unknown else []
        if keep is not None and collected.heard:
            witness.keep(keep / "evidence" / witness.FOLDER / name, collected.heard, settings)
    ends = {name: span for name, one in found.items() if (span := _span(one)) is not None}
    newest = sorted(ends, key=lambda name: ends[name][0])[-MOST:]
    strays = [name for name, one in found.items() if name not in ends and one]
    for row in (row for row in every if row["damage"]):
        # Whose record cannot be believed says no more on which day it was; its id does.
        at = when(started_by_id(row["drill"]))
        for name in [name for name, (first, last) in ends.items() if first - BEFORE <= at <= last]:
            found[name].append({**row, "kind": "drill", "day": name})
    runs = list(_runs(archive, settings.environment, {name: ends[name] for name in newest}))
    return [row for name in (*newest, *strays) for row in (*found[name], *(run for run in runs if run["day"] == name))]


def _word(one: witness.Heard[Word]) -> dict[str, Any]:
    return {"kind": "word", "id": one.word.id, **to_json(one.word), "file": one.name}


def _span(rows: Sequence[dict[str, Any]]) -> tuple[datetime, datetime] | None:
    """Return from when to when something was broken or told on a day; None where nothing has a time."""
    times = [when(row["at"]) for row in rows if row["kind"] == "word" and row["moment"] not in ("action", "done")]
    for row in rows:
        if row["kind"] == "drill" and row.get("began_at"):
            began = when(row["began_at"])
            lasted = [float(row[name] or 0.0) for name in ("ended_seconds", "resolved_seconds", "mitigated_seconds")]
            times += [began, began + timedelta(seconds=max(lasted))]
    return (min(times), max(times)) if times else None


def _runs(archive: Path, environment: str, ends: dict[str, tuple[datetime, datetime]]) -> Iterator[dict[str, Any]]:
    """Yield the runs of each day: from shortly before its first moment to shortly after its last."""
    if not ends or not (archive / "log").is_dir():
        return
    near: list[tuple[str, Summary]] = []
    for run in Archive(archive).runs(MOST_RUNS):
        if run.environment != environment or not run.notebook.startswith(KINDS) or run.sealed != "sealed":
            continue
        if run.mode == "drill" or run.notebook == NOTEBOOK or not run.started_at:
            continue
        started = when(run.started_at)
        near += [(day, run) for day, (first, last) in ends.items() if first - BEFORE <= started <= last + AFTER]
    sealed, strange = set(verify(archive).sealed), unvouched(Log(archive), {run.run for _, run in near})
    for day, run in near:
        untrusted = drills.CHANGED if run.run not in sealed else drills.STRANGE if run.run in strange else ""
        yield {
            "day": day,
            "kind": "run",
            "run": run.run,
            "notebook": run.notebook,
            "mode": run.mode,
            "by": run.who,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "state": run.state,
            "verdict": run.verdict.value if run.verdict else "UNKNOWN",
            "untrusted": untrusted,
        }
