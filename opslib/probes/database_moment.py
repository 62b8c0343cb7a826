"""A moment that the database may be brought back to: what was committed around it, and what is lost by going there.

Supabase goes back to whole seconds (``recovery_time_target_unix``). PostgreSQL stops a recovery to a time behind the
last commit at or before it (manual, "Recovery Target"). So the second before a bad commit is the one to ask for, and
what was committed in between is lost though it was good. All of this is known by commit times
(``track_commit_timestamp``); without them only bounds are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.errors import UsageError
from opslib.model import Probe, Row, now
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.target import PlanTarget, ReadTarget

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOOKED_AT = 200_000
"""Transaction numbers, the newest, whose commit times are looked at: a tenth of a second, on a busy machine one."""
TABLES = 300
"""Tables, those with most changes, whose rows are counted."""
SHOWN = 30

SINCE, TIMES, AROUND = (question(f"moment/{name}") for name in ("commits_since", "commit_times", "commits_around"))
COUNTED = question("moment/changes_counted")


@dataclass(frozen=True)
class Commit:
    """A committed transaction: its number, and when it was committed by the server's clock."""

    xid: str
    at: datetime

    def said(self) -> dict[str, str]:
        """Return it as a plan has it."""
        return {"xid": self.xid, "at": self.at.isoformat()}


@dataclass(frozen=True)
class Commits:
    """What was committed after a moment. ``dated``: whether the server keeps commit times at all.

    ``kept`` is the last commit up to it: a right recovery has it. ``first`` is the first one after it, and
    ``newest`` the last of all: a right recovery has neither. ``count`` is exact where ``kept`` is known, else a lower
    bound; a subtransaction counts as one. ``between`` are those before another moment, the one that is really meant.
    """

    dated: bool
    count: int
    between: int
    kept: Commit | None
    first: Commit | None
    newest: Commit | None


def moment_of(text: str) -> datetime:
    """Return the moment in ``text`` (ISO 8601, UTC); raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"{text!r} is no moment.", "Write it in UTC, as 2026-11-29T10:00:00.123456Z.")
    return found.astimezone(UTC)


def second_before(moment: datetime) -> int:
    """Return the last whole second (Unix time) before ``moment``: a recovery to it has nothing of that moment."""
    whole, rest = divmod(moment - EPOCH, SECOND)
    return whole if rest else whole - 1


def at_second(second: int) -> datetime:
    """Return the moment of a Unix time."""
    return EPOCH + second * SECOND


def commits_since(target: ReadTarget, since: datetime, moment: datetime) -> Commits:
    """Look which transactions were committed after ``since``, and how many before ``moment``; raises Unreachable."""
    given = {"second": since, "moment": moment, "most": LOOKED_AT}
    (row,) = target.database.ask(SINCE, given)
    kept, first, newest = (_commit(row, name) for name in ("kept", "first", "newest"))
    return Commits(row["dated"], row["commits"], row["between_commits"], kept, first, newest)


def _commit(row: Row, name: str) -> Commit | None:
    return Commit(row[f"{name}_xid"], row[f"{name}_at"]) if row[f"{name}_xid"] is not None else None


def commit_times(target: ReadTarget, xids: Iterable[str]) -> dict[str, datetime | None]:
    """Return when each transaction was committed, as the server has it now; None where it has nothing of it."""
    asked = sorted(set(xids))
    return {row["xid"]: row["at"] for row in target.database.ask(TIMES, {"xids": asked})} if asked else {}


def lost_rows(target: PlanTarget, second: int) -> list[dict[str, Any]]:
    """Return a row per table that was changed after ``second``: rows written since that are there now, and how known.

    ``deleted_at_most`` is the server's counter since ``counted_since``: of a deleted row nothing is left to be dated.
    """
    tables = target.database.ask(COUNTED)
    found = []
    for one in tables[:TABLES]:
        seen = target.rows.written_since(one["schema"], one["table"], at_second(second), one["pages"])
        how = seen.why or ("estimated from some pages" if seen.sampled else "counted")
        row = {"table": f"{one['schema']}.{one['table']}", "written": seen.rows, "how": how}
        found.append(row | {"deleted_at_most": one["deleted"], "counted_since": one["counted_since"]})
    for one in tables[TABLES:]:
        row = {"table": f"{one['schema']}.{one['table']}", "written": None, "how": f"not among the first {TABLES}"}
        found.append(row | {"deleted_at_most": one["deleted"], "counted_since": one["counted_since"]})
    touched = [row for row in found if row["written"] != 0 or row["deleted_at_most"]]
    return sorted(touched, key=lambda row: (row["written"] is not None, -(row["written"] or 0), row["table"]))


Found = tuple[str, str, str, bool | None]
"""What was looked at, what is right, what is there, and whether it is right (None: nobody can tell)."""


def evidence(plan: Mapping[str, Any], values: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Found]:
    """Hold what a server is now against what a recovery was planned from: no vendor's word is among it.

    ``plan``: ``system``, ``timeline``, ``kept``, ``first``, ``bad`` (commits, or None). ``values``: ``newest``.
    ``seen``: ``system``, ``timeline``, ``standby``, ``times`` (commit times by number), ``tables`` (True: has rows).
    """
    rows: list[Found] = [
        ("system identifier", plan["system"], seen["system"], plan["system"] == seen["system"]),
        ("timeline", f"after {plan['timeline']}", str(seen["timeline"]), seen["timeline"] > plan["timeline"]),
        ("takes writes", "yes", "no" if seen["standby"] else "yes", not seen["standby"]),
        _there("last commit before the moment", plan["kept"], seen["times"]),
        _gone("first commit after it", plan["first"], seen["times"]),
    ]
    if plan["bad"] is not None:
        rows.append(_gone("the bad transaction", plan["bad"], seen["times"]))
    if values.get("newest") is not None:
        rows.append(_gone("newest commit when it was begun", values["newest"], seen["times"]))
    for name, there in seen["tables"].items():
        rows.append((name, "has rows", {True: "has rows", False: "empty or gone", None: "can't be read"}[there], there))
    return rows


def _there(what: str, commit: Mapping[str, str] | None, times: Mapping[str, datetime | None]) -> Found:
    if commit is None:
        return (what, "is there", "not known: no commit time of it is kept", None)
    there = _same(commit, times)
    return (what, f"{commit['xid']} is there", "is there" if there else "is not there", there)


def _gone(what: str, commit: Mapping[str, str] | None, times: Mapping[str, datetime | None]) -> Found:
    if commit is None:
        return (what, "is gone", "not known: no commit time of it is kept", None)
    there = _same(commit, times)
    return (what, f"{commit['xid']} is gone", "is there" if there else "is gone", not there)


def _same(commit: Mapping[str, str], times: Mapping[str, datetime | None]) -> bool:
    # Numbers are given anew after a recovery; number and moment together are the same transaction.
    found = times.get(commit["xid"])
    return found is not None and found == datetime.fromisoformat(commit["at"])


def rows_of(found: Sequence[Found]) -> tuple[Row, ...]:
    """Return evidence as rows to be shown."""
    words = {True: "yes", False: "NO", None: "not known"}
    return tuple({"what": w, "expected": e, "found": f, "right": words[good]} for w, e, f, good in found)


def commits_around(moment: str = "none") -> Probe:
    """Return a probe of the commits next to ``moment`` (ISO 8601; none: now), to choose it by the last good one."""
    at = None if moment == "none" else moment_of(moment)

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(AROUND, {"moment": at or now(), "most": LOOKED_AT, "shown": SHOWN // 3})

    return Probe("database-commits-around", AROUND.title, read, source_of(AROUND))
