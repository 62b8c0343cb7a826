"""PostgreSQL through psycopg: a session that can only read, and failures told apart.

The session's guards (read-only by default, statement and lock time-outs, connection check) come from
the PostgreSQL manual, chapter "Client Connection Defaults"; that the role has no right to write is the
target's own affair and stated in its description.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.pending import Pending
from opslib.systems.postgres_errors import unreachable
from opslib.systems.postgres_statements import why_refused

if TYPE_CHECKING:
    import psycopg

LOOPBACK = ("localhost", "127.0.0.1", "::1")

SEEN_SECONDS = 1.0
"""That the server ended a session is seen at once; one that breaks later broke while it answered."""

KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""Seconds, seconds, count, milliseconds: how the system finds out by itself that the other side is gone."""


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
    ``other`` is the second server of the database: it is asked where it takes writes and the first does not, so that
    after a failover the same description leads to the server in charge. ``url`` is where the session leads.
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
        other: DatabaseUrl | None = None,
    ) -> None:
        self.url = self._first = url
        self._other = other
        self._application = application
        self._statement_seconds = statement_seconds
        self._lock_seconds = lock_seconds
        self._connect_seconds = connect_seconds
        self._unset = frozenset(unset)
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def ask(self, question: Question, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask one packaged question and return its rows; each in a transaction of its own.

        Raises Refused, before a byte is sent, for a statement that does more than read.
        Raises Unreachable with the kind of failure (address, refused, authentication, too slow, locked …).
        """
        import psycopg

        if not isinstance(question, Question):
            raise TypeError("a reading session takes a packaged Question, never SQL text")
        if reason := why_refused(question.text):
            raise Refused(f"A reading session does not ask {question.name}: {reason}.", "Use a runbook's step.")
        reused = self._connection is not None and not self._connection.closed
        connection = self._connect()
        limit = self._statement_seconds * 1.1 + 1.0
        started = time.monotonic()
        try:
            with (
                deadline(limit, f"PostgreSQL at {self.url.public}", lambda: shut(connection.fileno())),
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                cursor.execute(question.text, parameters)
                return cursor.fetchall()
        except psycopg.Error as error:
            if reused and connection.closed and time.monotonic() - started < SEEN_SECONDS:
                # The server has ended the idle session (a restart, an exchange of databases): ask a new one.
                return self.ask(question, parameters)
            raise unreachable(error, self.url, question.name) from error

    @property
    def led_elsewhere(self) -> bool:
        """Whether the other server of the two is the one that takes writes; opens the session. Raises Unreachable."""
        self._connect()
        return self.url is not self._first

    def close(self) -> None:
        """Close the session; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self.url, self._connection = self._led()
        return self._connection

    def _led(self) -> tuple[DatabaseUrl, psycopg.Connection[dict[str, Any]]]:
        if self._other is None:
            return self._first, self._opened(self._first)
        try:
            found = self._opened(self._first)
        except Unreachable:
            if (other := self._in_charge(self._other)) is None:
                raise
            return self._other, other
        if _follows(found) and (other := self._in_charge(self._other)) is not None:
            found.close()
            return self._other, other
        return self._first, found

    def _in_charge(self, url: DatabaseUrl) -> psycopg.Connection[dict[str, Any]] | None:
        """Return a session with this server if it took over, else None."""
        try:
            found = self._opened(url)
        except Unreachable:
            return None
        if not _follows(found) and _was_promoted(found):
            return found
        found.close()
        return None

    def _opened(self, url: DatabaseUrl) -> psycopg.Connection[dict[str, Any]]:
        return connect(url, self._application, connect_seconds=self._connect_seconds, guards=self._guards())

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


def _follows(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a server is a standby; it says so by itself at log-in (since version 14)."""
    return connection.info.parameter_status("in_hot_standby") == "on"


def _was_promoted(connection: psycopg.Connection[dict[str, Any]]) -> bool:
    """Tell whether a server that takes writes was a standby once: a database of its own is on its first timeline."""
    import psycopg

    with suppress(psycopg.Error):
        row = connection.execute("SELECT left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) AS timeline").fetchone()
        return row is not None and int(row["timeline"], 16) > 1
    return False


def safe_options(url: DatabaseUrl) -> dict[str, Any]:
    """Return what a connection is opened with beside its address: keep-alives, port, TLS unless it says otherwise."""
    # Named, so that PGHOSTADDR or PGPORT of a shell can't lead this session to another server.
    extra: dict[str, Any] = KEEPALIVES | {"hostaddr": "", "port": url.port or 5432}
    if url.host not in LOOPBACK and "sslmode=" not in url.reveal():
        extra |= {"sslmode": "verify-full", "sslrootcert": "system"}
    return extra


def connect(
    url: DatabaseUrl,
    application: str,
    *,
    connect_seconds: float = 5.0,
    guards: Mapping[str, str] | None = None,
) -> psycopg.Connection[dict[str, Any]]:
    """Open an autocommit connection whose rows are dicts; raises Unreachable with the kind of failure.

    Name look-up, TCP, TLS and log-in, over all of a name's addresses, together get ``connect_seconds`` of
    wall clock. TLS is demanded (``sslmode=verify-full``) unless the address says otherwise or is this machine.
    """
    import psycopg
    from psycopg.rows import DictRow, dict_row

    options = " ".join(f"-c {name}={value}" for name, value in (guards or {}).items())
    extra = safe_options(url)

    def opened() -> psycopg.Connection[DictRow]:
        return psycopg.connect(
            url.reveal(),
            autocommit=True,
            row_factory=dict_row,
            application_name=application,
            # For each address, and no less than 2 s: it ends the attempts that were given up.
            connect_timeout=max(2, round(connect_seconds)),
            options=options,
            **extra,
        )

    try:
        return Pending(f"PostgreSQL at {url.public}", connect_seconds, opened, lambda late: late.close()).result()
    except psycopg.Error as error:
        raise unreachable(error, url, "connect") from error
