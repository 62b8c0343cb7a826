"""Indexes made and removed while the table is in use, without leaving half of one behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_upkeep import Row, following, on_primary, same_server, telling
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.questions import question
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.postgres_upkeep import create_index, drop_index
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
LONGEST = 63
"""Bytes of a name at most; PostgreSQL cuts a longer one off."""
ENTRY_BYTES = 16
"""What one entry of a B-tree takes beside its columns (PostgreSQL manual, "Database Page Layout")."""


class CreateIndex(Action):
    """Makes a plain B-tree on ``columns`` of ``table``, CONCURRENTLY; an index that does the same is enough.

    When it breaks off, the invalid index that it leaves is dropped.
    """

    name: ClassVar[str] = "create-index"
    title: ClassVar[str] = "Make an index while the table is in use"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 6 * 3600.0
    old_seconds: ClassVar[float] = 60.0
    """A transaction older than this keeps the build waiting, and with it whoever locks the table."""
    items: ClassVar[tuple[str, ...]] = ("TRB-PDB-02",)
    guide: ClassVar[str] = "CREATE INDEX CONCURRENTLY idx_value_cases_user_status ON value_cases(user_id, status);"
    reason: ClassVar[str] = (
        "The product has no table value_cases; the equivalent in force is cases (user_id, status). A CONCURRENTLY "
        "that fails leaves an invalid index, which costs every write and serves no query (GH-26): it is found and "
        "dropped here. Put the same index into a migration, or the next environment lacks it."
    )

    table: str = Field(pattern=rf"^{NAME}\.{NAME}$")
    columns: str = Field(pattern=rf"^{NAME}(,{NAME}){{0,7}}$")

    def plan(self, target: ReadTarget) -> Plan:
        """Look at the table, its columns, its indexes, and who would hold the work up."""
        on_primary(target)
        facts = self._facts(target)
        wanted = self._columns()
        index = _index_name(facts["name"], wanted)
        there = target.database.ask(question("upkeep/indexes"), {"relation": self.table})
        serves = _serving(there, wanted)
        if serves is None:
            self._free(there, index)
        rows, width = facts["rows_estimate"], facts["key_width"] + ENTRY_BYTES
        old = self._old(target)
        return self.planned(
            before={"index": f"{serves['name']} does the same already" if serves else "none that begins with them"},
            after={"index": serves["name"] if serves else index, "columns": list(wanted)},
            touches=0 if serves else 1,
            touched="indexes made",
            verification="The index is valid, ready, and on these columns in this order.",
            undo="None is needed: nothing is made."
            if serves
            else f"DROP INDEX CONCURRENTLY {facts['schema']}.{index}.",
            fingerprint={"table": facts["oid"], "name": index, "serves": serves["oid"] if serves else None},
            observed={
                "rows": rows,
                "size of the index, about": rows * width,
                "old transactions that it waits for": [
                    {"pid": row["pid"], "application": row["application"], "seconds": row["transaction_seconds"]}
                    for row in old[:5]
                ],
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Make it; raises Refused before that when an old transaction is open."""
        schema = self.table.partition(".")[0]
        name, serves = str(plan.fingerprint["name"]), plan.fingerprint["serves"]
        if serves is not None:
            return {"index": str(plan.after["index"]), "oid": serves, "made": False}
        same_server(target)
        self._nobody_old(target)
        with following(target, lock_seconds=None) as follower:
            follower.carry_out(
                create_index(schema, self.table.partition(".")[2], name, self._columns()),
                what=f"create index {name}",
                seconds=self.seconds,
                tell=telling(progress, name),
            )
        made = self._named(target, name)
        return {"index": name, "oid": made["oid"] if made else None, "made": True}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the catalog: there, valid, on these columns."""
        found = self._named(target, str(values["index"]))
        if found is None or found["oid"] != values["oid"]:
            return Verification(Verdict.CRITICAL, f"There is no such index {values['index']}.")
        shown = ({"index": found["name"], "definition": found["definition"], "bytes": found["bytes_estimate"]},)
        if not found["valid"] or found["columns"][: len(self._columns())] != list(self._columns()):
            return Verification(Verdict.CRITICAL, f"{found['name']} is invalid, or on other columns.", shown)
        word = "was made and is valid" if values["made"] else "was there already and is valid"
        return Verification(Verdict.OK, f"{found['name']} {word}.", shown)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the index: valid is done; an invalid one that nobody builds any more is dropped."""
        name = str(plan.fingerprint["name"])
        if plan.fingerprint["serves"] is not None:
            return Settled(Outcome.NOT_DONE, "Nothing was to be made.")
        end_building(target)
        found = self._named(target, name)
        if found is None:
            return Settled(Outcome.NOT_DONE, f"There is no index {name}.")
        if found["valid"] and found["columns"] == list(self._columns()):
            return Settled(Outcome.DONE, f"{name} is valid.", {"index": name, "oid": found["oid"], "made": True})
        if found["being_built"]:
            return Settled(Outcome.UNKNOWN, f"{name} is being built by somebody.")
        with following(target) as follower:
            follower.carry_out(
                drop_index(found["schema"], name), what=f"drop index {name}", seconds=600, tell=telling(progress, name)
            )
        return Settled(Outcome.NOT_DONE, f"{name} was left invalid, and was dropped.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Drop the index that was made here; raises Refused when another one has its name now."""
        if not values["made"]:
            return Verification(Verdict.OK, "Nothing was made.")
        name = str(values["index"])
        found = self._named(target, name)
        if found is not None:
            if found["oid"] != values["oid"] or found["columns"] != list(self._columns()):
                raise Refused(f"{name} is not the index that was made.", "Nothing was dropped; look at it.")
            with following(target) as follower:
                follower.carry_out(
                    drop_index(found["schema"], name),
                    what=f"drop index {name}",
                    seconds=600,
                    tell=telling(progress, name),
                )
        left = self._named(target, name)
        return Verification(Verdict.CRITICAL if left else Verdict.OK, f"{name} is {'still there' if left else 'gone'}.")

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.columns.split(","))

    def _facts(self, target: ReadTarget) -> Row:
        wanted = self._columns()
        rows = target.database.ask(question("upkeep/index_facts"), {"relation": self.table, "columns": list(wanted)})
        if not rows or rows[0]["kind"] not in ("r", "m"):
            kind = "" if not rows else f" ({'partitioned' if rows[0]['kind'] == 'p' else 'of another kind'})"
            raise Refused(
                f"There is no table {self.table} that an index can be made on CONCURRENTLY{kind}.",
                "Name one with its schema; of a partitioned table its partitions, one by one.",
            )
        missing = [name for name in wanted if name not in rows[0]["columns"]]
        if missing or len(set(wanted)) < len(wanted):
            said = f"has no column {', '.join(missing)}" if missing else "is named a column twice"
            raise Refused(f"{self.table} {said}.", f"It has: {', '.join(rows[0]['columns'][:40])}.")
        return rows[0]

    def _free(self, there: list[dict[str, Any]], index: str) -> None:
        taken = next((row for row in there if row["name"] == index), None)
        if taken is not None:
            word = "on other columns" if taken["valid"] else "invalid"
            raise Refused(
                f"{index} is there and {word}: {taken['definition']}.",
                "Drop the invalid ones first (the step before this one), or choose other columns.",
            )

    def _nobody_old(self, target: WriteTarget) -> None:
        old = self._old(target)
        if old:
            who = ", ".join(
                f"pid {row['pid']} ({row['application']}, {row['transaction_seconds']:g} s)" for row in old[:3]
            )
            raise Refused(
                f"An index that is made CONCURRENTLY waits for every older transaction: {who}.",
                "End them, or wait; see diagnostics/database.",
            )

    def _old(self, target: ReadTarget) -> list[dict[str, Any]]:
        rows = target.database.ask(question("database/transactions"))
        return [row for row in rows if row["transaction_seconds"] > self.old_seconds]

    def _named(self, target: ReadTarget, name: str) -> Row | None:
        rows = target.database.ask(question("upkeep/indexes"), {"relation": self.table})
        return next((row for row in rows if row["name"] == name), None)


