"""Rows that one bad transaction changed, set back from a recovered copy; what others wrote since stays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

import opslib.actions.database_rows_kept as keeping
from opslib.actions.base import Progress, Settled
from opslib.actions.database_rows_kept import Kept
from opslib.actions.database_way import NONE, OneWay, Way, nothing_done
from opslib.errors import Refused, StepFailed
from opslib.model import Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.database_recovered import (
    SHOWN,
    Parts,
    Table,
    beside,
    conflicts,
    parts,
    same_database,
    shown,
    tables_of,
)
from opslib.redaction import Redactor
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.postgres_rows_writing import as_it_is, dangling, put_back, set_back, take_out
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

TOUCHED = "changed by others since: they stay, look at them"
Name = Annotated[str, Field(pattern=r"^(none|[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62})$")]


@dataclass(frozen=True)
class Found:
    """What a look at both sides says of the table."""

    system: str
    bad: dict[str, str]
    table: Table
    parts: Parts

    def chosen(self, with_deleted: bool) -> tuple[str, ...]:
        """The keys of the rows that are to be as they were."""
        return tuple(sorted(self.parts.damaged + (self.parts.gone if with_deleted else ())))


class BringBackRows(OneWay):
    """Sets the rows of ``table`` back that the transaction ``xid`` changed and nobody touched since.

    ``with_deleted`` also puts rows back that are in the copy and not in the live table; who deleted them, nothing says.
    Rows that others wrote since, and rows that ``xid`` made, stay as they are and are shown.
    """

    name: ClassVar[str] = "bring-back-rows"
    title: ClassVar[str] = "Set rows back that one transaction damaged"
    own: ClassVar[Way] = "rows"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 100_000
    items: ClassVar[tuple[str, ...]] = ("DR-DBF-04",)
    guide: ClassVar[str] = "supabase db reset --version <previous-version>"
    reason: ClassVar[str] = (
        "Going back with the whole database for damage in one table costs everybody's work since. A copy recovered to "
        "just before the damage has the rows as they were; they alone are set back, in one transaction, with an undo."
    )

    way: Way = "rows"
    table: Name = NONE
    xid: int = Field(default=0, ge=0, le=2**32 - 1)
    with_deleted: bool = False

    def plan(self, target: PlanTarget) -> Plan:
        """Compare row by row; raises Refused where the copy is not the database just before ``xid``."""
        if self.idle:
            return self.nothing()
        if self.table == NONE or self.xid == 0:
            raise Refused("Which table, and which transaction, is not said.", "table=public.cases, xid=1234567")
        found = self._look(target)
        chosen = found.chosen(self.with_deleted)
        part = found.parts
        return self.planned(
            before={"rows that are damaged": len(part.damaged), "rows that are gone": len(part.gone)},
            after={"rows set back": len(part.damaged), "rows put back": len(chosen) - len(part.damaged)},
            touches=len(chosen),
            touched=f"rows of {self.table}",
            verification="Each of these rows is, text by text, what it is in the recovered copy.",
            undo="They get the values of before again, which the run's folder keeps, unless somebody has changed one.",
            fingerprint={
                "system": found.system,
                "bad": found.bad,
                "rows": hashlib.sha256(json.dumps(chosen).encode()).hexdigest(),
            },
            observed={
                TOUCHED: len(part.touched),
                **_conflicts(conflicts(target, found.table, part.touched)),
                "made by that transaction: they stay": _some(part.made),
                "deleted since, by whom nothing says": _some(part.gone),
                "new since, by others": len(part.later),
                "triggers that do not fire": list(found.table.triggers),
                "kept in the run's folder": "these rows as they are now, with all that stands in them",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Keep what is there, then set all of it back in one transaction, or nothing; raises Refused, StepFailed."""
        if self.idle:
            return {}
        found = self._look(target)
        chosen = found.chosen(self.with_deleted)
        if hashlib.sha256(json.dumps(chosen).encode()).hexdigest() != plan.fingerprint["rows"]:
            raise Refused("Other rows are damaged by now than planned: somebody works on them.", "Plan again.")
        table = found.table
        now = target.rows.lines(table.schema, table.name, table.key, found.parts.damaged)
        then = target.recovered.lines(table.schema, table.name, table.key, chosen)
        if now.keys() != set(found.parts.damaged) or then.keys() != set(chosen):
            raise Refused("Rows came or went while they were read.", "Plan again.")
        kept = Kept(self.table, {key: (now.get(key), then[key]) for key in chosen})
        manifest = keeping.keep(target.files, kept, Redactor(target.settings.secrets()))
        progress(f"{len(chosen)} rows are kept as they are", 0, len(chosen))
        with target.admin(target.database_url) as session, session.transaction():
            writer = as_it_is(session)
            self._write(session, table, kept)
        progress(f"{len(chosen)} rows are as they were", len(chosen), len(chosen))
        return {"rows": len(chosen), "manifest": manifest, "writer": writer}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Compare each of the rows with what it was in the copy; that need not be there any more."""
        if self.idle:
            return nothing_done()
        kept = keeping.found(target.files, str(values["manifest"]))
        table = self._table(target)
        live = target.rows.hashes(table.schema, table.name, table.key)
        there = target.rows.lines(table.schema, table.name, table.key, list(kept.rows))
        apart = [key for key, (_, then) in kept.rows.items() if there.get(key) != then]
        mine = (str(self.xid), values["writer"])
        wrong = [key for key in apart if key in live and live[key].xid in mine]
        rows = tuple({"key": shown(key), "as in the copy": "NO"} for key in apart[:SHOWN])
        if wrong:
            return Verification(Verdict.CRITICAL, f"{len(wrong)} of {len(kept.rows)} rows are not as they were.", rows)
        touched = int(plan.observed[TOUCHED])
        said = f"{len(kept.rows) - len(apart)} of {len(kept.rows)} rows are exactly as in the copy"
        if apart:
            said += f"; {len(apart)} were changed by others since they were set back"
        if touched:
            said += f"; {touched} that others had changed since the damage stay, and may hold some of it"
        return Verification(Verdict.UNKNOWN if len(apart) == len(kept.rows) > 0 else Verdict.OK, f"{said}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Tell by the rows: all of it was one transaction."""
        if self.idle:
            return Settled(Outcome.NOT_DONE, "Nothing was to be done.")
        with target.admin(target.database_url) as session:
            end_earlier(session)
        target.rows.close()  # by its name it is one of those
        left = keeping.last(target.files)
        if left is None:
            return Settled(Outcome.NOT_DONE, "No row was written: what is there had not been kept yet.")
        manifest, kept = left
        table = self._table(target)
        there = target.rows.lines(table.schema, table.name, table.key, list(kept.rows))
        before = sum(there.get(key) == pair[0] for key, pair in kept.rows.items())
        after = sum(there.get(key) == pair[1] for key, pair in kept.rows.items())
        if before == len(kept.rows):
            return Settled(Outcome.NOT_DONE, f"All {before} rows are as before.")
        if after and not before:
            values = {"rows": len(kept.rows), "manifest": manifest, "writer": None}
            return Settled(Outcome.DONE, f"{after} of {len(kept.rows)} rows are as they were.", values)
        return Settled(Outcome.UNKNOWN, f"{before} rows are as before, {after} as planned, of {len(kept.rows)}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Give the rows the values of before again, all or none; raises Refused where somebody changed one since."""
        if self.idle:
            return nothing_done()
        kept, table = keeping.found(target.files, str(values["manifest"])), self._table(target)
        place = (table.schema, table.name)
        back = {key: (after, before) for key, (before, after) in kept.changed.items()}
        with target.admin(target.database_url) as session, session.transaction():
            as_it_is(session)
            done = set_back(session, place, table.key, table.written, back)
            done += take_out(session, place, list(kept.put.values()))
            if done != len(kept.rows):
                raise Refused(
                    f"{len(kept.rows) - done} of {len(kept.rows)} rows were changed since: nothing was undone.",
                    "Look at them; what they were before is in the run's folder, evidence/.",
                )
        there = target.rows.lines(table.schema, table.name, table.key, list(kept.rows))
        right = sum(there.get(key) == before for key, (before, _) in kept.rows.items())
        verdict = Verdict.OK if right == len(kept.rows) else Verdict.CRITICAL
        return Verification(verdict, f"{right} of {len(kept.rows)} rows are as before this step.")

    def _write(self, session: AdminDatabase, table: Table, kept: Kept) -> None:
        place = (table.schema, table.name)
        done = set_back(session, place, table.key, table.written, kept.changed, str(self.xid))
        if done != len(kept.changed):
            raise StepFailed(f"{len(kept.changed) - done} rows were changed meanwhile.", "Plan again.")
        put_back(session, place, table.written, list(kept.put.values()))
        for one in table.refers:
            if loose := dangling(session, place, table.key, one, list(kept.rows)):
                raise StepFailed(
                    f"{loose} rows would refer to rows of {one['schema']}.{one['table']} that are gone: {one['name']}.",
                    f"Bring those back first: table={one['schema']}.{one['table']}, with_deleted=true.",
                )

    def _look(self, target: PlanTarget) -> Found:
        bad, table = beside(target, self.xid), self._table(target)
        copy = tables_of(target.recovered, self.table).get(self.table)
        if copy is None:
            raise Refused(f"There is no table {self.table} in the copy.", "Look at what was recovered.")
        if table.columns != copy.columns:
            raise Refused(f"{self.table} has other columns than in the copy.", "Bring the schema back first.")
        now, then = (side.hashes(table.schema, table.name, table.key) for side in (target.rows, target.recovered))
        return Found(same_database(target), bad.said(), table, parts(now, then, str(self.xid)))

    def _table(self, target: PlanTarget) -> Table:
        """Return the live table; raises Refused where there is none, or its rows can't be told apart."""
        live = tables_of(target.rows, self.table).get(self.table)
        if live is None:
            raise Refused(f"There is no table {self.table}.", "runbooks/restore-database brings a whole table back.")
        if not live.key:
            raise Refused(f"{self.table} has no primary key: rows can't be told apart.", "Compare it by hand.")
        return live


def _some(keys: tuple[str, ...]) -> str:
    few = "; ".join(shown(key) for key in keys[:SHOWN])
    return f"{len(keys)} rows: {few}" if keys else "none"


def _conflicts(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {f"row {row['key']}": f"is other in {', '.join(row['columns'])}" for row in rows}
