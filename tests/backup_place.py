"""A database with one of everything that a backup can get wrong, and a place of its own in the bucket."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from opslib.actions.backups import ProveBackup, TakeBackup
from opslib.actions.backups_collect import collect
from opslib.model import now
from opslib.probes.backups_manifest import DUMP, MANIFEST, PROOF, Contents, Manifest, Proof
from opslib.systems.postgres_admin import snapshot
from opslib.systems.target import ReadTarget, WriteTarget

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS text CHECK (VALUE ~ '@');
CREATE TABLE things (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone text,
    name varchar(40) NOT NULL DEFAULT 'x',
    status varchar(20) CHECK (status IN ('open', 'closed')),
    mood mood, mail email, data jsonb, raw bytea, tags text[], worth double precision, at timestamptz,
    wait interval, doubled int GENERATED ALWAYS AS (length(name) * 2) STORED
);
ALTER TABLE things DROP COLUMN gone;
CREATE INDEX things_open ON things (name) WHERE status IN ('open', 'new');
INSERT INTO things (name, status, mood, mail, data, raw, tags, worth, at, wait)
SELECT 'thing ' || n % 7, CASE WHEN n % 2 = 0 THEN 'open' END, 'ok', 'a@b', jsonb_build_object('n', n),
       decode(md5(n::text), 'hex'), ARRAY['a', NULL, 'c,"d'], CASE WHEN n = 3 THEN 'NaN' ELSE n / 7.0 END,
       '2026-03-29 01:30:00+00'::timestamptz + n * interval '1 hour', n * interval '1 month 1 day'
FROM generate_series(1, 500) AS n;
CREATE TABLE twice (line text);
INSERT INTO twice SELECT 'the same' FROM generate_series(1, 4);
CREATE TABLE nothing ();
CREATE TABLE parent (a int);
CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3);
CREATE TABLE events (day date, what text) PARTITION BY RANGE (day);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events VALUES ('2025-05-05', 'old'), ('2026-05-05', 'new');
CREATE UNLOGGED TABLE cache_like (a int);
INSERT INTO cache_like SELECT generate_series(1, 9);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nobody FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE elsewhere (a int) SERVER nobody;
CREATE MATERIALIZED VIEW summary AS SELECT status, count(*) FROM things GROUP BY 1;
CREATE MATERIALIZED VIEW unread AS SELECT 1 AS one WITH NO DATA;
INSERT INTO things (name) VALUES ('after the summary was made');
CREATE VIEW open_things AS SELECT * FROM things WHERE status IN ('open', 'new') AND (mood = 'ok' OR worth > 1);
CREATE SEQUENCE down INCREMENT BY -5 MAXVALUE 100 START 100;
SELECT nextval('down'), nextval('down');
CREATE SEQUENCE unused;
CREATE TABLE secrets (owner name, line text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets FOR SELECT TO "place reader" USING (owner = current_user);
INSERT INTO secrets VALUES ('nobody', 'seen by nobody');
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE UPDATE ON things FOR EACH ROW WHEN (OLD.status IN ('open', 'new')) EXECUTE FUNCTION bump();
GRANT SELECT ON things TO "place reader";
GRANT UPDATE (name) ON things TO "place reader";
ALTER FUNCTION bump() OWNER TO "place owner";
SELECT lo_from_bytea(0, 'a large object'::bytea);
CREATE EXTENSION pg_trgm;
"""
RENEW = """
DROP SCHEMA IF EXISTS public, supabase_migrations CASCADE;
DROP FOREIGN DATA WRAPPER IF EXISTS nowhere CASCADE;
SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema';
"""
"""Takes away what a test put into a place's database; making a database anew costs ten times as much."""


