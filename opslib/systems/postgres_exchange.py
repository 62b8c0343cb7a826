"""Two databases that exchange names in one transaction, and sessions that give up waiting by themselves.

That renaming a database may be rolled back, and needs nobody connected to it, is from the PostgreSQL
manual, "ALTER DATABASE", and tried on PostgreSQL 18. While a rename waits for sessions to go, its lock
makes new ones wait: nothing has to be closed beforehand, so that whoever is killed leaves nothing closed.
The executor's only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opslib.errors import OpsError, StepFailed
from opslib.systems.postgres_admin import AdminDatabase, end_sessions_of, rename_database
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


@contextmanager
def emptied(session: AdminDatabase, database: int) -> Iterator[set[int]]:
    """End every session in the database with this oid again and again, in a thread of its own, during the block.

    Yields the process numbers that were ended so far. Raises StepFailed when the block failed and sessions
    could not be ended (a superuser's, for instance).
    """
    ended: set[int] = set()
    failures: list[OpsError] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set() and not failures:
            try:
                ended.update(end_sessions_of(session, database))
            except OpsError as error:
                failures.append(error)
            done.wait(0.05)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield ended
    except OpsError as error:
        if failures:
            raise StepFailed(f"{error.message} {failures[0].message}", failures[0].next_step) from error
        raise
    finally:
        done.set()
        worker.join()


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
