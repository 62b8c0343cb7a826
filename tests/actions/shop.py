"""A small database of its own inside the lab's server, so that the shared one is never renamed."""

import gzip
import hashlib
import subprocess

from opslib.actions.backups_rebuild import contents_of
from opslib.model import UNKNOWN_UNTIL, Verdict
from opslib.systems import programs
from opslib.systems.target import ReadTarget, WriteTarget

LIVE = "shop"
SCHEMA = r"""
CREATE SCHEMA auth;
CREATE TABLE auth.users (id int PRIMARY KEY, email text NOT NULL);
CREATE TABLE public.users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, born date DEFAULT now());
CREATE TABLE public."Odd ""name"", here" ("values" text, price numeric(10,2), data bytea, tags text[]);
CREATE TABLE public.parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE public.parts_2026 PARTITION OF public.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE public.never_used (id int);
CREATE TYPE public.mood AS ENUM ('fine', 'it''s bad');
CREATE INDEX users_name ON public.users (lower(name));
CREATE VIEW public.names AS SELECT name FROM public.users WHERE name ~ '\\d';
CREATE MATERIALIZED VIEW public.totals AS SELECT count(*) AS n FROM public.users;
CREATE FUNCTION public.shout(word text) RETURNS text LANGUAGE sql AS $body$
/* it's text, no command:
\! ls */ SELECT upper(word) $body$;
CREATE FUNCTION public.both(a int) RETURNS int LANGUAGE sql
BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 END; SELECT 2; END;
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON public.users TO shop_owner USING (true);
GRANT SELECT ON public.users TO shop_owner;
COMMENT ON TABLE public.users IS E'two\nlines \\! and a backslash \\';
"""
ROWS = r"""
INSERT INTO auth.users SELECT n, 'u' || n || '@example.org' FROM generate_series(1, 40) AS n;
INSERT INTO public.users (name) SELECT 'user ' || n FROM generate_series(1, 60) AS n;
INSERT INTO public.users (name) VALUES (E'\\.'), (E'tab\there, line\nhere'), (NULL), (E'\\! ls'),
    ('-- PostgreSQL database dump complete');
INSERT INTO public."Odd ""name"", here" VALUES
    (E'\\restrict x', 1.50, '\x00ff', ARRAY['a,b', NULL]), ('ö', NULL, NULL, NULL);
INSERT INTO public.parts SELECT n, '2026-03-01' FROM generate_series(1, 7) AS n;
REFRESH MATERIALIZED VIEW public.totals;
"""


def make(lab, name, *statements):
    """Create the database with the statements' content; a database of that name goes first."""
    with lab.admin("postgres") as session:
        drop(session, name)
        session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        if not session.execute("SELECT FROM pg_roles WHERE rolname = 'shop_owner'").fetchall():
            session.execute("CREATE ROLE shop_owner")
        session.execute(f"ALTER DATABASE {name} OWNER TO shop_owner")
        session.execute(f'ALTER DATABASE {name} SET search_path TO "$user", public, auth')
        session.execute(f"ALTER DATABASE {name} SET shop.secret TO 'it''s hidden'")
        session.execute(f"ALTER ROLE shop_owner IN DATABASE {name} SET work_mem TO '5MB'")
        session.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        session.execute(f"GRANT CONNECT ON DATABASE {name} TO ops_reader")
    with lab.admin(name) as session:
        for statement in statements:
            session.execute(statement)
    with lab.admin(name) as session:
        session.execute("ANALYZE")


def drop(session, name):
    for row in session.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{name}(_|$)"]).fetchall():
        session.execute(f'ALTER DATABASE "{row["datname"]}" ALLOW_CONNECTIONS true')
        session.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')


def settings(lab, name=LIVE):
    """Return the lab's description with the small database as the live one."""
    said = lab.settings
    return said.model_copy(
        update={
            "database_url": said.database_url.with_path(name),
            "read_database_url": said.read_database_url.with_path(name),
            "core_tables": ("auth.users", "public.users"),
            "backup_prefix": f"{name}/",
        }
    )


def dump(lab, *options, name=LIVE):
    """Return the bytes that pg_dump writes of the database."""
    url = settings(lab, name).database_url.reveal()
    # Not through our own module: it admits only what our own dumps need.
    return subprocess.run([programs.find("pg_dump"), url, *options], capture_output=True, check=True).stdout


def store(writing, key, data, checksum=None):
    """Put a foreign dump into the bucket, with a checksum file unless ``checksum`` is empty."""
    for version in writing.backups.list(key):
        writing.backup_store.delete_version(version.key, version.version)
    writing.backup_store.put_new(key, data, {})
    text = hashlib.sha256(data).hexdigest() if checksum is None else checksum
    if text:
        writing.backup_store.put_new(f"{key}.sha256", text.encode(), {})
    return key


def fingerprint(lab, name=LIVE):
    """Return the server's catalog of databases and everything that is in the live one."""
    with lab.admin("postgres") as session:
        catalog = session.execute(
            "SELECT d.oid, d.datname, d.datallowconn, d.datconnlimit, d.datdba, d.datacl::text, s.setconfig,"
            " shobj_description(d.oid, 'pg_database') AS mark FROM pg_database d"
            " LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0 ORDER BY d.oid"
        ).fetchall()
    return catalog, contents(lab, name)


def contents(lab, name=LIVE):
    return contents_of(settings(lab, name).database_url, "opslib:test", quiet)[0]


def quiet(text, done=None, total=None):
    pass


def carry_out(action, writing):
    """Plan with handles that only read, apply, verify; return the values and the plan."""
    reading = ReadTarget(writing.settings.reading(), writing.run)
    try:
        plan = action.plan(reading)
        assert plan.digest == action.plan(reading).digest
    finally:
        reading.close()
    assert UNKNOWN_UNTIL not in str(plan.parameters)
    values = action.apply(writing, plan, quiet)
    verification = action.verify(writing, plan, values)
    assert verification.verdict is Verdict.OK, verification.summary
    return values, plan


def prepare(action, writing):
    """Plan and apply what a test needs done before, and does not try itself; return the values."""
    reading = ReadTarget(writing.settings.reading(), writing.run)
    try:
        plan = action.plan(reading)
    finally:
        reading.close()
    return action.apply(writing, plan, quiet)


def writing(lab, run="20261123T130614Z-restore-database-a1b2c3", name=LIVE):
    return WriteTarget(settings(lab, name), run)


def packed(data):
    return gzip.compress(data, mtime=0)
