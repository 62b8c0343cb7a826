"""A disk that fills up: a consumer is gone, its replication slot keeps the log, and the vendor stops all writes.

What is kept is kept for real, and so are writes refused; only the size of the disk is chosen
(:mod:`opslib.lab.volume`), for a full one could be made only with rights that an ordinary user has not.
"""

from __future__ import annotations

from psycopg import sql

from opslib.lab import volume
from opslib.lab.broken import Fault
from opslib.lab.broken.disk_guard import ADDRESS, DATA, NAME, READ_ONLY
from opslib.lab.broken.parts import aside, database
from opslib.settings import Settings
from opslib.systems.postgres import connect

SLOT = "reporting_copy"
PIECES = 20
"""Of 16 MiB each: enough that the disk is well again without them."""

USED_SHARE = 0.97
KEPT = ("wal_keep_size", "max_slot_wal_keep_size")
"""What the lab sets otherwise than PostgreSQL's own default, under which a forgotten slot fills the disk."""


def fill(settings: Settings) -> None:
    """Forget a consumer: its slot keeps the log from now on, until the disk is 97 % full; writes are refused then."""
    data = database(settings).data
    with connect(settings.database_url, "lab") as session:
        if session.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)).fetchone() is None:
            for name, value in zip(KEPT, ("0", "-1"), strict=True):
                session.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            session.execute("SELECT pg_reload_conf()")
            session.execute("SELECT pg_create_physical_replication_slot(%s, true)", (SLOT,))
            for _ in range(PIECES):
                session.execute("SELECT pg_logical_emit_message(false, 'lab', 'what somebody was to receive')")
                session.execute("SELECT pg_switch_wal()")
                # Between two checkpoints a piece at most: else the server would keep as many for later use.
                session.execute("CHECKPOINT")
            volume.give(data, int(volume.used(data) / USED_SHARE))
    _guard(settings)


def empty(settings: Settings) -> None:
    """Drop the slot, give the disk its own size back, and let writes in."""
    volume.take_away(database(settings).data)
    with connect(settings.database_url, "lab") as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", (NAME,)
        )
        session.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
        )
        for name in (*KEPT, READ_ONLY):
            session.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
        session.execute("SELECT pg_reload_conf()")
        session.execute("CHECKPOINT")


def _guard(settings: Settings) -> None:
    with connect(settings.database_url, "lab") as session:
        found = session.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = %s", (NAME,)).fetchone()
    if found:
        return
    given = {ADDRESS: settings.database_url.reveal(), DATA: str(database(settings).data)}
    aside("disk_guard", given, "read-only", "Nobody watches the disk that was to be full.")


FAULTS = (
    Fault(
        "disk-full",
        "database",
        "The database's disk is full: a forgotten slot keeps the log, and the vendor lets nobody write.",
        "database-disk",
        "runbooks/free-database-disk",
        fill,
        empty,
    ),
)
