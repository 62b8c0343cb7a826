"""The live database beside a copy that was recovered to an earlier moment: which rows differ, and who wrote them.

For damage in one table it is better to bring back its rows than to go back with the whole database. Of a row no value
is shown: keys and columns are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opslib.errors import OpsError, Refused, Unreachable
from opslib.model import Probe
from opslib.probes.database_moment import Commit, commits_since
from opslib.probes.questions import question
from opslib.systems.postgres_rows import Hashed, RowSight
from opslib.systems.target import PlanTarget

SHAPES, IDENTITY, TIMES = (question(f"moment/{name}") for name in ("table_shapes", "identity", "commit_times"))
SHOWN = 20


@dataclass(frozen=True)
class Table:
    """One table as it is compared: columns (name, type, made by the server), primary key, references, triggers."""

    schema: str
    name: str
    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...]
    refers: tuple[Mapping[str, Any], ...]
    triggers: tuple[str, ...]

    @property
    def written(self) -> tuple[str, ...]:
        """The columns that can be written."""
        return tuple(name for name, _, made in self.columns if not made)


def tables_of(side: RowSight, name: str | None = None) -> dict[str, Table]:
    """Return every table of a side by its name, or the one of that name."""
    found = {}
    for row in side.ask(SHAPES, {"table": name}):
        columns = tuple((one["name"], one["type"], one["made"]) for one in row["columns"] or ())
        rest = tuple(row["key"] or ()), tuple(row["refers"] or ()), tuple(row["triggers"] or ())
        found[f"{row['schema']}.{row['table']}"] = Table(row["schema"], row["table"], columns, *rest)
    return found


@dataclass(frozen=True)
class Parts:
    """The keys of a table's rows, told apart by what one bad transaction did to them.

    ``damaged``: written by it, not touched since, and other than in the copy. ``made``: written by it, and not in the
    copy. ``touched``: written by somebody later, and other than in the copy: what is there now may hold damage, and is
    somebody's work. ``gone``: only in the copy; who deleted a row, nothing says. ``later``: only there now, by others.
    """

    damaged: tuple[str, ...]
    made: tuple[str, ...]
    touched: tuple[str, ...]
    gone: tuple[str, ...]
    later: tuple[str, ...]


def parts(live: Mapping[str, Hashed], copy: Mapping[str, Hashed], xid: str) -> Parts:
    """Tell the rows apart. The copy must be the database as it was just before ``xid`` (:func:`beside`)."""
    apart = sorted(key for key in live.keys() & copy.keys() if live[key].hash != copy[key].hash)
    only = sorted(live.keys() - copy.keys())
    return Parts(
        damaged=tuple(key for key in apart if live[key].xid == xid),
        made=tuple(key for key in only if live[key].xid == xid),
        touched=tuple(key for key in apart if live[key].xid != xid),
        gone=tuple(sorted(copy.keys() - live.keys())),
        later=tuple(key for key in only if live[key].xid != xid),
    )


def same_database(target: PlanTarget) -> str:
    """Return the system identifier of live database and copy; raises Unreachable where they do not belong together."""
    (live,), (copy,) = target.rows.ask(IDENTITY), target.recovered.ask(IDENTITY)
    where = target.recovered.url.public
    if copy["system"] != live["system"] or copy["database"] != live["database"]:
        raise Unreachable(f"{where} is a copy of another database.", "Correct OPS_RECOVERED_DATABASE_URL.", "other")
    if copy["started"] == live["started"]:
        raise Unreachable(f"{where} is the live server itself.", "Correct OPS_RECOVERED_DATABASE_URL.", "other")
    return str(live["system"])


def beside(target: PlanTarget, xid: int) -> Commit:
    """Return the bad transaction, once live database and copy are seen to part just before it; raises Refused.

    The copy must have the last commit before it, and not itself: a copy of an earlier moment lacks good work, which
    would look like damage.
    """
    same_database(target)
    known = {row["xid"]: row["at"] for row in target.rows.ask(TIMES, {"xids": [str(xid)]})}
    at = known[str(xid)]
    if at is None:
        raise Refused(f"The live server has no commit time of transaction {xid}.", "Look which one rewrote the table.")
    before = last_before(target, at)
    asked = [str(xid), before.xid]
    times = {row["xid"]: row["at"] for row in target.recovered.ask(TIMES, {"xids": asked})}
    if times[str(xid)] == at:
        raise Refused(f"The copy has transaction {xid} as well.", "Let it be recovered to just before that.")
    if times[before.xid] != before.at:
        raise Refused(
            f"The copy lacks transaction {before.xid}, the last one before {xid}: its work would be undone.",
            "Let it be recovered to just before the bad transaction, no earlier.",
        )
    return Commit(str(xid), at)


def last_before(target: PlanTarget, at: datetime) -> Commit:
    """Return the last commit before the moment ``at``; raises Refused where nobody knows one."""
    found = commits_since(target, at - timedelta(microseconds=1), at)
    if found.kept is None:
        raise Refused("The last commit before that transaction is not known.", "Go back with the whole database.")
    return found.kept


def conflicts(target: PlanTarget, table: Table, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return for the first of these keys which columns differ from the copy; no value is among it."""
    some = list(keys[:SHOWN])
    live = target.rows.columns_apart(table.schema, table.name, table.key, some)
    copy = target.recovered.columns_apart(table.schema, table.name, table.key, some)
    rows = []
    for key in some:
        now, then = live.get(key, {}), copy.get(key, {})
        rows.append({"key": shown(key), "columns": sorted(c for c in now if now[c] != then.get(c))})
    return rows


