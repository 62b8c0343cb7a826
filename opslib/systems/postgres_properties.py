"""What a dump does not carry: settings of the database, rights on it as a whole, and roles.

``pg_dump`` writes the first two only for a restore under the old name, and roles never (PostgreSQL
manual, "pg_dump", notes); a database restored under another name needs them given explicitly.
"""

from __future__ import annotations

from collections.abc import Iterable

from opslib.systems.postgres_admin import AdminDatabase

PRIVILEGES = ("CREATE", "CONNECT", "TEMPORARY")
"""The rights that there are on a database."""

LISTS = (
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
)
"""Settings whose value is a list of quoted names: given as one literal, it would become one name."""


def give_settings(session: AdminDatabase, database: str, settings: Iterable[tuple[str, str, str]]) -> None:
    """Give the database its settings ``(role, name, value)``; an empty role means everybody.

    The session must be connected to ``database`` itself, where the settings' extensions exist.
    """
    from psycopg import sql

    for role, name, value in settings:
        given = sql.SQL("TO {}").format(sql.Literal(value))
        if name in LISTS:
            session.execute(
                "SELECT set_config(%(name)s, %(value)s, false)", {"name": name, "value": value}, what=f"try {name}"
            )
            given = sql.SQL("FROM CURRENT").format()
        whom = sql.SQL("ROLE {} IN ").format(sql.Identifier(role)) if role else sql.SQL("")
        session.execute(
            sql.SQL("ALTER {}DATABASE {} SET {} {}").format(
                whom, sql.Identifier(database), sql.Identifier(*name.split(".")), given
            ),
            what=f"set {name} of database {database}",
        )


def give_privileges(
    session: AdminDatabase,
    database: str,
    owner: str,
    privileges: Iterable[tuple[str, str, bool]],
    connection_limit: int = -1,
) -> None:
    """Give the database its owner, its limit and exactly the rights ``(role, privilege, grantable)``.

    An empty role means PUBLIC; a limit of -1 means none.
    """
    from psycopg import sql

    name = sql.Identifier(database)
    session.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)), what=f"give {database} to {owner}"
    )
    session.execute(
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(connection_limit)),
        what=f"limit the connections of {database}",
    )
    session.execute(
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(name, sql.Identifier(owner)),
        what=f"revoke the default rights on {database}",
    )
    for role, privilege, grantable in privileges:
        if privilege not in PRIVILEGES:
            raise ValueError(f"{privilege} is no right on a database")
        whom = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        option = sql.SQL(" WITH GRANT OPTION") if grantable else sql.SQL("")
        session.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(sql.SQL(privilege), name, whom, option),
            what=f"grant {privilege} on {database}",
        )


def missing_roles(session: AdminDatabase, roles: Iterable[str]) -> list[str]:
    """Return those of ``roles`` that the server does not have, in order."""
    rows = session.execute(
        "SELECT name FROM unnest(%(roles)s::text[]) AS name"
        " WHERE name NOT IN (SELECT rolname FROM pg_roles) ORDER BY 1",
        {"roles": list(roles)},
        what="look for roles",
    )
    return [str(row["name"]) for row in rows]


def create_role(session: AdminDatabase, name: str, comment: str) -> None:
    """Create a role that cannot log in and has no rights, to own and be granted restored objects."""
    from psycopg import sql

    with session.transaction():
        session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)), what=f"create role {name}")
        session.execute(
            sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(comment)),
            what=f"mark role {name}",
        )


def marked(session: AdminDatabase, catalog: str) -> list[tuple[str, str]]:
    """Return name and mark (empty: none) of every database (``pg_database``) or role (``pg_authid``) of the server."""
    rows = session.execute(
        "SELECT datname::text AS name, coalesce(shobj_description(oid, 'pg_database'), '') AS mark FROM pg_database"
        " WHERE %(catalog)s = 'pg_database' UNION ALL"
        " SELECT rolname::text, coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles"
        " WHERE %(catalog)s = 'pg_authid' ORDER BY 1",
        {"catalog": catalog},
        what="look for marks",
    )
    return [(row["name"], row["mark"]) for row in rows]


def running(session: AdminDatabase) -> frozenset[str]:
    """Return the application names of the server's sessions, this one's included."""
    rows = session.execute(
        "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE application_name <> ''",
        what="look for sessions",
    )
    return frozenset(row["name"] for row in rows)


def drop_role(session: AdminDatabase, name: str) -> None:
    """Drop a role that owns nothing any more."""
    from psycopg import sql

    session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)), what=f"drop role {name}")


def mark_database(session: AdminDatabase, name: str, comment: str) -> None:
    """Write on the database whose it is, so that only its maker takes it away."""
    from psycopg import sql

    session.execute(
        sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment)),
        what=f"mark database {name}",
    )


def database_mark(session: AdminDatabase, name: str) -> str | None:
    """Return what is written on the database, or None."""
    rows = session.execute(
        "SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = %(name)s",
        {"name": name},
        what=f"look at database {name}",
    )
    return rows[0]["mark"] if rows else None
