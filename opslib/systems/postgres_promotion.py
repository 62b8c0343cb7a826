"""A standby that becomes the primary, and what shows that it is one.

Sources: PostgreSQL manual, "Failover", ``pg_promote`` (it asks the server's main process, which goes on by itself),
``synchronous_standby_names`` (a commit waits for as long as none of them is there). The executor's only.
"""

from __future__ import annotations

import time

from opslib.errors import StepFailed
from opslib.systems.postgres_admin import AdminDatabase

SCHEMA = "opslib_failover"
"""A schema of our own, made and removed by one step."""
ROWS = 3
COMMIT_SECONDS = 15.0
LATE_SECONDS, PAUSE = 5.0, 0.2
"""A promotion is over within a second once everything is replayed; one that is later still is met by its repetition."""


def recovering(session: AdminDatabase) -> bool:
    """Tell whether the server is a standby."""
    (row,) = session.execute("SELECT pg_is_in_recovery() AS standby", what="look at its role")
    return bool(row["standby"])


def may_promote(session: AdminDatabase) -> bool:
    """Tell whether the session's role may promote the server."""
    (row,) = session.execute(
        "SELECT has_function_privilege('pg_promote(boolean, integer)', 'EXECUTE') AS may",
        what="look whether it may promote",
    )
    return bool(row["may"])


def wait_for_nobody(session: AdminDatabase) -> None:
    """Let commits wait for no standby; raises StepFailed where the role may not (it must be a superuser)."""
    session.execute("ALTER SYSTEM SET synchronous_standby_names = ''", what="let commits wait for nobody")
    session.execute("SELECT pg_reload_conf()", what="let the server read its settings again")


def promote(session: AdminDatabase, seconds: float) -> None:
    """Promote the server and wait until it takes writes; raises StepFailed where it does not within ``seconds``."""
    (row,) = session.execute(
        "SELECT pg_promote(true, %(seconds)s) AS promoted",
        {"seconds": max(1, round(seconds))},
        what="promote",
        seconds=seconds + 10.0,
    )
    if not row["promoted"]:
        raise StepFailed(
            f"{session.url.public} is not promoted after {seconds:g} s; it goes on by itself.",
            "Look at its log: what it still replays, it replays first.",
        )


def promoting(session: AdminDatabase, seconds: float) -> bool:
    """Tell whether the server takes writes, or begins to within ``seconds``: a promotion that was asked for goes on."""
    until = time.monotonic() + min(seconds, LATE_SECONDS)
    while recovering(session):
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE)
    return True


def commit(session: AdminDatabase, text: str) -> None:
    """Commit a message in the log that no table sees; raises Unreachable where the commit does not come back."""
    session.execute(
        "SELECT pg_logical_emit_message(true, 'opslib', %(text)s)",
        {"text": text},
        what="commit",
        seconds=COMMIT_SECONDS,
    )


def write(session: AdminDatabase, text: str) -> list[str]:
    """Make the table, commit its rows, and return them; errors as :func:`commit`."""
    said = [f"{text} {number}" for number in range(ROWS)]
    forget(session)
    with session.transaction():
        session.execute("CREATE SCHEMA IF NOT EXISTS opslib_failover", what="make a schema", seconds=COMMIT_SECONDS)
        session.execute("CREATE TABLE opslib_failover.rows (said text)", what="make a table", seconds=COMMIT_SECONDS)
    for one in said:
        session.execute(
            "INSERT INTO opslib_failover.rows VALUES (%(said)s)",
            {"said": one},
            what="write a row",
            seconds=COMMIT_SECONDS,
        )
    return said


def read(session: AdminDatabase) -> list[str]:
    """Return the rows as this session sees them."""
    rows = session.execute("SELECT said FROM opslib_failover.rows ORDER BY said", what="read the rows")
    return [str(row["said"]) for row in rows]


def forget(session: AdminDatabase) -> None:
    """Remove the schema with all that is in it."""
    session.execute("DROP SCHEMA IF EXISTS opslib_failover CASCADE", what="remove the schema", seconds=COMMIT_SECONDS)


def left(session: AdminDatabase) -> bool:
    """Tell whether something of it is still there."""
    rows = session.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %(name)s", {"name": SCHEMA}, what="look what is left"
    )
    return bool(rows)
