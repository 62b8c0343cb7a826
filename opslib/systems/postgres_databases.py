"""Whole databases of a server: made, renamed, dropped, and the sessions in them ended.

Facts about template0, ``FORCE`` and locale providers are from the PostgreSQL manual, "CREATE DATABASE",
"DROP DATABASE" and "ALTER DATABASE".
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.errors import Refused
from opslib.systems.postgres_admin import AdminDatabase


@dataclass(frozen=True)
class Locale:
    """What a database is created with and cannot change later; ``provider`` is libc, icu or builtin."""

    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str | None = None
    rules: str | None = None


def database_exists(session: AdminDatabase, name: str) -> bool:
    """Return whether the server has a database of that name."""
    found = session.execute(
        "SELECT 1 AS one FROM pg_database WHERE datname = %(name)s", {"name": name}, what="look for the database"
    )
    return bool(found)


def create_database(session: AdminDatabase, name: str, locale: Locale) -> None:
    """Create an empty database from template0; raises Refused when there is one of that name."""
    from psycopg import sql

    if database_exists(session, name):
        raise Refused(
            f"There is a database {name} on {session.url.public} already.", "Nothing was touched; look at it."
        )
    options = [
        sql.SQL("ENCODING {}").format(sql.Literal(locale.encoding)),
        sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(locale.provider)),
        sql.SQL("LC_COLLATE {}").format(sql.Literal(locale.collate)),
        sql.SQL("LC_CTYPE {}").format(sql.Literal(locale.ctype)),
    ]
    if locale.provider in ("icu", "builtin") and locale.locale:
        word = sql.SQL("ICU_LOCALE" if locale.provider == "icu" else "BUILTIN_LOCALE")
        options.append(sql.SQL("{} {}").format(word, sql.Literal(locale.locale)))
    if locale.rules:
        options.append(sql.SQL("ICU_RULES {}").format(sql.Literal(locale.rules)))
    session.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}").format(sql.Identifier(name), sql.SQL(" ").join(options)),
        what=f"create database {name}",
    )


def drop_database(session: AdminDatabase, name: str) -> None:
    """Drop the database and end the sessions in it; nothing happens when it is not there."""
    from psycopg import sql

    session.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)), what=f"drop database {name}"
    )


def rename_database(session: AdminDatabase, old: str, new: str) -> None:
    """Rename a database in which nobody is connected; raises StepFailed while somebody is."""
    from psycopg import sql

    session.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)),
        what=f"rename database {old} to {new}",
    )


def end_sessions(session: AdminDatabase, name: str) -> int:
    """End every other session in the database and return how many there were."""
    rows = session.execute(
        "SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity"
        " WHERE datname = %(name)s AND pid <> pg_backend_pid()",
        {"name": name},
        what=f"end the sessions in {name}",
    )
    return len(rows)


def end_sessions_of(session: AdminDatabase, database: int) -> set[int]:
    """End every other session in the database with this oid and return their process numbers."""
    rows = session.execute(
        "SELECT pid, pg_terminate_backend(pid, 1000) AS ended FROM pg_stat_activity"
        " WHERE datid = %(database)s::oid AND pid <> pg_backend_pid()",
        {"database": database},
        what=f"end the sessions in the database {database}",
    )
    return {int(row["pid"]) for row in rows}