class Place:
    """One database and one prefix in the lab, with the handles of one run after another."""

    def __init__(self, lab: Any, name: str, prefix: str = "") -> None:
        self.lab, self.name = lab, name
        self.settings = lab.settings.model_copy(
            update={
                "database_url": lab.settings.database_url.with_path(name),
                "read_database_url": lab.settings.read_database_url.with_path(name),
                "backup_prefix": prefix or f"{name}/",
                "core_tables": ("public.things",),
            }
        )
        self._open: dict[str, Any] = {}
        self._seed: list[tuple[Manifest, bytes]] = []

    def reading(self, run: str = "r1", **changes: Any) -> ReadTarget:
        """Return handles that can only read."""
        settings = self.settings.model_copy(update=changes).reading()
        return cast(ReadTarget, self._open.setdefault(f"r {run} {changes}", ReadTarget(settings, run)))

    def writing(self, run: str = "r1", **changes: Any) -> WriteTarget:
        """Return handles that can write."""
        settings = self.settings.model_copy(update=changes)
        return cast(WriteTarget, self._open.setdefault(f"w {run} {changes}", WriteTarget(settings, run)))

    def do(self, action: Any, run: str = "r1", **changes: Any) -> dict[str, Any]:
        """Plan and apply ``action`` in ``run``; returns its values."""
        plan = action.plan(self.reading(run, **changes))
        return dict(action.apply(self.writing(run, **changes), plan, quiet))

    def take(self, run: str = "r1", **changes: Any) -> dict[str, Any]:
        """Take a backup."""
        return self.do(TakeBackup(), run, **changes)

    def prove(self, backup: str, run: str = "r1") -> dict[str, Any]:
        """Prove a backup."""
        return self.do(ProveBackup(backup=backup), run)

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Run one statement in the database as superuser."""
        with self.lab.admin(self.name) as session:
            cursor = session.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def manifest(self, values: dict[str, Any]) -> Manifest:
        """Return the stored manifest of a backup that was taken."""
        data = self.writing().backup_store.read(values["manifest"], version=values["manifest_version"])
        return Manifest.model_validate_json(data)

    def keep(self, manifest: Manifest, dump: bytes, name: str, **changes: Any) -> str:
        """Store ``dump`` under a copy of ``manifest``, called ``name``; returns the name."""
        store = self.writing().backup_store
        key = f"{self.settings.backup_prefix}{name}"
        version = store.put_new(key + DUMP, dump, {})
        where = manifest.dump.model_copy(update={"key": key + DUMP, "version": version, "size": len(dump)})
        where = where.model_copy(update={k: v for k, v in changes.items() if k in ("sha256", "size")})
        copy = manifest.model_copy(update={"name": name, "dump": where})
        if "taken_at" in changes:
            taken_at: datetime = changes["taken_at"]
            copy = copy.model_copy(update={"origin": copy.origin.model_copy(update={"taken_at": taken_at})})
        store.put_new(key + MANIFEST, copy.encode(), {}, locked_until=changes.get("locked_until"))
        if changes.get("proven"):
            self.vouch(name)
        return name

    def vouch(self, name: str, **changes: Any) -> None:
        """Store a proof of the backup without having restored it."""
        store = self.writing().backup_store
        key = f"{self.settings.backup_prefix}{name}"
        data = store.read(key + MANIFEST)
        manifest = Manifest.model_validate_json(data)
        said = {
            "name": name,
            "run": "forged",
            "proven_at": now(),
            "manifest_sha256": hashlib.sha256(data).hexdigest(),
            "dump_sha256": manifest.dump.sha256,
            "server_version": "18.6",
            "read_seconds": 1.0,
            "restore_seconds": 2.0,
            "compare_seconds": 1.0,
            "database_bytes": manifest.origin.database_bytes,
            "restored_bytes": 2_000_000,
        }
        store.put_new(key + PROOF, Proof.model_validate(said | changes).encode(), {})

    def history(self, *days: float, proven: tuple[float, ...] = ()) -> Manifest:
        """Store a backup of each age in days, called ``age-DAYS``; returns the manifest that they copy."""
        if not self._seed:
            made = self.manifest(self.take("seed"))
            self._seed.append((made, b"".join(self.writing().backup_store.stream(made.dump.key))))
            for key, version in (
                (item.key, item.version) for item in self.writing().backup_store.list(self.settings.backup_prefix)
            ):
                self.writing().backup_store.delete_version(key, version)
        base, dump = self._seed[0]
        for age in days:
            self.keep(base, dump, f"age-{age:g}", taken_at=now() - timedelta(days=age), proven=age in proven)
        return base

    @contextmanager
    def beside(self) -> Iterator[Place]:
        """Hand out another Place on the same database, with a prefix of its own in the bucket."""
        made = Place(self.lab, self.name, f"{self.name}/{uuid.uuid4().hex[:8]}/")
        made._seed = self._seed
        try:
            yield made
        finally:
            made.close()

    def objects(self) -> list[str]:
        """Return what stands below the prefix, without it."""
        return [
            item.key.removeprefix(self.settings.backup_prefix)
            for item in self.writing().backup_store.list(self.settings.backup_prefix)
        ]

    def contents(self) -> Contents:
        """Return the database's contents as they are now."""
        with snapshot(self.settings.database_url, "test", statement_seconds=60) as (session, _):
            return collect(session, quiet)

    def uploads(self) -> list[str]:
        """Return the uploads in parts that were begun and neither completed nor aborted."""
        said = self.writing().backup_store.call("list_multipart_uploads", Prefix=self.settings.backup_prefix)
        return [item["Key"] for item in said.get("Uploads", [])]

    def databases(self) -> set[str]:
        """Return the names of all databases of the server."""
        return {row["datname"] for row in self.sql("SELECT datname FROM pg_database")}

    def close(self) -> None:
        """Close every handle."""
        for target in self._open.values():
            target.close()


