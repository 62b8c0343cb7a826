"""Fill the lab's database: roles, schema files, generated data. All of it is SQL in ``schema/`` and ``data/``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from opslib.lab import checkout

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[dict[str, Any]]


REPLICATOR = "replicator"
REWINDS = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
"""What a role that is no superuser needs for pg_rewind (PostgreSQL manual, pg_rewind, Notes)."""


def create_database(session: Session, name: str, logins: Mapping[str, str]) -> None:
    """Create the database and the roles, and give the roles in ``logins`` their passwords."""
    from psycopg import sql

    session.execute(_script("schema", "00-roles.sql"))
    for role, password in logins.items():
        _log_in(session, role, password)
    session.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    session.execute(
        sql.SQL('alter database {} set search_path = "$user", public, extensions').format(sql.Identifier(name))
    )
    session.execute(sql.SQL("revoke temporary on database {} from public").format(sql.Identifier(name)))


def create_replicator(session: Session, password: str) -> None:
    """Create the role by which a standby copies, follows and is rewound."""
    from psycopg import sql

    session.execute("create role replicator login replication")
    for function in REWINDS:
        session.execute(sql.SQL("grant execute on function {} to replicator").format(sql.SQL(function)))
    _log_in(session, REPLICATOR, password)


def _log_in(session: Session, role: str, password: str) -> None:
    from psycopg import sql

    # Encrypted here: the server's log and statement statistics may keep the statement.
    verifier = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    session.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier)))


def fill(session: Callable[[], Session], rows: int, clock: datetime, seed: int) -> None:
    """Apply the schema, then generate about ``rows`` rows whose times lead up to ``clock``.

    The same ``rows``, ``clock`` and ``seed`` give the same content, byte for byte.
    """
    first, *middle, last = scripts("data")
    with session() as one:
        for name in scripts("schema")[1:]:
            one.execute(_script("schema", name))
        checkout.record(one)
        _generate(one, first, rows, clock, seed)

    def generate(name: str) -> None:
        with session() as own:
            _generate(own, name, rows, clock, seed)

    # Big tables at once, in sessions of their own; the last script needs them all.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(generate, middle))
    generate(last)
    with session() as one:
        one.execute("vacuum (analyze)")


def digest(session: Session) -> str:
    """Return the SHA-256 of the content of every table of the product, row by row in a fixed order."""
    from psycopg import sql

    total = hashlib.sha256()
    tables = session.execute(
        "select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and n.nspname in ('public', 'auth', 'supabase_migrations') order by 1, 2"
    ).fetchall()
    for table in tables:
        row = session.execute(
            sql.SQL(
                "select count(*) as rows, md5(string_agg(t::text, e'\\n' order by t::text)) as sum from {} t"
            ).format(sql.Identifier(table["schema"], table["name"]))
        ).fetchone()
        assert row is not None
        total.update(f"{table['schema']}.{table['name']} {row['rows']} {row['sum']}\n".encode())
    return total.hexdigest()


def scripts(kind: str) -> list[str]:
    """Return the names of the SQL files in ``schema`` or ``data``, in the order in which they apply."""
    return sorted(f.name for f in files("opslib.lab").joinpath(kind).iterdir() if f.name[:1].isdigit())


def _generate(session: Session, name: str, rows: int, clock: datetime, seed: int) -> None:
    for setting, value in (("lab.rows", str(rows)), ("lab.clock", clock.isoformat()), ("lab.seed", str(seed))):
        session.execute("select set_config(%s, %s, false)", (setting, value))
    session.execute(_script("data", "functions.sql"))
    session.execute(_script("data", name))
    # Else a session's counters arrive some time after its end, and on top of the reset ones.
    session.execute("select pg_stat_force_next_flush()")


def _script(kind: str, name: str) -> bytes:
    return files("opslib.lab").joinpath(kind, name).read_bytes()
