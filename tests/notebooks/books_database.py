"""Runbooks of the database for whole runs that are broken off: migrations put in and taken back, a forgotten slot."""

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from opslib.headless import runner
from opslib.headless.undo import undo
from opslib.lab.broken import find
from opslib.lab.broken.database_disk import SLOT
from opslib.probes import database_rehearsals
from opslib.systems.postgres import connect
from tests.notebooks.books import Book, There, ask

MIGRATE, NEWEST = "runbooks/migrate-database", "20260408103000"
APPLIED = 8
"""Migrations that the lab's database has from the beginning; two more are pending."""


def pending(house):
    return APPLIED + 2 - len(ask(house, "SELECT version FROM supabase_migrations.schema_migrations"))


@contextmanager
def migrated(house):
    """Both files pending, and nothing known of them."""
    shutil.rmtree(database_rehearsals.folder(), ignore_errors=True)
    files = Path(house.settings.migrations)
    kept = shutil.copytree(files, house.lab.folder / "kept-supabase", dirs_exist_ok=True)
    try:
        yield There(lambda: pending(house), 0)
    finally:
        shutil.rmtree(files)
        shutil.move(kept, files)


@contextmanager
def migrated_back(house):
    """Both applied, by a run that proved the way back."""
    with migrated(house):
        applied = runner.run(MIGRATE, ("act=apply",), "lab", house.archive)
        assert (applied["state"], pending(house)) == ("finished", 0), applied["reason"]
        try:
            yield There(lambda: pending(house), 1)
        finally:
            assert undo(applied["run"], house.archive)["exit_code"] == 0


@contextmanager
def full(house):
    """A disk that a forgotten slot has filled, and nobody may write."""
    fault = find("disk-full")
    fault.make(house.settings)

    def state():
        slots = [row["n"] for row in ask(house, "SELECT slot_name AS n FROM pg_replication_slots")]
        return {"forgotten": SLOT in slots, "writes": writes(house)}

    try:
        yield There(state, {"forgotten": False, "writes": True})
    finally:
        fault.mend(house.settings)


def writes(house):
    with suppress(psycopg.errors.ReadOnlySqlTransaction), connect(house.settings.database_url, "test") as session:
        session.execute("CREATE TABLE public.somebody_writes AS SELECT 1 AS one")
        session.execute("DROP TABLE public.somebody_writes")
        return True
    return False


BOOKS = {
    "migrate": Book(MIGRATE, ("act=apply",), migrated, undo=True),
    "migrate back": Book(MIGRATE, ("act=roll-back", f"version={NEWEST}"), migrated_back, undo=True),
    "slot": Book("runbooks/free-database-disk", (f"slot={SLOT}", "minutes=1"), full, (0, 1, 3)),
}