@contextmanager
def place(lab: Any, schema: str = SCHEMA) -> Any:
    """Make a Place with ``schema``; its database goes afterwards, its objects stay in the bucket."""
    made = Place(lab, f"place_{uuid.uuid4().hex[:12]}")
    with lab.admin() as session:
        for role in ("place reader", "place owner"):
            if not session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                session.execute(f'CREATE ROLE "{role}" NOLOGIN')
        session.execute(f"CREATE DATABASE {made.name}")
    try:
        with lab.admin(made.name) as session:
            session.execute(schema)
            session.execute(f"ALTER DATABASE {made.name} SET search_path = \"$user\", public, 'odd, name'")
            session.execute(f"ALTER DATABASE {made.name} SET work_mem = '5MB'")
            session.execute(f"ALTER DATABASE {made.name} SET app.settings.jwt_secret = 'hunter2-hunter2'")
            session.execute(f'ALTER ROLE "place reader" IN DATABASE {made.name} SET statement_timeout = 1234')
            session.execute(f'GRANT CREATE ON DATABASE {made.name} TO "place reader" WITH GRANT OPTION')
        yield made
    finally:
        made.close()
        with lab.admin() as session:
            session.execute(f"DROP DATABASE {made.name} WITH (FORCE)")


@contextmanager
def renewed(made: Place, schema: str = SCHEMA) -> Any:
    """Make another Place on the database of one, as ``schema`` makes it, with a prefix of its own in the bucket."""
    with made.lab.admin(made.name) as session:
        session.execute(RENEW + schema)
    made._seed.clear()
    with made.beside() as again:
        yield again


@contextmanager
def backed_up(settings: Any) -> Any:
    """Let the lab's own database have a backup, taken and proven just now; afterwards it has none that it had not."""
    run = f"20261129T010000Z-runbooks-back-up-database-{uuid.uuid4().hex[:6]}"
    reading, writing = ReadTarget(settings.reading(), run), WriteTarget(settings, run)
    store = writing.backup_store
    before = {(item.key, item.version) for item in store.versions(settings.backup_prefix)}
    try:
        for action in (TakeBackup(), ProveBackup()):
            action.apply(writing, action.plan(reading), quiet)
        yield
    finally:
        after = {(item.key, item.version) for item in store.versions(settings.backup_prefix)}
        for key, version in after - before:
            store.delete_version(key, version)
        reading.close()
        writing.close()


def quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Show no progress."""
