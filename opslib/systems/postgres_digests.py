"""Counts and digests of a table's rows, computed by the server itself, whatever order they lie in.

Two forms, as manifests have them. Form 1 hashes each row's text as PostgreSQL writes a record, which looks at every
byte twice for quotes. Form 2 hashes the texts of the values: about half the work for the same two 64-bit hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from opslib.systems.postgres_admin import AdminDatabase

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

Form = Literal[1, 2]
NEWEST: Form = 2

SHORT = frozenset(
    (
        *("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "uuid"),
        *("date", "time", "timetz", "timestamp", "timestamptz"),
    )
)
"""Types whose text is never empty and holds no comma: these values are hashed as one text, with commas between."""

PLAIN = frozenset({"text", "varchar"})
CAST = frozenset({"json", "jsonb"})
"""Types whose cast to text is what they read as. Others may have a cast that says less: ``char`` loses its blanks."""

MOST = 60
"""So many values are hashed one by one, each hash within the next; a table with more is hashed by its rows' text."""


def digest_rows(session: AdminDatabase, schema: str, table: str, form: Form = NEWEST) -> dict[str, Any]:
    """Return ``rows``, ``sum`` and ``xor`` of the table's own rows (partitions and children not included).

    Two 64-bit hashes with different seeds of each row, so that their order does not matter. Call it where the text
    form of values is pinned (:func:`~opslib.systems.postgres_admin.snapshot`).
    """
    from psycopg import sql

    columns = _columns(session, schema, table) if form == 2 else []
    short = [name for name, kind in columns if kind in SHORT]
    long = [(name, kind) for name, kind in columns if kind not in SHORT]
    values: list[Composable] = [sql.SQL('(t.*)::text COLLATE "C"')]
    if form == 1 or len(long) > MOST:
        short = []
    else:
        values = [_text(name, kind) for name, kind in long]
    taken = [sql.SQL("{} AS {}").format(text, _named(number)) for number, text in enumerate(values)]
    if form == 2:
        taken.append(sql.SQL('({}) COLLATE "C" AS short').format(_joined([_short(name) for name in short])))
    # OFFSET 0 keeps the planner from writing each value's text out twice.
    statement = sql.SQL(
        "SELECT count(*) AS rows, coalesce(sum({}), 0)::text AS sum, coalesce(bit_xor({}), 0)::text AS xor"
        " FROM (SELECT {} FROM ONLY {} AS t OFFSET 0) AS lines"
    ).format(
        *(_hash(len(values), seed, form) for seed in (1, 2)), sql.SQL(", ").join(taken), sql.Identifier(schema, table)
    )
    (row,) = session.execute(statement, what=f"read every row of {schema}.{table}")
    return row


def _columns(session: AdminDatabase, schema: str, table: str) -> list[tuple[str, str]]:
    rows = session.execute(
        "SELECT a.attname::text AS name, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text"
        " ELSE '' END AS kind FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum",
        {"schema": schema, "table": table},
        what=f"look up the columns of {schema}.{table}",
    )
    return [(row["name"], row["kind"]) for row in rows]


def _hash(values: int, seed: int, form: Form) -> Composed:
    from psycopg import sql

    if form == 1:
        return sql.SQL("hashtextextended({}, {})").format(_named(0), sql.Literal(seed))
    hashed = sql.SQL("hashtextextended(short, {})").format(sql.Literal(seed))
    for number in range(values):
        hashed = sql.SQL("hashtextextended(coalesce({0}, ''), {1} # ({0} IS NULL)::int::bigint)").format(
            _named(number), hashed
        )
    return hashed


def _text(name: str, kind: str) -> Composable:
    from psycopg import sql

    column = sql.SQL("t.{}").format(sql.Identifier(name))
    if kind in PLAIN:
        # A new value, so that one which is stored apart or packed is fetched once and not for each hash.
        text = sql.SQL("({} || '')").format(column)
    elif kind in CAST:
        text = sql.SQL("{}::text").format(column)
    else:
        # concat() writes a value by its type's own output function. A row of nothing but NULLs is not NULL.
        text = sql.SQL("(CASE WHEN {0} IS DISTINCT FROM NULL THEN concat({0}) END)").format(column)
    return sql.SQL('{} COLLATE "C"').format(text)


def _short(name: str) -> Composed:
    from psycopg import sql

    return sql.SQL("coalesce(t.{}::text, '')").format(sql.Identifier(name))


def _joined(texts: Sequence[Composable]) -> Composable:
    """Return the texts with commas between; halves are joined first, so that little is copied again and again."""
    from psycopg import sql

    if not texts:
        return sql.SQL("''")
    if len(texts) == 1:
        return texts[0]
    half = len(texts) // 2
    return sql.SQL("({} || ',' || {})").format(_joined(texts[:half]), _joined(texts[half:]))


def _named(number: int) -> Composable:
    from psycopg import sql

    return sql.Identifier(f"value{number}")
