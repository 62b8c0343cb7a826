"""Every row of a table as a session sees it that row level security hides nothing from; it reads, and nothing else.

A reading role may see a part of the rows only, so this is the executor's. That a row names the transaction that wrote
it (``xmin``), and that a server may know when that was committed (``track_commit_timestamp``), is from the PostgreSQL
manual, "System Columns" and "Committed Transaction Information".
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.postgres import connect
from opslib.systems.postgres_admin import TEXT_FORM
from opslib.systems.postgres_errors import unreachable

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

STATEMENT_SECONDS = 20.0
ALL_SECONDS = 120.0
"""How long one session may look in all; what it did not come to is told."""
WHOLE_PAGES = 20_000
"""Up to this size (160 MB) a table is read whole; of a larger one some pages."""
SAMPLED_PAGES = 5_000
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

    def _asked(
        self, connection: psycopg.Connection[dict[str, Any]], asked: Composed, given: dict[str, Any]
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
