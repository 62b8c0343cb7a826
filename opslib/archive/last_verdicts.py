"""What came out last of each cell that carries out an item of the guide: read from the archive, for a person.

It proves nothing (``ops archive verify`` does) and looks at a bounded number of runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib.archive import record
from opslib.archive.record import Record
from opslib.archive.store import Archive
from opslib.archive.summary import Summary
from opslib.canonical import to_json
from opslib.guide.catalogue import Place
from opslib.model import Verdict
from opslib.runs.cards import sub, text_of

MOST_RUNS = 1_000
LOOKED_AT = ("run", "apply", "resume")
"""Modes of runs that do what the notebook is for; a plan has not done it yet, and an undo did the contrary."""


@dataclass(frozen=True)
class Last:
    """The verdict of a cell in the newest run of its notebook.

    ``of`` says whose verdict it is: ``cell`` where checks or steps of the cell were judged, ``run`` where the cell
    shows what others judge, ``not reached`` where the run ended before it.
    """

    verdict: Verdict
    of: str
    run: str
    started_at: str


def of_items(archive: Path, places: Sequence[Place], environment: str) -> list[dict[str, Any]]:
    """Return a row for each place of an item: item, notebook, cell and, once it was run there, its verdict."""
    cells = {(place.notebook, place.cell) for place in places}
    last = last_verdicts(archive, Archive(archive).runs(MOST_RUNS), cells, environment)
    rows = []
    for place in places:
        said = last.get((place.notebook, place.cell))
        told = to_json(said) if said else dict.fromkeys(("verdict", "of", "run", "started_at"))
        rows.append({"item": place.id, "notebook": place.notebook, "cell": place.cell, **told})
    return rows


def shown(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row of :func:`of_items` as a person reads it."""
    of = "" if row["of"] in (None, "cell") else f" ({row['of']})"
    verdict = f"{row['verdict']}{of}" if row["run"] else "never run"
    return {
        "item": row["item"],
        "where": f"{row['notebook']}#{row['cell']}",
        "verdict": verdict,
        "run": row["run"] or "-",
    }


def last_verdicts(
    archive: Path, runs: Iterable[Summary], cells: Collection[tuple[str, str]], environment: str
) -> dict[tuple[str, str], Last]:
    """Return by (notebook, cell) what came out of it last; a notebook that was not run there has no entry.

    ``runs`` are the archive's, newest first.
    """
    wanted = {notebook for notebook, _ in cells}
    found: dict[tuple[str, str], Last] = {}
    for run in runs:
        if run.notebook not in wanted or run.mode not in LOOKED_AT or run.environment != environment:
            continue
        if run.sealed == "sealed":
            wanted.remove(run.notebook)
            read = record.load(archive / "runs" / run.run)
            own = (cell for notebook, cell in cells if notebook == run.notebook)
            found |= {(run.notebook, cell): _last(read, cell, run.started_at) for cell in own}
    return found


def _last(read: Record, cell: str, started_at: str) -> Last:
    own = _own(read, cell)
    if own:
        return Last(Verdict.worst(own), "cell", read.name, started_at)
    if read.state == "finished":
        return Last(Verdict(read.verdict), "run", read.name, started_at)
    return Last(Verdict.UNKNOWN, "not reached", read.name, started_at)


def _own(read: Record, cell: str) -> list[Verdict]:
    """The newest verdict of each check of the cell, and that of each of its steps; a step without one is UNKNOWN."""
    said: dict[str, str] = {}
    for line in read.events("result"):
        result = sub(line, "result")
        if line.get("cell") == cell:
            said[f"check {text_of(result, 'check')}"] = text_of(result, "verdict")
    for step in record.steps(read):
        if step.cell == cell:
            said[f"step {step.key}"] = text_of(step.verification, "verdict")
    return [Verdict(word) if word in list(Verdict) else Verdict.UNKNOWN for word in said.values()]
