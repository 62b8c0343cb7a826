"""Two databases that exchange names in one transaction, and sessions that give up waiting by themselves.

That renaming a database may be rolled back, and needs nobody connected to it, is from the PostgreSQL
manual, "ALTER DATABASE", and tried on PostgreSQL 18. The executor's only.
"""

from __future__ import annotations

from opslib.errors import StepFailed
from opslib.systems.postgres_admin import AdminDatabase, rename_database
from opslib.systems.postgres_properties import mark_database


def limit_waiting(session: AdminDatabase, *, lock_seconds: float = 10.0, statement_seconds: float = 120.0) -> None:
    """Make the server itself end what waits for a lock, or runs, longer than this."""
    for name, seconds in (("lock_timeout", lock_seconds), ("statement_timeout", statement_seconds)):
        session.execute(
            "SELECT set_config(%(name)s, %(value)s, false)",
            {"name": name, "value": f"{seconds * 1000:.0f}"},
            what=f"set {name}",
        )


def limit_connections(session: AdminDatabase, name: str, limit: int) -> None:
    """Give the database its limit of connections (-1: none)."""
    from psycopg import sql

    session.execute(
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(sql.Identifier(name), sql.Literal(limit)),
        what=f"limit the connections of database {name}",
    )


def exchange(session: AdminDatabase, live: str, kept: str, new: str, mark: str | None) -> None:
    """Rename ``live`` to ``kept`` and ``new`` to ``live`` and mark the latter, if a mark is given: all or nothing.

    Raises StepFailed; when the connection broke, the caller must look whether it was all or nothing.
    """
    import psycopg

    try:
        with session.transaction():
            rename_database(session, live, kept)
            rename_database(session, new, live)
            if mark is not None:
                mark_database(session, live, mark)
    except psycopg.Error as error:
        line = (str(error).strip().splitlines() or ["no message"])[0]
        raise StepFailed(
            f"The exchange of {live} and {new} was not confirmed ({line}).", "Look at the databases' names."
        ) from error


def analyze(session: AdminDatabase) -> None:
    """Give the session's database planner statistics, which a dump does not carry."""
    session.execute("ANALYZE", what="analyze the database", seconds=3600.0)
