"""Vacuum and analyse the tables that are due, one at a time, instead of everything at any hour."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress
from opslib.actions.database_upkeep import (
    Row,
    following,
    holders,
    moment,
    on_primary,
    same_server,
    tables,
    telling,
)
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.probes.questions import question
from opslib.systems.postgres_upkeep import vacuum
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

DUE = "due"
COUNTED_SECONDS = 5.0
"""How long the server's counters may take to show a vacuum that has ended (PostgreSQL 14 sends them by the way)."""


class VacuumTables(Action):
    """``VACUUM (ANALYZE)`` of the tables past the point at which autovacuum should have come, the worst first.

    Each waits at most 5 s for its table's lock. Repeating it does no harm. ``table`` is ``due``, or one table
    with its schema, due or not.
    """

    name: ClassVar[str] = "vacuum-tables"
    title: ClassVar[str] = "Vacuum and analyse the tables that are due"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 6 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("MNT-DB-01",)
    guide: ClassVar[str] = "VACUUM ANALYZE;"
    reason: ClassVar[str] = (
        "The guide's command reads every table at whatever hour, fails inside a transaction block, and does not say "
        "whether it freed anything (GH-21). Here only what is due is vacuumed, one table at a time; each gives up "
        "waiting for a lock after 5 s; and its dead rows are counted before and after."
    )

    table: str = Field(default=DUE, pattern=r"^(due|[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62})$")

    def plan(self, target: ReadTarget) -> Plan:
        """Name the tables, and who keeps dead rows from being removed."""
        on_primary(target)
        judged = {row["relation"]: row for row in target.database.ask(question("database/vacuum"))}
        if self.table == DUE:
            names = [name for name, row in judged.items() if max(row["trigger_ratio"], row["analyze_ratio"]) >= 1]
        else:
            names = [self.table]
        found = tables(target, *names)
        if self.table != DUE and self.table not in found:
            raise Refused(f"There is no table {self.table}.", "Name one with its schema, as diagnostics/database does.")
        names = [name for name in names if name in found]
        return self.planned(
            before=dict.fromkeys(names, "due" if self.table == DUE else "as it is"),
            after=dict.fromkeys(names, "vacuumed and analysed"),
            touches=len(names),
            touched="tables vacuumed",
            verification="Each was vacuumed and analysed after the beginning, by the server's clock, and has no dead "
            "rows that would call autovacuum.",
            undo="None is needed: only rows that nobody can see are removed.",
            fingerprint={"tables": [[name, found[name]["oid"]] for name in names]},
            observed={
                "tables": {name: _figures(found[name]) for name in names},
                "who keeps dead rows": [_holder(row) for row in holders(target)[:5]],
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Vacuum one after another; raises StepFailed at the first that is locked for too long, or fails."""
        same_server(target)
        planned = [(str(name), int(oid)) for name, oid in plan.fingerprint["tables"]]
        found = tables(target, *(name for name, _ in planned))
        gone = [name for name, oid in planned if name not in found or found[name]["oid"] != oid]
        if gone:
            raise Refused(f"{', '.join(gone)} is not the table that was planned with.", "Plan again.")
        since = min((row["clock"] for row in found.values()), default=None)
        with following(target) as follower:
            for number, (name, _) in enumerate(planned):
                progress(f"Vacuuming {name}", number, len(planned))
                follower.carry_out(
                    vacuum(found[name]["schema"], found[name]["name"]),
                    what=f"vacuum {name}",
                    seconds=self.seconds,
                    tell=telling(progress, f"{name} ({number + 1} of {len(planned)})"),
                )
        before = {name: found[name]["dead_rows"] for name, _ in planned}
        return {"since": to_json(since), "tables": [name for name, _ in planned], "dead_rows_before": before}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the server's own times and counters of each table."""
        names = [str(name) for name in values["tables"]]
        if not names:
            return Verification(Verdict.OK, "No table is due: autovacuum keeps up.")
        since, before = moment(values["since"]), values["dead_rows_before"]
        found = _counted(target, names, since)
        rows = tuple(
            {**_row(name, found.get(name), before), "vacuumed": _done(found.get(name), since)} for name in names
        )
        missing = [row["table"] for row in rows if not row["vacuumed"]]
        if missing:
            return Verification(Verdict.CRITICAL, f"Not vacuumed and analysed: {', '.join(missing)}.", rows)
        due = {r["relation"] for r in target.database.ask(question("database/vacuum")) if r["trigger_ratio"] >= 1}
        if kept := [name for name in names if name in due]:
            who = "; ".join(_holder(row) for row in holders(target)[:3]) or "nobody who could be seen"
            said = f"Vacuumed, but dead rows of {', '.join(kept)} are still there. Who keeps them: {who}."
            return Verification(Verdict.WARNING, said, rows)
        freed = sum(max(row["dead before"] - row["dead now"], 0) for row in rows)
        return Verification(Verdict.OK, f"{len(names)} tables vacuumed and analysed; {freed} dead rows removed.", rows)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: no row that anybody can see was changed."""
        return Verification(Verdict.OK, "Nothing is to be brought back: only rows that nobody could see were removed.")


def _counted(target: VerifyTarget, names: list[str], since: Any) -> dict[str, Row]:
    until = time.monotonic() + COUNTED_SECONDS
    while True:
        found = tables(target, *names)
        if all(_done(found.get(name), since) for name in names) or time.monotonic() > until:
            return found
        time.sleep(0.25)


def _done(row: Row | None, since: Any) -> bool:
    times = [row["vacuumed_at"], row["analysed_at"]] if row else [None]
    return all(time_ is not None and time_ >= since for time_ in times)


def _row(name: str, row: Row | None, before: Mapping[str, Any]) -> dict[str, Any]:
    return {"table": name, "dead before": before[name], "dead now": row["dead_rows"] if row else None}


def _figures(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("dead_rows", "unanalysed_rows", "bytes_estimate")}


def _holder(row: Row) -> str:
    age = f", {row['transactions']} transactions old" if row["transactions"] is not None else ""
    return f"{row['holder']} {row['name']} ({row['state']}{age})"