class DropInvalidIndexes(Action):
    """Drops the indexes that a broken-off CONCURRENTLY left; never one that serves a rule, nor one being built."""

    name: ClassVar[str] = "drop-invalid-indexes"
    title: ClassVar[str] = "Drop the indexes that a broken-off build left"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 10
    seconds: ClassVar[float] = 3600.0
    items: ClassVar[tuple[str, ...]] = ("MNT-DB-03",)
    guide: ClassVar[str] = (
        "SELECT schemaname, tablename, indexname, idx_scan FROM pg_stat_user_indexes ORDER BY idx_scan DESC;"
    )
    reason: ClassVar[str] = (
        "The guide's query fails (the columns are relname and indexrelname), and would not show that an index is "
        "invalid. Such an index costs every write and serves no query (GH-26)."
    )

    def plan(self, target: ReadTarget) -> Plan:
        """Name them with their definitions."""
        on_primary(target)
        rows = target.database.ask(question("upkeep/invalid_indexes"))
        goes = [row for row in rows if not (row["serves_constraint"] or row["is_replica_identity"])]
        return self.planned(
            before={row["index"]: f"invalid, on {row['relation']}" for row in goes},
            after={row["index"]: "dropped" for row in goes},
            touches=len(goes),
            touched="indexes dropped",
            verification="None of them is there, and no other index went.",
            undo="None is needed: no query could use them. Their definitions are in the plan.",
            fingerprint={"indexes": [[row["index"], row["oid"], row["definition"]] for row in goes]},
            observed={"stays, for it serves a rule": [row["index"] for row in rows if row not in goes]},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Drop those of the plan that are still invalid and still the same."""
        same_server(target)
        planned = {str(index): int(oid) for index, oid, _ in plan.fingerprint["indexes"]}
        rows = {row["index"]: row for row in target.database.ask(question("upkeep/invalid_indexes"))}
        there = [row for index, row in rows.items() if planned.get(index) == row["oid"]]
        with following(target) as follower:
            for number, row in enumerate(there):
                progress(f"Dropping {row['index']}", number, len(there))
                follower.carry_out(
                    drop_index(row["schema"], row["name"]),
                    what=f"drop index {row['index']}",
                    seconds=600,
                    tell=telling(progress, row["index"]),
                )
        return {"dropped": sorted(planned)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look whether any of them is still there."""
        there = {row["index"]: row["oid"] for row in target.database.ask(question("upkeep/invalid_indexes"))}
        left = [index for index, oid, _ in plan.fingerprint["indexes"] if there.get(str(index)) == oid]
        if left:
            return Verification(Verdict.CRITICAL, f"Still there: {', '.join(left)}.")
        count = len(values["dropped"])
        return Verification(Verdict.OK, f"{count} invalid indexes dropped." if count else "No index is invalid.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: an invalid index was of use to nobody."""
        return Verification(Verdict.OK, "Nothing is to be brought back: no query could use an invalid index.")


def end_building(target: WriteTarget) -> None:
    """End what a killed process of this run left at work on the server, so that its fate can be looked up."""
    with target.admin(target.database_url) as session:
        end_earlier(session)


def _index_name(table: str, columns: tuple[str, ...]) -> str:
    return f"idx_{table}_{'_'.join(columns)}"[:LONGEST]


def _serving(there: list[dict[str, Any]], wanted: tuple[str, ...]) -> Row | None:
    """Return an index that does all that the wanted one would: valid, a B-tree that begins with its columns."""
    for row in there:
        plain = row["valid"] and row["plain"] and row["method"] == "btree"
        if plain and row["columns"][: len(wanted)] == list(wanted):
            return row
    return None
