"""A database with a history of migrations, a proven backup of it, and a folder of files of the test's own."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from opslib.actions.database import RehearseMigrations
from opslib.model import Verdict
from opslib.probes.database_rehearsals import folder as records
from opslib.systems.target import VerifyTarget
from tests.backup_place import place, quiet, renewed

SCHEMA = """
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
CREATE TABLE public.things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, worth int);
ALTER TABLE public.things ENABLE ROW LEVEL SECURITY;
INSERT INTO public.things (name, worth) SELECT 'thing ' || n, n FROM generate_series(1, 300) AS n;
INSERT INTO supabase_migrations.schema_migrations VALUES
    ('20260101000000', ARRAY['create table public.things (id bigint)'], 'base');
"""
BASE = "-- What the history has.\nCREATE TABLE public.things (id bigint);\n"

NOTES = "20260401090000", "notes"
NOTES_UP = """CREATE TABLE public.notes (id bigint PRIMARY KEY, thing bigint REFERENCES public.things, body text);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
"""
NOTES_DOWN = "DROP TABLE public.notes;\n"
DUE = "20260402090000", "due"
DUE_UP = "ALTER TABLE public.things ADD COLUMN due date;\n"
DUE_DOWN = "ALTER TABLE public.things DROP COLUMN due;\n"


class Checkout:
    """The place of one test: ``place`` is its database and bucket, ``folder`` what OPS_MIGRATIONS names."""

    def __init__(self, place_, folder):
        self.place, self.folder = place_, folder
        self.settings = place_.settings = place_.settings.model_copy(update={"migrations": folder})
        for kind in ("migrations", "rollbacks"):
            (folder / kind).mkdir(parents=True)
        self.file("20260101000000", "base", BASE)

    def file(self, version, name, up, down=None):
        """Write a migration, and its rollback if one is given."""
        (self.folder / "migrations" / f"{version}_{name}.sql").write_text(up)
        if down is not None:
            (self.folder / "rollbacks" / f"{version}_{name}.sql").write_text(down)

    def both(self):
        """Write the two migrations that go well, with their rollbacks."""
        self.file(*NOTES, NOTES_UP, NOTES_DOWN)
        self.file(*DUE, DUE_UP, DUE_DOWN)

    def saved(self):
        """Take a backup and have it proven."""
        name = self.place.take(f"saved-{uuid.uuid4().hex[:6]}")["backup"]
        self.place.vouch(name)
        return self

    def plan(self, action, run="r1"):
        return action.plan(self.place.reading(run))

    def apply(self, action, plan, run="r1"):
        return dict(action.apply(self.place.writing(run), plan, quiet))

    def verify(self, action, plan, values, run="r1"):
        target = VerifyTarget(self.settings, run)
        try:
            return action.verify(target, plan, values)
        finally:
            target.close()

    def carry_out(self, action, run="r1"):
        """Plan, apply and verify; returns the three."""
        plan = self.plan(action, run)
        values = self.apply(action, plan, run)
        return plan, values, self.verify(action, plan, values, run)

    def undo(self, action, plan, values, run="r1"):
        return action.undo(self.place.writing(run), plan, values, quiet)

    def settle(self, action, plan, run="r1"):
        return action.settle(self.place.writing(run), plan, quiet)

    def versions(self):
        rows = self.place.sql("SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1")
        return [row["version"] for row in rows]

    def columns(self, table="things"):
        rows = self.place.sql(f"SELECT column_name AS n FROM information_schema.columns WHERE table_name = '{table}'")
        return sorted(row["n"] for row in rows)

    def state(self):
        """Return everything that the database holds, and which databases there are."""
        return self.place.contents(), self.place.databases()


class Bench:
    """One database for the tests of a module, made anew by its schema for each, and one proven backup of it."""

    def __init__(self, made, folder):
        self.made, self.folder = made, folder

    @contextmanager
    def checkout(self, folder):
        """Hand out a Checkout on the database as SCHEMA makes it; it has no backup and no rehearsal."""
        before = os.environ["XDG_STATE_HOME"]
        os.environ["XDG_STATE_HOME"] = str(folder.parent / f"{folder.name}-state")
        try:
            with renewed(self.made, SCHEMA) as made:
                yield BenchCheckout(made, folder, self)
        finally:
            os.environ["XDG_STATE_HOME"] = before

    @cached_property
    def prefix(self):
        """Where the backup is, taken once."""
        with self.checkout(self.folder / "backup") as made:
            Checkout.saved(made)
            return made.settings.backup_prefix

    @cached_property
    def rehearsed(self):
        """The records of a rehearsal of both migrations, made once."""
        with self.checkout(self.folder / "rehearsal") as made:
            made.both()
            said = made.saved().carry_out(RehearseMigrations())[2]
            assert said.verdict is Verdict.OK, said.summary
            return records()


class BenchCheckout(Checkout):
    """A Checkout whose backup and whose rehearsal of both migrations are those of its bench."""

    def __init__(self, place_, folder, bench):
        super().__init__(place_, folder)
        self.bench = bench

    def saved(self):
        """Let the bench's backup be this one's: the database was the same when it was taken."""
        changed = self.place.settings.model_copy(update={"backup_prefix": self.bench.prefix})
        self.settings = self.place.settings = changed
        return self

    def rehearsed(self):
        """Have both migrations, a backup, and the records of the rehearsal."""
        self.both()
        shutil.copytree(self.bench.rehearsed, records())
        return self.saved()


@contextmanager
def bench(lab, folder: Path):
    """Hand out a Bench; its database goes afterwards."""
    with place(lab, SCHEMA) as made:
        yield Bench(made, folder)


@contextmanager
def checkout(lab, folder):
    """Hand out a Checkout; its database goes afterwards."""
    with place(lab, SCHEMA) as made:
        yield Checkout(made, folder)
