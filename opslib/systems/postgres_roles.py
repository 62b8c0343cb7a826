"""Whether a role of the server may log in. The executor's only."""

from __future__ import annotations

from psycopg import sql

from opslib.systems.postgres_admin import AdminDatabase


def let_log_in(session: AdminDatabase, role: str, may: bool) -> None:
    """Let a role log in, or not any more; sessions that it has stay. Raises StepFailed where the session may not."""
    command = sql.SQL("ALTER ROLE {} LOGIN" if may else "ALTER ROLE {} NOLOGIN")
    session.execute(command.format(sql.Identifier(role)), what="set whether a role may log in")
