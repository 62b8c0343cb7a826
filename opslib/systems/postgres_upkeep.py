"""Long statements that keep a database in order, each outside a transaction, followed while it runs.

That VACUUM and CONCURRENTLY refuse a transaction block, that a broken-off CREATE INDEX CONCURRENTLY leaves an
invalid index, and what each waits for is from the PostgreSQL manual: "VACUUM", "CREATE INDEX", "DROP INDEX",
"REFRESH MATERIALIZED VIEW". The executor's only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opslib.errors import OpsError, Unreachable
from opslib.systems.postgres import Question
from opslib.systems.postgres_admin import AdminDatabase

if TYPE_CHECKING:
    from psycopg.sql import Composed

EVERY = 0.5
"""Seconds between two looks at how far a statement is."""

Tell = Callable[[Mapping[str, Any]], None]
"""Told each row of the progress question; what it raises cancels the statement."""


class Follower:
    """Carries out one long statement at a time in ``session``, looks at it from ``another``, and can cancel it."""

    def __init__(self, session: AdminDatabase, another: AdminDatabase, progress: Question) -> None:
        self.session, self._another, self._progress = session, another, progress

    def carry_out(self, statement: Composed, *, what: str, seconds: float, tell: Tell) -> None:
        """Send the statement and wait for its end.

        Raises StepFailed with the server's message, Unreachable after ``seconds``, or what ``tell`` raises,
        after the statement was cancelled: whether it had an effect must then be looked up.
        """
        pid = self.session.process
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self.session.execute, statement, what=what, seconds=seconds)
            try:
                while not wait([work], EVERY).done:
                    self._look(pid, tell)
            except BaseException:
                self._cancel(pid)
                raise
            work.result()

    def _look(self, pid: int, tell: Tell) -> None:
        rows: Sequence[Mapping[str, Any]] = ()
        # How far it is is for people: a look that fails must not end the work.
        with suppress(Unreachable):
            rows = self._another.ask(self._progress, {"pid": pid}, seconds=EVERY * 4)
        for row in rows or ({"relation": "", "phase": "", "done": None, "total": None},):
            tell(row)

    def _cancel(self, pid: int) -> None:
        with suppress(OpsError):
            self._another.execute(
                "SELECT pg_cancel_backend(pid) AS cancelled FROM pg_stat_activity"
                " WHERE pid = %(pid)s AND application_name = current_setting('application_name')",
                {"pid": pid},
                what="cancel the statement",
            )


def vacuum(schema: str, name: str) -> Composed:
    """Return ``VACUUM (ANALYZE)`` of one table."""
    from psycopg import sql

    return sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(schema, name))


def create_index(schema: str, table: str, index: str, columns: Sequence[str]) -> Composed:
    """Return ``CREATE INDEX CONCURRENTLY`` of a plain B-tree; without IF NOT EXISTS, which hides an invalid one."""
    from psycopg import sql

    return sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} ({})").format(
        sql.Identifier(index), sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def drop_index(schema: str, index: str) -> Composed:
    """Return ``DROP INDEX CONCURRENTLY``."""
    from psycopg import sql

    return sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, index))


def refresh_view(schema: str, name: str) -> Composed:
    """Return ``REFRESH MATERIALIZED VIEW CONCURRENTLY``, which leaves the view readable."""
    from psycopg import sql

    return sql.SQL("REFRESH MATERIALIZED VIEW CONCURRENTLY {}").format(sql.Identifier(schema, name))
