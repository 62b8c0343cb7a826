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
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import end_sessions_of, rename_database
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

    Raises StepFailed or Unreachable; then the caller must call :func:`end_lost` and look whether it was all
    or nothing.
    """
    with session.transaction():
        rename_database(session, live, kept)
        rename_database(session, new, live)
        if mark is not None:
            mark_database(session, live, mark)


def end_lost(session: AdminDatabase, another: AdminDatabase) -> None:
    """End what is left of ``session`` on the server if its connection broke, so that its fate can be looked up.

    The server may not know yet that nobody listens: a COMMIT that is still on its way would be carried out
    after the look. Raises OpsError when that could not be made sure.
    """
    if session.lost is None:
        return
    rows = another.execute(
        "SELECT pg_terminate_backend(pid, 10000) AS ended FROM pg_stat_activity"
        " WHERE pid = %(pid)s AND application_name = %(application)s AND pid <> pg_backend_pid()",
        {"pid": session.lost, "application": session.application},
        what="end the session whose connection broke",
    )
    if not all(row["ended"] for row in rows):
        raise StepFailed(
            f"The session {session.lost} on {session.url.public} does not end, and may still do what it was told.",
            "Look at what it does (pg_stat_activity) before you judge by what you see.",
        )


def end_earlier(session: AdminDatabase) -> None:
    """End the other sessions of this session's application in its database, so that their fate can be looked up.

    A process that was killed leaves them: the server goes on with what it was told until it notices. Raises
    StepFailed when one does not end.
    """
    session.execute(
        "SELECT pg_terminate_backend(pid, 10000) AS ended FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()",
        what="end the sessions that an earlier process left",
    )
    # One that had just ended by itself is "not ended" above: who is still there is what counts.
    if session.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()",
        what="look whether they are gone",
    ):
        raise StepFailed(
            f"A session of {session.application} on {session.url.public} does not end.",
            "Look at what it does (pg_stat_activity), then try again.",
        )


def analyze(session: AdminDatabase) -> None:
    """Give the session's database planner statistics, which a dump does not carry."""
    session.execute("ANALYZE", what="analyze the database", seconds=3600.0)
