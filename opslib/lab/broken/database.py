"""What breaks in the lab's PostgreSQL: sessions that hold each other up, and an index that serves nobody."""

from __future__ import annotations

from opslib.lab.broken import Fault, database_disk, database_rows, database_servers
from opslib.lab.broken.parts import aside
from opslib.model import Verdict
from opslib.settings import Settings
from opslib.systems.postgres import connect

HOLDS, WAITS = "lab fault: holds a lock", "lab fault: waits for it"
ADDRESS = "LAB_FAULT_DATABASE"
"""Variable that tells the process of the two sessions where the database is."""


def block(settings: Settings) -> None:
    """Start a process with two sessions: one locks the cases and forgets it, the other waits for them."""
    unblock(settings)
    given = {ADDRESS: settings.database_url.reveal()}
    aside("sessions", given, "held", "The sessions that were to block each other did not begin.")


def unblock(settings: Settings) -> None:
    """End both sessions; their process ends with them."""
    with connect(settings.database_url, "lab") as database:
        database.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = ANY(%s)",
            ([HOLDS, WAITS],),
        )


def spoil_index(settings: Settings) -> None:
    """Leave what a failed CREATE INDEX CONCURRENTLY leaves: an index that is kept up and never used."""
    mend_index(settings)
    with connect(settings.database_url, "lab") as database:
        try:
            database.execute("CREATE UNIQUE INDEX CONCURRENTLY lab_fault_invalid ON public.cases (status)")
        except Exception as error:
            if "could not create unique index" not in str(error):
                raise


def mend_index(settings: Settings) -> None:
    """Drop it."""
    with connect(settings.database_url, "lab") as database:
        database.execute("DROP INDEX CONCURRENTLY IF EXISTS public.lab_fault_invalid")


def shut(settings: Settings) -> None:
    """Let the database take no connections any more, and end those that it has."""
    with connect(settings.database_url.with_path("postgres"), "lab") as server:
        name = settings.database_url.path.strip("/")
        server.execute("UPDATE pg_database SET datallowconn = false WHERE datname = %s", (name,))
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))


def reopen(settings: Settings) -> None:
    """Let it take connections again."""
    with connect(settings.database_url.with_path("postgres"), "lab") as server:
        name = settings.database_url.path.strip("/")
        server.execute("UPDATE pg_database SET datallowconn = true WHERE datname = %s", (name,))


FAULTS = (
    # First, for all others are mended through a server that answers.
    *database_servers.FAULTS,
    Fault(
        "blocked-sessions",
        "database",
        "A session has locked the cases and is idle in its transaction; another waits for it.",
        "database-blocking",
        "runbooks/end-blocking-session",
        block,
        unblock,
    ),
    Fault(
        "database-shut",
        "database",
        "The database takes no connections.",
        "database-reachable",
        "",
        shut,
        reopen,
        person="somebody shut it (datallowconn), and has to say why before it is opened; a standby is shut as well",
    ),
    Fault(
        "invalid-index",
        "database",
        "A failed CREATE INDEX CONCURRENTLY left an invalid index.",
        "database-invalid-indexes",
        "runbooks/maintain-database",
        spoil_index,
        mend_index,
        Verdict.WARNING,
    ),
    *database_rows.FAULTS,
    *database_disk.FAULTS,
)
