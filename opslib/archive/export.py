"""The archive as tables: sealed runs, what their checks and steps said, and the figures that were read, month by month.

Below a folder each table has one Parquet file a month (``runs/month=2026-11/part.parquet``). They hold what the sealed
files hold, which were redacted before they were sealed; they prove nothing and can be made anew at any time. A month
is written again only when other runs are sealed in it than before, and comes out the same for the same runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from opslib import files
from opslib.archive import record, searched, summary
from opslib.archive.holds import fates
from opslib.archive.log import Entry, Log
from opslib.archive.searched import Line
from opslib.archive.summary import Summary
from opslib.canonical import digest
from opslib.errors import ArchiveError, Refused
from opslib.runs.cards import sub, text_of

FORM: Final = "opslib export 1"
STATE: Final = "export.json"
"""What the folder holds, month by month; without it all is written anew."""

TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "runs": {
        "run": "VARCHAR",
        "notebook": "VARCHAR",
        "environment": "VARCHAR",
        "mode": "VARCHAR",
        "who": "VARCHAR",
        "started": "TIMESTAMP",
        "finished": "TIMESTAMP",
        "seconds": "DOUBLE",
        "state": "VARCHAR",
        "verdict": "VARCHAR",
        "exit_code": "INTEGER",
        "reason": "VARCHAR",
        "break_glass": "BOOLEAN",
        "manifest_sha256": "VARCHAR",
    },
    "results": {
        "run": "VARCHAR",
        "name": "VARCHAR",
        "text": "VARCHAR",
        "verdict": "VARCHAR",
        "value": "DOUBLE",
        "unit": "VARCHAR",
        "warning": "DOUBLE",
        "critical": "DOUBLE",
        "above": "BOOLEAN",
    },
    "steps": {"run": "VARCHAR", "name": "VARCHAR", "text": "VARCHAR", "status": "VARCHAR"},
    "said": {"run": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "text": "VARCHAR"},
    "readings": {
        "run": "VARCHAR",
        "time": "TIMESTAMP",
        "probe": "VARCHAR",
        "row": "INTEGER",
        "name": "VARCHAR",
        "value": "DOUBLE",
        "unit": "VARCHAR",
    },
}
"""Each table's columns with their types. ``said`` holds parameters, notes and ends; ``row`` counts from 1."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """How many runs the tables hold now, and which months were written or taken away."""

    runs: int
    written: tuple[str, ...]
    gone: tuple[str, ...]


def export(archive: Path, to: Path, progress: Callable[[str], None] | None = None) -> Exported:
    """Write the tables of the archive's sealed runs to ``to``; months that are as before are left alone.

    Raises Refused where the folder is somebody else's, ArchiveError where it cannot be written or DuckDB is not there.
    """
    from opslib.systems.duck_parquet import Writer

    runs = [one for run, one in sorted(fates(Log(archive)).closed.items()) if (archive / "runs" / run).is_dir()]
    if to.absolute().is_relative_to(archive.absolute()):
        raise Refused(f"{to} lies in the archive.", "Choose a folder elsewhere.")
    before = _state(to)
    months = {month: list(found) for month, found in groupby(runs, key=lambda one: f"{one.run[:4]}-{one.run[4:6]}")}
    held: dict[str, str] = {}
    written = []
    try:
        files.make_folder(to)
        with Writer(to / ".part") as writer:
            for month, closed in months.items():
                held[month] = digest([FORM, [[one.run, one.sha256] for one in closed]])
                if before.get(month) == held[month] and all(_path(to, name, month).is_file() for name in TABLES):
                    continue
                _month(archive, to, month, closed, writer)
                written.append(month)
                # Each month counts from when it is whole, so that an export that is broken off goes on with the next.
                files.write_json(to / STATE, {"form": FORM, "months": {**before, **held}})
                if progress:
                    progress(f"export: {month}, {len(closed)} runs")
        gone = sorted(before.keys() - months.keys())
        for month in gone:
            for name in TABLES:
                shutil.rmtree(_path(to, name, month).parent, ignore_errors=True)
        files.write_json(to / STATE, {"form": FORM, "months": held})
    except OSError as error:
        raise ArchiveError(f"{to} cannot be written: {error}.", "Look at its folder and disk.") from error
    return Exported(len(runs), tuple(written), tuple(gone))


def _state(to: Path) -> dict[str, str]:
    """Return the digest of each month that an earlier export left; raises Refused for a folder of other things."""
    try:
        said = json.loads(files.read_plain(to / STATE, summary.LARGEST))
        if said["form"] == FORM:
            return dict(said["months"])
    except FileNotFoundError:
        if to.is_dir() and any(path.name not in (*TABLES, ".part") for path in to.iterdir()):
            raise Refused(f"{to} is not empty and holds no export.", "Choose a new folder.") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return {}


def _path(to: Path, table: str, month: str) -> Path:
    return to / table / f"month={month}" / "part.parquet"


def _month(archive: Path, to: Path, month: str, closed: Iterable[Entry], writer: Any) -> None:
    with writer.rows(TABLES) as add:
        for one in closed:
            for table, row in rows(archive, one):
                add(table, row)
    for table, columns in TABLES.items():
        path = _path(to, table, month)
        files.make_folder(path.parent)
        writer.table(table, columns, path)


def rows(archive: Path, closed: Entry) -> Iterator[tuple[str, Row]]:
    """Yield the rows of one sealed run, each with its table; never raises for what is in the run's files."""
    told, read = summary.read(archive, closed.run), record.load(archive / "runs" / closed.run)
    yield "runs", _run(told, closed.sha256)
    for line in searched.lines(read, told.reason):
        yield _line(told.run, line)
    for event in read.events("reading", "result"):
        said = event if event.get("event") == "reading" else sub(event, "result")
        figures = _figures(sub(said, "reading"), {"run": told.run, "time": _moment(text_of(event, "time"))})
        yield from (("readings", row) for row in figures)


def _run(told: Summary, sha256: str) -> Row:
    return {
        "run": told.run,
        "notebook": told.notebook,
        "environment": told.environment,
        "mode": told.mode,
        "who": told.who,
        "started": _moment(told.started_at),
        "finished": _moment(told.finished_at),
        "seconds": told.seconds,
        "state": told.state,
        "verdict": str(told.verdict or ""),
        "exit_code": told.exit_code,
        "reason": told.reason,
        "break_glass": told.break_glass,
        "manifest_sha256": sha256,
    }


def _line(run: str, line: Line) -> tuple[str, Row]:
    row = {"run": run, "name": line.name, "text": line.text}
    if line.kind == "step":
        return "steps", row | {"status": line.verdict}
    if line.kind != "check":
        return "said", row | {"kind": line.kind}
    held = {"warning": line.warning, "critical": line.critical, "above": line.above}
    return "results", row | {"verdict": line.verdict, "value": line.value, "unit": line.unit} | held


def _figures(reading: Mapping[str, Any], known: Row) -> Iterator[Row]:
    """Yield each number of a reading; what is no number stays in the report."""
    units, found = sub(reading, "units"), reading.get("rows")
    for number, row in enumerate(found if isinstance(found, list) else (), 1):
        for name, value in row.items() if isinstance(row, dict) else ():
            figure = searched.number(value)
            if figure is not None:
                said = {"probe": text_of(reading, "probe"), "row": number, "name": str(name)}
                yield known | said | {"value": figure, "unit": text_of(units, name)}


def _moment(text: str) -> str | None:
    """Return an ISO time as UTC without its zone; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat()
