"""What a proof that was killed left on the scratch server: its database, and the roles that it made.

Both carry the proof's mark, which names its run. A proof that goes on has a session of its run's name on
the server; one without is dead, and what it left goes with the next proof.
"""

from __future__ import annotations

from collections.abc import Callable

from opslib.errors import StepFailed
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import drop_database
from opslib.systems.postgres_properties import drop_role, marked, running

PREFIX = "opslib proof of "
NAME = "ops_proof_"
WAIT_SECONDS = 3600.0
"""How long a proof waits for another one on the same server."""

_LOCK = 0x6F70735F70726F6F


def mark(backup: str, run: str) -> str:
    """Return what a proof writes on the database and the roles that it makes."""
    return f"{PREFIX}{backup} by run {run}"


def take_turn(session: AdminDatabase) -> None:
    """Wait until no other proof is under way through this address; the turn ends with the session.

    Two proofs at once would take each other's roles away. Raises StepFailed when it takes too long.
    """
    session.execute(
        "SELECT set_config('lock_timeout', %(limit)s, false)",
        {"limit": f"{WAIT_SECONDS * 1000:.0f}"},
        what="limit the wait for another proof",
    )
    session.execute(
        "SELECT pg_advisory_lock(%(key)s)", {"key": _LOCK}, what="wait for another proof", seconds=WAIT_SECONDS + 30
    )
    session.keep()


def clear(session: AdminDatabase) -> tuple[str, ...]:
    """Drop what dead proofs left; returns what was dropped, what could not be, and what may be a leftover.

    What cannot be dropped is only named: another proof's trouble must not fail this one.
    A database of a proof's name without any mark (killed between making and marking it) is only named.
    """
    alive = running(session)
    said = []
    for name, text in marked(session, "pg_database"):
        if text.startswith(PREFIX) and not _lives(text, alive):
            said.append(f"database {name}: {_dropped(drop_database, session, name)} ({text})")
        elif name.startswith(NAME) and not text:
            said.append(f"database {name}: has no mark, look at it and drop it by hand")
    for name, text in marked(session, "pg_authid"):
        if text.startswith(PREFIX) and not _lives(text, alive):
            said.append(f"role {name}: {_dropped(drop_role, session, name)} ({text})")
    return tuple(said)


def _dropped(drop: Callable[[AdminDatabase, str], None], session: AdminDatabase, name: str) -> str:
    try:
        drop(session, name)
    except StepFailed as error:
        return f"stays, {error.message}"
    return "dropped"


def _lives(text: str, alive: frozenset[str]) -> bool:
    # The server cuts an application's name off after 63 bytes.
    return f"opslib:{text.rsplit(' by run ', 1)[-1]}"[:63] in alive
