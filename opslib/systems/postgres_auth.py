"""Sessions of the application's users, ended in the database: what the product's sign-in keeps of them is deleted.

That refresh tokens go with their session (ON DELETE CASCADE), and that access tokens stay valid until they expire, is
from the sign-in server's own schema and documentation (Supabase, "User sessions"). The executor's only.
"""

from __future__ import annotations

from collections.abc import Sequence

from opslib.systems.postgres_admin import AdminDatabase


def may_end_sessions(session: AdminDatabase) -> bool:
    """Tell whether the session's role may delete user sessions, and sees them all."""
    (row,) = session.execute(
        "SELECT has_table_privilege('auth.sessions', 'DELETE') AND (NOT row_security_active('auth.sessions')) AS may",
        what="look what the role may",
    )
    return bool(row["may"])


def end_sessions(session: AdminDatabase, ids: Sequence[str]) -> int:
    """Delete the user sessions with these ids, and with them their refresh tokens; return how many were there.

    One statement, so all of them or none. Repeating it does no harm.
    """
    rows = session.execute(
        "WITH gone AS (DELETE FROM auth.sessions WHERE id = ANY (%(ids)s::uuid[]) RETURNING id)"
        " SELECT count(*) AS ended FROM gone",
        {"ids": list(ids)},
        what="end user sessions",
    )
    return int(rows[0]["ended"])
