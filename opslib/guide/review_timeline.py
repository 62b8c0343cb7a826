"""What happened in an incident, line by line, from the archive's runs and their steps. Pure.

A run whose seal does not verify is named and not believed: nothing of what stands in it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from opslib.guide.incident import looks, undocumented, when
from opslib.guide.review import NOTEBOOK, WORD, Times, Told, turned
from opslib.model import Row

Line = dict[str, Any]
AGREED = "approver"
"""The role that is named beside the requester's."""


def runs(told: Told, times: Times, rows: Sequence[Row], now: datetime) -> list[Row]:
    """Return the runs begun while an incident lasted, oldest first, other reviews of it aside."""
    began = times.moments.get("began")
    if began is None:
        return []
    end = (told.resolved + WORD) if told.resolved is not None else now
    made = (row for row in rows if row["kind"] == "run" and row["notebook"] != NOTEBOOK)
    own = [row for row in made if began.earliest <= when(row["started_at"]) <= end]
    return sorted(own, key=lambda row: str(row["started_at"]))


def lines(told: Told, times: Times, rows: Sequence[Row], now: datetime) -> list[Line]:
    """Return the lines of a timeline, oldest first: moments, readings, runs and steps, each with who and where."""
    own = runs(told, times, rows, now)
    found = [*_moments(times), *_readings(told, rows), *(line for row in own for line in _of(row))]
    return sorted(found, key=lambda line: when(line["at"]))


def _moments(times: Times) -> Iterator[Line]:
    for name, one in times.moments.items():
        what = f"{name}, between {one.earliest:%H:%M:%S} and {one.latest:%H:%M:%S} UTC"
        yield _line(one.earliest, what, one.source, "", "")


def _readings(told: Told, rows: Sequence[Row]) -> Iterator[Line]:
    for turn in turned(told, rows):
        for which in ("before", "after") if turn is not None else ():
            assert turn is not None
            where = f"runs/{turn[f'{which}_run']}/report.html"
            yield _line(turn[f"{which}_at"], f"reading of {told.shown_by}", "", turn[which], where)


def _of(row: Row) -> Iterator[Line]:
    """Yield a run and behind it the steps by which it touched the target."""
    if row["untrusted"]:
        said = f"run {row['run']}: named, and not believed, for it {str(row['untrusted']).rstrip('.')}"
        yield _line(row["started_at"], said, "", "not believed", "")
        return
    came = row["verdict"] or row["state"] or row["sealed"]
    yield _line(row["started_at"], f"{row['notebook']} ({row['mode']}) begun", who(row), came, row["report"])
    for step in row["steps"]:
        at = step["begun_at"] or row["started_at"]
        ended = f", ended {step['ended_at'][11:19]} UTC" if step["ended_at"] else ""
        verified = f", verified {step['verified']}" if step["verified"] else ""
        where = f"{row['report']}#cell-id={step['step']}"
        yield _line(at, f"{step['title']} ({step['step']}{ended})", who(row), f"{step['status']}{verified}", where)


def who(row: Row) -> str:
    """Return who asked for a run and who agreed to it, each by role."""
    agreed = "".join(f", {AGREED} {name}" for name in row["approved_by"])
    return f"requester {row['by']}{agreed}{', glass broken' if row['break_glass'] else ''}"


def _line(at: Any, what: str, by: str, came_out: str, where: str) -> Line:
    return {"at": at, "what": what, "who": by, "came_out": came_out, "where": where}


def lacking(row: Row) -> str:
    """Return why a run is no part of a whole record; empty where it is, or where it only looked and is sealed."""
    if row["untrusted"]:
        return str(row["untrusted"]).rstrip(".")
    return "" if looks(row["notebook"]) and row["sealed"] == "sealed" else undocumented(row)
