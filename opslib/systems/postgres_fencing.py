"""A PostgreSQL that may take no writes any more: closed by settings of its own, outside the log, for every session.

``default_transaction_read_only`` alone keeps nobody out: a session sets it back. ``session_preload_libraries`` names
what each new session must load, and a library that does not exist ends it before its first statement. Both are in
``postgresql.auto.conf``: not in the log, so that no standby gets them, and there after a restart (PostgreSQL manual,
"ALTER SYSTEM", "Shared Library Preloading"; tried on 18). Who streams the log loads no such library, so a standby can
still fetch what it lacks. A superuser who names the setting at log-in comes in all the same: that is the way to open
it again. Background workers load none either; for them the first setting is set as well.
"""

from __future__ import annotations

import time

from opslib.errors import StepFailed, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres_admin import AdminDatabase

LIBRARY = "opslib_fenced"
"""No library has this name; who is refused reads it in the server's answer."""
END_SECONDS = 20.0
QUIET, PAUSE = 3, 0.1
"""So many looks in a row have to find nobody, with so many seconds between two."""

_CLOSE = (
    f"ALTER SYSTEM SET session_preload_libraries = '{LIBRARY}'",
    "ALTER SYSTEM SET default_transaction_read_only = 'on'",
)
_OPEN = (
    "ALTER SYSTEM RESET session_preload_libraries",
    "ALTER SYSTEM RESET default_transaction_read_only",
)
_END = (
    "SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity"
    " WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()"
)
_LEFT = (
    "SELECT count(*)::int AS left FROM pg_stat_activity"
    " WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()"
)


def close_server(session: AdminDatabase) -> str:
    """Let nobody in any more, end every session but this one, and return how far the log has come then.

    Once more changes nothing. Raises StepFailed where the role may not (it must be a superuser), or where sessions
    do not end.
    """
    for statement in _CLOSE:
        session.execute(statement, what="close the server to sessions")
    session.execute("SELECT pg_reload_conf()", what="let the server read its settings again")
    # Whoever came in before the server had read them is ended too. It has, once a new session is refused; one that had
    # begun to log in by then shows a moment later.
    until, quiet = time.monotonic() + END_SECONDS, 0
    while quiet < QUIET:
        if time.monotonic() > until:
            raise StepFailed(f"Sessions on {session.url.public} do not end.", "Look at them in pg_stat_activity.")
        closed = closed_by_us(session.url, session.application)
        session.execute(_END, what="end the sessions on the server", seconds=END_SECONDS)
        (row,) = session.execute(_LEFT, what="look who is left on the server")
        quiet = quiet + 1 if closed and not row["left"] else 0
        time.sleep(PAUSE)
    (row,) = session.execute(
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text"
        " AS lsn",
        what="look how far its log has come",
    )
    return str(row["lsn"])


def closed_by_us(url: DatabaseUrl, application: str) -> bool:
    """Tell whether the server refuses a new session because it was closed; raises Unreachable for any other reason."""
    with AdminDatabase(url, application, read_only=True) as session:
        try:
            session.execute("SELECT 1", what="try to get in")
        except Unreachable as error:
            if error.kind == "fenced":
                return True
            raise
    return False


def open_server(session: AdminDatabase) -> None:
    """Let sessions in again; ``session`` was opened past the bar (AdminDatabase)."""
    for statement in _OPEN:
        session.execute(statement, what="open the server to sessions")
    session.execute("SELECT pg_reload_conf()", what="let the server read its settings again")