def shown(key: str) -> str:
    """Return a key as a report shows it."""
    return ",".join(map(str, json.loads(key)))


def _compared(target: PlanTarget) -> list[dict[str, Any]]:
    same_database(target)
    live, copy = tables_of(target.rows), tables_of(target.recovered)
    rows = []
    for name in sorted(live.keys() | copy.keys()):
        row: dict[str, Any] = {"table": name, "live": None, "copy": None, "equal": None}
        row |= dict.fromkeys(("only_live", "only_copy", "differing"))
        if name not in live or name not in copy:
            rows.append(row | {"equal": False, "how": f"only in the {'live database' if name in live else 'copy'}"})
            continue
        try:
            rows.append(row | _one(target, live[name], copy[name]))
        except OpsError as error:
            rows.append(row | {"how": error.message})
    return sorted(rows, key=lambda row: (row["equal"] is True, row["table"]))


def _one(target: PlanTarget, live: Table, copy: Table) -> dict[str, Any]:
    now, then = (side.digest(live.schema, live.name) for side in (target.rows, target.recovered))
    said: dict[str, Any] = {"live": now[0], "copy": then[0], "equal": now == then, "how": "digests of all rows"}
    if now == then:
        return said | {"only_live": 0, "only_copy": 0, "differing": 0}
    if live.columns != copy.columns:
        return said | {"how": "its columns are others by now"}
    if not live.key:
        return said | {"how": "it has no primary key: rows can't be told apart"}
    here, there = (side.hashes(live.schema, live.name, live.key) for side in (target.rows, target.recovered))
    found = parts(here, there, "")
    return said | {
        "only_live": len(found.made) + len(found.later),
        "only_copy": len(found.gone),
        "differing": len(found.damaged) + len(found.touched),
        "how": "row by row",
    }


recovered_rows = Probe(
    "database-recovered-rows",
    "The live database beside the recovered copy",
    _compared,
    source="each table's rows as digests, then row by row, on both servers",
    by_executor=True,
)
"""A row per table, those that differ first: rows live and in the copy, only here, only there, differing; ``equal`` is
None, and ``how`` says why, where nobody could compare. Each table is read at a moment of its own."""
