"""Migrations: where each stands, and what the linter says of the pending ones. Reads files, history and catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, Row, now
from opslib.probes.database_migration_files import Folder, read
from opslib.probes.database_migration_standing import WRONG, Version, pending, sought, stand
from opslib.probes.database_migration_things import Thing, table_of, without_security
from opslib.probes.questions import question
from opslib.systems.postgres import Question
from opslib.systems.squawk import lint
from opslib.systems.target import ReadTarget

NO_SECURITY = "no-row-level-security"
"""Our own rule, beside the linter's."""


@dataclass(frozen=True)
class Standing:
    """The folder, the history as it is recorded, and where each version stands; ``major`` is the server's version."""

    folder: Folder
    history: tuple[Row, ...]
    versions: tuple[Version, ...]
    major: int

    @property
    def applied(self) -> tuple[str, ...]:
        """The recorded versions, in order."""
        return tuple(str(row["version"]) for row in self.history)


def standing(target: ReadTarget) -> Standing:
    """Return where the migrations stand; raises Unreachable where folder or history cannot be read."""
    folder = read(target.settings)
    (server,) = target.database.ask(question("migrations/server"))
    if not server["has_history"]:
        raise Unreachable(
            f"{server['database']} has no table supabase_migrations.schema_migrations.",
            "Is it the product's database? Its first migration by the platform's command line makes the table.",
            "missing",
        )
    history = tuple(target.database.ask(question("migrations/history")))
    wanted = sought(folder, history)
    there = [thing for thing, row in looked_up(target, wanted) if row["there"]]
    return Standing(folder, history, stand(folder, history, frozenset(there)), server["major"])


def looked_up(target: ReadTarget, things: Sequence[Thing]) -> list[tuple[Thing, Row]]:
    """Return each thing with what the catalog says of it: ``there``, ``row_security``, ``valid``, ``rows_estimate``."""
    if not things:
        return []
    return list(zip(things, target.database.ask(*asked(things)), strict=True))


def asked(things: Sequence[Thing]) -> tuple[Question, Mapping[str, Any]]:
    """Return the question about these things, with its parameters."""
    columns = {
        "kinds": [thing.kind for thing in things],
        "schemas": [thing.schema for thing in things],
        "names": [thing.name for thing in things],
        "parents": [thing.parent for thing in things],
    }
    return question("migrations/things"), columns


def _standing(target: ReadTarget) -> list[dict[str, Any]]:
    found = standing(target)
    rows = [_row(found.folder, one) for one in found.versions]
    return rows + [_wrong(name) for name in found.folder.wrong]


def _row(folder: Folder, one: Version) -> dict[str, Any]:
    file = one.file
    return {
        "version": one.version,
        "name": one.name,
        "state": one.state,
        "note": one.note,
        "statements": len(file.statements) if file else None,
        "destroys": file.destroys if file else None,
        "fault": file.fault if file else None,
        "no_rollback": folder.why_no_rollback(one.version),
        "sha256": file.sha256[:12] if file else None,
        "compared": one.compared,
        "looked": one.looked,
    }


def _wrong(name: str) -> dict[str, Any]:
    said = dict.fromkeys(("statements", "destroys", "fault", "no_rollback", "sha256"))
    note = "not <14 digits>_name.sql, which the platform skips in silence"
    return {"version": "", "name": name, "state": WRONG, "note": note, **said, "compared": False, "looked": False}


migrations = Probe(
    "database-migrations",
    "Which migrations are applied, pending, or neither as it should be?",
    _standing,
    "OPS_MIGRATIONS against supabase_migrations.schema_migrations and the catalog",
)
"""One row a version, in order; names that are none come last."""


def _new(target: ReadTarget) -> list[dict[str, Any]]:
    found = standing(target)
    version = f"{now():%Y%m%d%H%M%S}"
    newest = max((one.version for one in found.versions), default="")
    if version <= newest:
        # Somebody's clock, or somebody's wish, was ahead: a version before it would be out of order.
        version = str(int(newest) + 1)
    return [{"file": f"{kind}/{version}_name.sql"} for kind in ("migrations", "rollbacks")]


new_migration = Probe(
    "database-new-migration",
    "What would a new migration and its rollback be called?",
    _new,
    "this machine's clock, in UTC, after the newest version of files and history",
)
"""Two rows: the names that files written now should have. Nothing is written."""


def _lint(target: ReadTarget) -> list[dict[str, Any]]:
    found = standing(target)
    files = pending(found.versions)
    rows: list[dict[str, Any]] = []
    for file in files:
        rows += [
            {"version": file.version, "line": one.line, "rule": one.rule, "message": one.message}
            for one in lint(file.text, found.major)
        ]
        rows += [
            {"version": file.version, "line": 1, "rule": NO_SECURITY, "message": f"{table} has no row level security."}
            for table in without_security(file.statements)
        ]
    for row in rows:
        before = (s for s in found.folder.migrations[row["version"]].statements if s.line <= row["line"])
        *_, statement = [None, *before]
        row["table"] = table_of(statement) if statement and row["rule"] != NO_SECURITY else None
    sizes = _sizes(target, [row["table"] for row in rows if row["table"]])
    return [{**row, "table": _name(row["table"]), "rows_estimate": sizes.get(row["table"])} for row in rows]


def _sizes(target: ReadTarget, tables: Sequence[tuple[str, str]]) -> dict[Any, int | None]:
    things = [Thing("table", schema, name) for schema, name in dict.fromkeys(tables)]
    return {(thing.schema, thing.name): row["rows_estimate"] for thing, row in looked_up(target, things)}


def _name(table: tuple[str, str] | None) -> str:
    return ".".join(table) if table else ""


linted = Probe(
    "database-migration-lint",
    "What does the linter say of the pending migrations?",
    _lint,
    "squawk --reporter json --assume-in-transaction, on each pending file",
)
"""One row a finding: version, line, rule, the table that the statement names, and how many rows that has."""
