"""Every row of a table as a session sees it that row level security hides nothing from; it reads, and nothing else.

A reading role may see a part of the rows only, so this is the executor's. That a row names the transaction that wrote
it (``xmin``), and that a server may know when that was committed (``track_commit_timestamp``), is from the PostgreSQL
manual, "System Columns" and "Committed Transaction Information".
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.postgres import Question, connect
from opslib.systems.postgres_admin import TEXT_FORM
from opslib.systems.postgres_errors import unreachable
from opslib.systems.postgres_statements import why_refused

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

STATEMENT_SECONDS = 20.0
ALL_SECONDS = 120.0
"""How long one session may look in all; what it did not come to is told."""
WHOLE_PAGES = 20_000
"""Up to this size (160 MB) a table is read whole; of a larger one some pages."""
SAMPLED_PAGES = 5_000
MOST_ROWS = 200_000
"""Rows of one table that are compared one by one."""
NO_TABLE = ("42P01", "3F000")
"""SQLSTATEs of a table, or a schema, that is not there."""

_GUARDS = {
    **{name: value.replace(" ", "") for name, value in TEXT_FORM.items()},
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
    "lock_timeout": "500",
    "idle_in_transaction_session_timeout": "10000",
    "client_connection_check_interval": "1000",
    # A table whose policies would hide rows is an error, never a shorter answer.
    "row_security": "off",
}


@dataclass(frozen=True)
class Written:
    """How many rows of a table were written after a moment and are there now; None with ``why`` where nobody saw."""

    rows: int | None
    sampled: bool = False
    why: str = ""


@dataclass(frozen=True)
class Hashed:
    """One row as it is compared: a hash of its text, and the number of the transaction that wrote it."""

    hash: int
    xid: str


def key_of(alias: str, key: Sequence[str]) -> Composed:
    """Return the expression that is a row's key as one text: a JSON list of its columns' texts."""
    from psycopg import sql

    parts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, name)) for name in key)
    return sql.SQL("json_build_array({})::text").format(parts)


class RowSight:
    """One session that may see every row and write none."""

    def __init__(self, url: DatabaseUrl, application: str) -> None:
        self.url, self._application = url, application
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._until = 0.0

    def written_since(self, schema: str, table: str, second: datetime, pages: int) -> Written:
        """Count the rows that a transaction wrote which was committed after ``second``; ``pages`` is the table's size.

        Rows that were deleted since are not there to be counted. Raises Unreachable where there is no session.
        """
        part = min(1.0, SAMPLED_PAGES / pages) if pages > WHOLE_PAGES else 1.0
        connection = self._opened()
        if time.monotonic() > self._until:
            return Written(None, why=f"not reached within {ALL_SECONDS:g} s")
        asked = _written(schema, table, 100 * part if part < 1 else None)
        try:
            (row,) = self._asked(connection, asked, {"second": second})
        except _Failed as failed:
            return Written(None, why=failed.why)
        return Written(round(row["rows"] / part), part < 1)

    def any_row(self, schema: str, table: str) -> bool | None:
        """Tell whether a table has a row, also False where there is no such table; None where nobody could look."""
        from psycopg import sql

        asked = sql.SQL("SELECT EXISTS (SELECT FROM {}) AS there").format(sql.Identifier(schema, table))
        try:
            (row,) = self._asked(self._opened(), asked, {})
        except _Failed as failed:
            return False if failed.why.startswith(NO_TABLE) else None
        return bool(row["there"])

    def ask(self, question: Question, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask a packaged question, as a reading session does; raises Refused, Unreachable."""
        if reason := why_refused(question.text):
            raise Refused(f"A session that looks does not ask {question.name}: {reason}.", "Use a runbook's step.")
        return self._all(question.text, parameters or {}, question.name)

    def digest(self, schema: str, table: str) -> tuple[int, str, str]:
        """Return rows, and two sums of hashes, of a table's own rows: equal for equal rows in whatever order."""
        from psycopg import sql

        asked = sql.SQL(
            "SELECT count(*) AS rows, coalesce(sum(hashtextextended(line, 1)), 0)::text AS sum,"
            " coalesce(bit_xor(hashtextextended(line, 2)), 0)::text AS xor"
            ' FROM (SELECT (t.*)::text COLLATE "C" AS line FROM ONLY {} AS t OFFSET 0) AS lines'
        ).format(sql.Identifier(schema, table))
        (row,) = self._all(asked, {}, f"read {schema}.{table}")
        return row["rows"], row["sum"], row["xor"]

    def hashes(self, schema: str, table: str, key: Sequence[str]) -> dict[str, Hashed]:
        """Return for each row's key its hash and who wrote it; raises Unreachable beyond :data:`MOST_ROWS`."""
        from psycopg import sql

        asked = sql.SQL(
            "SELECT {} AS key, xmin::text AS xid, hashtextextended((t.*)::text, 1) AS hash"
            " FROM ONLY {} AS t LIMIT %(most)s"
        ).format(key_of("t", key), sql.Identifier(schema, table))
        rows = self._all(asked, {"most": MOST_ROWS + 1}, f"read {schema}.{table}")
        if len(rows) > MOST_ROWS:
            raise Unreachable(
                f"{schema}.{table} has more than {MOST_ROWS} rows: they are not compared one by one.",
                "Compare a part of it by hand, or go back with the whole database.",
                "other",
            )
        return {row["key"]: Hashed(row["hash"], row["xid"]) for row in rows}

    def lines(self, schema: str, table: str, key: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
        """Return the rows of these keys, each as the text that PostgreSQL reads back as the same row."""
        from psycopg import sql

        asked = sql.SQL("SELECT {0} AS key, (t.*)::text AS line FROM ONLY {1} AS t WHERE {0} = ANY (%(keys)s)").format(
            key_of("t", key), sql.Identifier(schema, table)
        )
        rows = self._all(asked, {"keys": list(keys)}, f"read {schema}.{table}") if keys else []
        return {row["key"]: row["line"] for row in rows}

    def columns_apart(
        self, schema: str, table: str, key: Sequence[str], keys: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """Return for each of these keys the hash of each column: which differ is told, and no value."""
        from psycopg import sql

        asked = sql.SQL(
            "SELECT {0} AS key, (SELECT json_object_agg(e.key, hashtextextended(e.value::text, 1))"
            " FROM json_each(row_to_json(t)) AS e) AS hashes FROM ONLY {1} AS t WHERE {0} = ANY (%(keys)s)"
        ).format(key_of("t", key), sql.Identifier(schema, table))
        rows = self._all(asked, {"keys": list(keys)}, f"read {schema}.{table}") if keys else []
        return {row["key"]: row["hashes"] for row in rows}

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.url, self._application, guards=_GUARDS)
            self._until = time.monotonic() + ALL_SECONDS
        return self._connection

    def _all(self, asked: Any, given: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
        try:
            return self._asked(self._opened(), asked, given)
        except _Failed as failed:
            where = f"PostgreSQL at {self.url.public}"
            raise Unreachable(f"{where} did not answer ({what}: {failed.why}).", "Look at it.", "other") from failed

    def _asked(
        self, connection: psycopg.Connection[dict[str, Any]], asked: Any, given: Mapping[str, Any], again: bool = True
    ) -> list[dict[str, Any]]:
        """Return the rows; raises _Failed for what concerns this question, Unreachable for a lost session."""
        import psycopg

        limit = STATEMENT_SECONDS + 2
        try:
            with (
                deadline(limit, f"PostgreSQL at {self.url.public}", lambda: shut(connection.fileno())),
                connection.transaction(),
            ):
                return connection.execute(asked, given).fetchall()
        except psycopg.Error as error:
            if connection.closed and again:
                # Somebody ended the session while nothing was asked (a restart): ask a new one, once.
                return self._asked(self._opened(), asked, given, again=False)
            if connection.closed:
                raise unreachable(error, self.url, "look at rows") from error
            said = str(error.diag.message_primary or error).partition("\n")[0]
            raise _Failed(f"{error.sqlstate} {said}") from error


class _Failed(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _written(schema: str, table: str, percent: float | None) -> Composed:
    from psycopg import sql

    part = sql.SQL("") if percent is None else sql.SQL("TABLESAMPLE SYSTEM ({})").format(sql.Literal(percent))
    # The server knows no time of the numbers below 3, and says so by an error.
    return sql.SQL(
        "SELECT count(*) FILTER (WHERE CASE WHEN xmin::text::bigint >= 3"
        " THEN pg_xact_commit_timestamp(xmin) > %(second)s END) AS rows FROM ONLY {} {}"
    ).format(sql.Identifier(schema, table), part)
