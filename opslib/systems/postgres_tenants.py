"""What somebody else would see: rows counted as another role with another's claims, read only, rolled back each time.

A reading role may not be able to become anon or authenticated, so this is the executor's. PostgREST does the same for
each request: ``set local role`` and the token's claims, in both forms that policies read (PostgREST, "Transactions").
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from opslib.errors import Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.postgres import connect
from opslib.systems.postgres_errors import unreachable

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

CAP = 100_000
"""Rows that are counted at most: more of them prove nothing more."""
STATEMENT_SECONDS = 5.0
ALL_SECONDS = 60.0
"""How long one session may look in all; what it did not come to is told."""

Word = Literal["seen", "denied", "too slow", "locked", "failed", "not reached"]
_GUARDS = {
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
    "lock_timeout": "200",
    "idle_in_transaction_session_timeout": "10000",
    "client_connection_check_interval": "1000",
    "search_path": "public,extensions",
}
_SLOW, _LOCKED, _DENIED = "57014", "55P03", "42501"


@dataclass(frozen=True)
class Identity:
    """Somebody: the role of the database, who it is, and the tenants that are the own ones."""

    name: str
    role: Literal["anon", "authenticated"]
    subject: str = ""
    own: tuple[str, ...] = ()

    def claims(self) -> dict[str, Any]:
        """Return what the token of somebody like that says."""
        said: dict[str, Any] = {"role": self.role}
        if self.subject:
            said |= {"sub": self.subject, "org_id": self.own[0] if self.own else ""}
        return said


@dataclass(frozen=True)
class Seen:
    """What was seen of one relation: rows, rows of strangers, rows of nobody; or why nothing was."""

    word: Word
    visible: int | None = None
    strange: int | None = None
    nobodys: int | None = None
    why: str = ""


class TenantSight:
    """One session that looks with others' eyes; each look is a transaction that cannot write and is rolled back."""

    def __init__(self, url: DatabaseUrl, application: str) -> None:
        self._url, self._application = url, application
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._until = 0.0

    def see(self, identity: Identity, schema: str, relation: str, column: str | None) -> Seen:
        """Count what ``identity`` sees of a relation; ``column`` names the tenant, None where rows have none.

        Raises Unreachable where there is no session, or where it may not become that role.
        """
        import psycopg

        connection = self._opened()
        if time.monotonic() > self._until:
            return Seen("not reached", why=f"{ALL_SECONDS:g} s were over")
        self._become_possible(connection, identity)
        try:
            with (
                deadline(STATEMENT_SECONDS + 2, f"PostgreSQL at {self._url.public}", lambda: shut(connection.fileno())),
                connection.transaction(force_rollback=True),
            ):
                self._become(connection, identity)
                row = connection.execute(_counting(schema, relation, column), _given(identity, column)).fetchone()
        except psycopg.Error as error:
            return self._failed(error, connection)
        assert row is not None
        return Seen("seen", row["visible"], row["strange"], row["nobodys"])

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None:
            self._connection = connect(self._url, self._application, guards=_GUARDS)
            self._until = time.monotonic() + ALL_SECONDS
        return self._connection

    def _become_possible(self, connection: psycopg.Connection[Any], identity: Identity) -> None:
        """Raise Unreachable where the session's role is no member of the other one: that is no denial of the table."""
        import psycopg

        # Before version 16 every member could.
        privilege = "SET" if connection.info.server_version >= 160_000 else "MEMBER"
        try:
            row = connection.execute(
                "SELECT coalesce(pg_has_role(session_user, to_regrole(%s)::oid, %s), false) AS may",
                (identity.role, privilege),
            ).fetchone()
        except psycopg.Error as error:
            raise unreachable(error, self._url, "look as another role") from error
        if row is None or not row["may"]:
            said = f"The executor's role of DATABASE_URL may not become {identity.role}."
            raise Unreachable(said, f"As an administrator: GRANT {identity.role} TO that role.", "forbidden")

    def _become(self, connection: psycopg.Connection[Any], identity: Identity) -> None:
        from psycopg import sql

        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(identity.role)))
        said = identity.claims()
        settings = {"request.jwt.claims": json.dumps(said)}
        settings |= {f"request.jwt.claim.{name}": str(value) for name, value in said.items()}
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))

    def _failed(self, error: psycopg.Error, connection: psycopg.Connection[Any]) -> Seen:
        if connection.closed:
            raise unreachable(error, self._url, "look as another role") from error
        words: dict[str | None, Word] = {_SLOW: "too slow", _LOCKED: "locked", _DENIED: "denied"}
        said = str(error.diag.message_primary or error).partition("\n")[0]
        return Seen(words.get(error.sqlstate, "failed"), why=f"{error.sqlstate} {said}")


def _counting(schema: str, relation: str, column: str | None) -> Composed:
    from psycopg import sql

    place = sql.Identifier(schema, relation)
    if column is None:
        return sql.SQL(
            "SELECT count(*) AS visible, NULL::bigint AS strange, NULL::bigint AS nobodys"
            " FROM (SELECT FROM {} LIMIT %(cap)s) AS seen"
        ).format(place)
    return sql.SQL(
        "SELECT count(*) AS visible, count(*) FILTER (WHERE tenant <> ALL (%(own)s::text[])) AS strange,"
        " count(*) FILTER (WHERE tenant IS NULL) AS nobodys"
        " FROM (SELECT {}::text AS tenant FROM {} LIMIT %(cap)s) AS seen"
    ).format(sql.Identifier(column), place)


def _given(identity: Identity, column: str | None) -> Mapping[str, int | Sequence[str]]:
    return {"cap": CAP} if column is None else {"cap": CAP, "own": list(identity.own)}
