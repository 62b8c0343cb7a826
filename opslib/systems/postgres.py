"""PostgreSQL through psycopg: a session that can only read, and failures told apart.

The session's guards (read-only by default, statement and lock time-outs, connection check) come from
the PostgreSQL manual, chapter "Client Connection Defaults"; that the role has no right to write is the
target's own affair and stated in its description.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.errors import OpsError, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut

if TYPE_CHECKING:
    import psycopg

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Question:
    """One SQL question from a packaged file; the only SQL that a reading session accepts."""

    name: str
    title: str
    text: str

    @property
    def digest(self) -> str:
        """First 12 hex digits of the statement's SHA-256, to recognise it in reports."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


class ReadOnlyDatabase:
    """A PostgreSQL session that cannot write; opened at the first question, closed by :meth:`close`.

    ``unset`` names time-outs that this session leaves as the server has them, so that the server's own
    values can be read (a session sees its own otherwise). The wall-clock deadline holds all the same.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        application: str,
        *,
        statement_seconds: float = 5.0,
        lock_seconds: float = 0.2,
        connect_seconds: float = 5.0,
        unset: Collection[str] = (),
    ) -> None:
        self.url = url
        self._application = application
        self._statement_seconds = statement_seconds
        self._lock_seconds = lock_seconds
        self._connect_seconds = connect_seconds
        self._unset = frozenset(unset)
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def ask(self, question: Question, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask one packaged question and return its rows; each in a transaction of its own.

        Raises Unreachable with the kind of failure (address, refused, authentication, too slow, locked …).
        """
        import psycopg

        if not isinstance(question, Question):
            raise TypeError("a reading session takes a packaged Question, never SQL text")
        reused = self._connection is not None and not self._connection.closed
        connection = self._connect()
        limit = self._statement_seconds * 1.1 + 1.0
        try:
            with (
                deadline(limit, f"PostgreSQL at {self.url.public}", lambda: shut(connection.fileno())),
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                cursor.execute(question.text, parameters)
                return cursor.fetchall()
        except psycopg.Error as error:
            if reused and connection.closed:
                # The server has ended the idle session (a restart, an exchange of databases): ask a new one.
                return self.ask(question, parameters)
            raise _unreachable(error, self.url, question.name) from error

    def close(self) -> None:
        """Close the session; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(
                self.url,
                self._application,
                connect_seconds=self._connect_seconds,
                guards=self._guards(),
            )
        return self._connection

    def _guards(self) -> dict[str, str]:
        guards = {
            "default_transaction_read_only": "on",
            "statement_timeout": f"{self._statement_seconds * 1000:.0f}",
            "lock_timeout": f"{self._lock_seconds * 1000:.0f}",
            "idle_in_transaction_session_timeout": "10000",
            "client_connection_check_interval": "1000",
            "search_path": "pg_catalog,public,extensions",
        }
        return {name: value for name, value in guards.items() if name not in self._unset}


def connect(
    url: DatabaseUrl,
    application: str,
    *,
    connect_seconds: float = 5.0,
    guards: Mapping[str, str] | None = None,
) -> psycopg.Connection[dict[str, Any]]:
    """Open an autocommit connection whose rows are dicts; raises Unreachable with the kind of failure.

    TLS is demanded (``sslmode=verify-full``) unless the address says otherwise or is this machine.
    """
    import psycopg
    from psycopg.rows import dict_row

    options = " ".join(f"-c {name}={value}" for name, value in (guards or {}).items())
    extra: dict[str, Any] = {}
    if url.host not in LOOPBACK and "sslmode=" not in url.reveal():
        extra = {"sslmode": "verify-full", "sslrootcert": "system"}
    try:
        return psycopg.connect(
            url.reveal(),
            autocommit=True,
            row_factory=dict_row,
            application_name=application,
            connect_timeout=max(2, round(connect_seconds)),
            options=options,
            **extra,
        )
    except psycopg.Error as error:
        raise _unreachable(error, url, "connect") from error


_KINDS: tuple[tuple[str, str, str, str], ...] = (
    (
        "authentication",
        r"28P01|password authentication failed",
        "refused the password",
        "Check the target description.",
    ),
    (
        "forbidden-host",
        r"28000|no pg_hba.conf entry",
        "refuses this user or host",
        "Check pg_hba.conf, or the project's network bans.",
    ),
    (
        "full",
        r"53300|too many (clients|connections)|connection slots are reserved",
        "has no connection left",
        "Look with a role that may use reserved ones.",
    ),
    (
        "recovering",
        r"57P03|starting up|in recovery mode|shutting down|not yet accepting connections",
        "is starting or recovering",
        "Wait, then look again.",
    ),
    (
        "no-database",
        r"3D000|database .* does not exist",
        "has no such database",
        "Check the database name in the target description.",
    ),
    ("locked", r"55P03|lock timeout", "holds a lock that this question waits for", "Look at the blocking tree first."),
    (
        "slow",
        r"57014|statement timeout",
        "took longer than the statement time-out",
        "Look at load and blocking tree first.",
    ),
    ("forbidden", r"42501|permission denied", "forbids this role to look", "Grant it pg_monitor and pg_read_all_data."),
    (
        "missing",
        r"42P01|42703|42883|does not exist",
        "lacks an object that this question needs",
        "See diagnostics/database, objects.",
    ),
    ("read-only", r"25006|read-only transaction", "is read-only", "This session may only read."),
    (
        "dns",
        r"could not translate host name|Name or service not known|getaddrinfo|failed to resolve host",
        "has a name that does not resolve",
        "Check DNS.",
    ),
    ("refused", r"Connection refused", "refuses connections", "Is the server running, and the port right?"),
    (
        "slow",
        r"timeout expired|timed out",
        "did not answer in time",
        "Check network, firewall and the server's load.",
    ),
    ("tls", r"(?i)\bssl\b|certificate", "has a TLS problem", "Check sslmode and the certificate."),
)
"""Kind of failure, what it looks like (SQLSTATE or message), what is said of the server, what to do next."""


def _unreachable(error: psycopg.Error, url: DatabaseUrl, question: str) -> OpsError:
    text = f"{error.sqlstate or ''} {error}"
    for kind, pattern, said, next_step in _KINDS:
        if re.search(pattern, text):
            detail = _first_line(error)
            return Unreachable(f"PostgreSQL at {url.public} {said} ({question}: {detail}).", next_step, kind)
    message = f"PostgreSQL at {url.public} failed at {question}: {_first_line(error)}."
    return Unreachable(message, "See its log.", "other")


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
