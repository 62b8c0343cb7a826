"""PostgreSQL sessions that may write or administer; the executor's only, never a notebook's.

Statements are composed with ``psycopg.sql`` from identifiers and parameters, or packaged questions;
never text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString

from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.postgres import Question, connect
from opslib.systems.postgres_errors import IN_DOUBT, failed
from opslib.systems.postgres_statements import why_refused

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

LOCK_SECONDS = 30
"""How long a snapshot's statements wait for a lock before they fail."""

END_SECONDS = 60.0
"""How long the begin or the end of a transaction may take, whatever its statements may."""

TEXT_FORM = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
}
"""Settings that decide how a value reads as text; pinned, so that equal rows have equal text everywhere."""

_PATIENCE = {"lock_timeout": f"{LOCK_SECONDS * 1000}"}


class AdminDatabase:
    """A session that sees and may do what its role may, in autocommit mode; opened at the first statement.

    With ``read_only`` it is asked nothing that does more than read (Refused), and its transactions cannot
    write; with ``plain`` that second part is left to the server, so that one sees how a session begins there. With
    ``past_bar`` a superuser also gets into a server that was closed (:mod:`opslib.systems.postgres_fencing`).
    A context manager.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        application: str,
        *,
        read_only: bool = False,
        past_bar: bool = False,
        plain: bool = False,
        statement_seconds: float = 60.0,
        connect_seconds: float = 5.0,
    ) -> None:
        self.url = url
        self._read_only = read_only
        self._past_bar = past_bar
        self._plain = plain
        self._application = application
        self._seconds = statement_seconds
        self._connect_seconds = connect_seconds
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._backend: int | None = None
        self._inside = False
        self._kept = False

    def __enter__(self) -> AdminDatabase:
        return self

    def beside(self, database: str) -> AdminDatabase:
        """Return another session, like this one, in another database of the server."""
        return AdminDatabase(self.url.with_path(database), self._application, read_only=self._read_only)

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, question: Question, parameters: Mapping[str, Any] | None = None, *, seconds: float | None = None
    ) -> list[dict[str, Any]]:
        """Run a packaged question and return its rows; errors as :meth:`execute`."""
        return self._run(question.text, parameters, question.name, seconds)

    def execute(
        self,
        statement: LiteralString | Composed,
        parameters: Mapping[str, Any] | None = None,
        *,
        what: str,
        seconds: float | None = None,
    ) -> list[dict[str, Any]]:
        """Run one statement and return its rows (none for a command).

        ``what`` names it in messages. Raises StepFailed with the server's message and SQLSTATE,
        Unreachable when there is no connection or ``seconds`` (wall clock) are over.
        """
        return self._run(statement, parameters, what, seconds)

    def script(self, text: str, *, what: str, seconds: float) -> None:
        """Send a reviewed file's text as it is, all its statements at once; put it into a :meth:`transaction`.

        Raises Refused in a session that verifies; StepFailed with the server's message and the line where it is
        told, Unreachable after ``seconds``.
        """
        try:
            self._run(text, None, what, seconds)
        except StepFailed as error:
            position = getattr(getattr(error.__cause__, "diag", None), "statement_position", None)
            if position:
                error.message += f" It is line {text.count(chr(10), 0, int(position) - 1) + 1} of the file."
            raise

    def load(self, statement: Composed, chunks: Iterable[bytes], *, what: str, seconds: float | None = None) -> int:
        """Give ``chunks`` to a COPY … FROM STDIN and return how many rows it took.

        An error of ``chunks`` ends it without a row and is raised as it is; otherwise errors as :meth:`execute`.
        Raises Refused in a session that verifies.
        """
        connection = self._connect()
        if self._read_only:
            raise Refused(f"A session that verifies does not {what}.", "Use a runbook's step.")
        with self._answering(connection, what, seconds or self._seconds), connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            return cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Put the statements of the block into one transaction; an error rolls it back. Not nestable.

        Raises Unreachable or StepFailed when the commit was not confirmed: it may have happened.
        """
        connection = self._connect()
        opened = connection.transaction()
        end_seconds = min(self._seconds, END_SECONDS)
        with self._answering(connection, "begin", end_seconds):
            opened.__enter__()
        self._inside = True
        try:
            yield
        except BaseException as error:
            self._inside = False
            with suppress(OpsError), self._answering(connection, "roll back", end_seconds):
                opened.__exit__(type(error), error, error.__traceback__)
            raise
        self._inside = False
        with self._answering(connection, "commit", end_seconds):
            opened.__exit__(None, None, None)

    def keep(self) -> None:
        """From now on the session holds something that a new one would not have: once broken it stays broken."""
        self._kept = True

    @property
    def process(self) -> int:
        """The server's process number of this session, which is opened if it was not."""
        self._connect()
        assert self._backend is not None
        return self._backend

    @property
    def lost(self) -> int | None:
        """The server's process number of a session whose connection broke; None while there is none, or it stands."""
        connection = self._connection
        return self._backend if connection is not None and connection.closed else None

    @property
    def application(self) -> str:
        """The session's name as the server shows it: cut off after 63 bytes."""
        return self._application.encode()[:63].decode(errors="ignore")

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(
        self, statement: Any, parameters: Mapping[str, Any] | None, what: str, seconds: float | None
    ) -> list[dict[str, Any]]:
        connection = self._connect()
        if self._read_only:
            text = statement if isinstance(statement, str) else statement.as_string(connection)
            if reason := why_refused(text):
                raise Refused(f"A session that verifies does not {what}: {reason}.", "Use a runbook's step.")
        with self._answering(connection, what, seconds or self._seconds), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _answering(self, connection: psycopg.Connection[Any], what: str, seconds: float) -> Iterator[None]:
        import psycopg

        where = f"PostgreSQL at {self.url.public} ({what})"
        try:
            with deadline(seconds, where, lambda: shut(connection.fileno()), IN_DOUBT):
                yield
        except psycopg.Error as error:
            raise failed(error, self.url, what) from error

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            if self._inside:
                # A new session would run the rest outside the transaction.
                raise StepFailed(
                    f"The connection to PostgreSQL at {self.url.public} broke inside a transaction.",
                    "The server rolled it back; look at its log.",
                )
            if self._kept and self._connection is not None:
                raise Unreachable(
                    f"The connection to PostgreSQL at {self.url.public} broke, and what it held (a lock) is gone.",
                    "Look at the server, then run again.",
                )
            self._connection = connect(
                self.url,
                self._application,
                connect_seconds=self._connect_seconds,
                guards={
                    # The server must end by itself what our side has given up.
                    "client_connection_check_interval": "1000",
                    "statement_timeout": "0",
                    "idle_in_transaction_session_timeout": "0",
                    **({} if self._plain else {"default_transaction_read_only": "on" if self._read_only else "off"}),
                    **({"session_preload_libraries": ""} if self._past_bar else {}),
                },
            )
            self._backend = self._connection.info.backend_pid
        return self._connection


@contextmanager
def snapshot(
    url: DatabaseUrl, application: str, *, statement_seconds: float, of: str | None = None
) -> Iterator[tuple[AdminDatabase, str]]:
    """Hand out a session inside one repeatable-read, read-only transaction, and its exported snapshot's id.

    With ``of``, the id of one that another session exported and still holds, it is that one.

    Everything that is asked in the block, and every ``pg_dump --snapshot=ID`` while it is open, sees the
    same moment. The text form of values is pinned (:data:`TEXT_FORM`), and ``row_security`` is off:
    a table whose policies would hide rows from this role is an error there, never a shorter answer.
    """
    from psycopg import sql

    with AdminDatabase(url, application, statement_seconds=statement_seconds) as session, session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", what="begin the snapshot")
        if of is not None:
            taking = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(of))
            session.execute(taking, what="take the snapshot over")
        for name, value in {**TEXT_FORM, **_PATIENCE, "row_security": "off"}.items():
            session.execute(
                sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)), what=f"set {name}"
            )
        if of is None:
            (row,) = session.execute("SELECT pg_export_snapshot() AS id", what="export the snapshot")
            of = str(row["id"])
        yield session, of
