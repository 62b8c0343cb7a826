"""Rows of one table put back as they were, in a transaction that the caller has opened; the executor's only.

A row travels as its own text (``(t.*)::text``) and is read back as the table's row type, so every type comes back
exactly. Triggers are left out (``session_replication_role``): a trigger that notes "changed now" would make another row
of it. That also leaves out the checks of foreign keys, so those are looked at here (:func:`dangling`).
Sources: PostgreSQL manual, "Composite Types", "session_replication_role", "System Columns". The executor's only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opslib.systems.postgres_admin import TEXT_FORM, AdminDatabase
from opslib.systems.postgres_rows import key_of

if TYPE_CHECKING:
    from psycopg.sql import Composed

LOCK_SECONDS = 10


def as_it_is(session: AdminDatabase) -> str:
    """Pin how values read as text, leave triggers out and hide no row, for this transaction; returns its number.

    Raises StepFailed where the role may not leave triggers out.
    """
    settings = {**TEXT_FORM, "row_security": "off", "lock_timeout": f"{LOCK_SECONDS}s"}
    for name, value in {**settings, "session_replication_role": "replica"}.items():
        session.execute(
            "SELECT set_config(%(name)s, %(value)s, true)", {"name": name, "value": value}, what=f"set {name}"
        )
    (row,) = session.execute("SELECT pg_current_xact_id()::xid::text AS xid", what="begin to write")
    return str(row["xid"])


def set_back(
    session: AdminDatabase,
    place: tuple[str, str],
    key: Sequence[str],
    columns: Sequence[str],
    rows: Mapping[str, tuple[str, str]],
    writer: str | None = None,
) -> int:
    """Give rows their former values, by key: ``rows`` has for each (row text now, row text then); returns how many.

    A row that is not as ``rows`` says by now, or was not written by the transaction ``writer`` where one is named, is
    left alone, and not counted.
    """
    from psycopg import sql

    written = [name for name in columns if name not in key]
    if not written:
        return 0
    names = sql.SQL(", ").join(map(sql.Identifier, written))
    values = sql.SQL(", ").join(sql.SQL("(g.row).{}").format(sql.Identifier(name)) for name in written)
    same = sql.SQL(" AND ").join(sql.SQL("t.{0} = (g.row).{0}").format(sql.Identifier(name)) for name in key)
    statement = sql.SQL(
        "WITH given AS MATERIALIZED (SELECT line::{0} AS row, now FROM unnest(%(now)s::text[], %(then)s::text[])"
        " AS l(now, line)) UPDATE ONLY {0} AS t SET ({1}) = ROW({2}) FROM given AS g"
        " WHERE {3} AND (t.*)::text = g.now"
        " AND (%(writer)s::text IS NULL OR t.xmin::text = %(writer)s) RETURNING 1 AS one"
    ).format(sql.Identifier(*place), names, values, same)
    now, then = [pair[0] for pair in rows.values()], [pair[1] for pair in rows.values()]
    given = {"now": now, "then": then, "writer": writer}
    return len(session.execute(statement, given, what=f"set back rows of {'.'.join(place)}"))


def put_back(session: AdminDatabase, place: tuple[str, str], columns: Sequence[str], lines: Sequence[str]) -> int:
    """Insert rows that are gone, each from its text; returns how many. Raises StepFailed where one is there."""
    from psycopg import sql

    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(sql.SQL("(g.row).{}").format(sql.Identifier(name)) for name in columns)
    statement = sql.SQL(
        "WITH given AS MATERIALIZED (SELECT line::{0} AS row FROM unnest(%(lines)s::text[]) AS l(line))"
        " INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {2} FROM given AS g RETURNING 1 AS one"
    ).format(sql.Identifier(*place), names, values)
    return len(session.execute(statement, {"lines": list(lines)}, what=f"put back rows of {'.'.join(place)}"))


def take_out(session: AdminDatabase, place: tuple[str, str], lines: Sequence[str]) -> int:
    """Delete rows that are exactly as these texts say; returns how many."""
    from psycopg import sql

    statement = sql.SQL(
        "DELETE FROM ONLY {} AS t WHERE (t.*)::text = ANY (%(lines)s::text[]) RETURNING 1 AS one"
    ).format(sql.Identifier(*place))
    return len(session.execute(statement, {"lines": list(lines)}, what=f"take rows out of {'.'.join(place)}"))


def dangling(
    session: AdminDatabase, place: tuple[str, str], key: Sequence[str], refers: Mapping[str, Any], keys: Sequence[str]
) -> int:
    """Count the rows of these keys that refer to a row that is not there, by one foreign key of the table."""
    statement = _dangling(place, key, refers)
    (row,) = session.execute(statement, {"keys": list(keys)}, what=f"look at {refers['name']}")
    return int(row["rows"])


def _dangling(place: tuple[str, str], key: Sequence[str], refers: Mapping[str, Any]) -> Composed:
    from psycopg import sql

    whole = sql.SQL(" AND ").join(sql.SQL("t.{} IS NOT NULL").format(sql.Identifier(c)) for c in refers["columns"])
    pairs = zip(refers["refers"], refers["columns"], strict=True)
    same = sql.SQL(" AND ").join(
        sql.SQL("r.{} = t.{}").format(sql.Identifier(theirs), sql.Identifier(ours)) for theirs, ours in pairs
    )
    return sql.SQL(
        "SELECT count(*) AS rows FROM ONLY {} AS t WHERE {} = ANY (%(keys)s) AND {}"
        " AND NOT EXISTS (SELECT FROM {} AS r WHERE {})"
    ).format(sql.Identifier(*place), key_of("t", key), whole, sql.Identifier(refers["schema"], refers["table"]), same)
