"""The rows of one table as a script of one COPY: written by ``psql``, read by ``psql`` or by a session of ours.

Whole, it is a script that ``psql`` carries out without us. Everything before and behind the rows is known beforehand:
what reads it compares that byte by byte, and gives the server the rows alone, to a COPY of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.errors import StepFailed
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres_admin import TEXT_FORM, AdminDatabase
from opslib.systems.program_pipes import through

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

END = b"\\.\n"
READING = {"client_encoding": "UTF8", "xmloption": "content", "row_security": "off"}
"""Settings that decide what a row's text means, or whose rows are taken, as ``pg_dump`` has them."""

WRITING = {
    **TEXT_FORM,
    "client_encoding": "UTF8",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronize_seqscans": "off",
    "row_security": "off",
}


@dataclass(frozen=True)
class Source:
    """One table and those of its columns that a COPY gives and takes, in order (generated ones are not)."""

    schema: str
    table: str
    columns: tuple[str, ...]

    @property
    def full(self) -> str:
        """Its name as contents have it."""
        return f"{self.schema}.{self.table}"

    def head(self) -> bytes:
        """Return what stands before the rows."""
        from psycopg import sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN;\n").format(*self._named())
        return _text(sql.Composed([*_settings("SET", READING), statement]))

    @property
    def around(self) -> int:
        """How many bytes stand around the rows."""
        return len(self.head()) + len(END)

    def _named(self) -> tuple[Composable, Composable]:
        from psycopg import sql

        return sql.Identifier(self.schema, self.table), sql.SQL(", ").join(map(sql.Identifier, self.columns))


@contextmanager
def written(
    url: DatabaseUrl, source: Source, snapshot: str, lock_seconds: int, *, server_version: str, seconds: float
) -> Iterator[Iterator[bytes]]:
    """Hand out the table's script as ``psql`` writes its rows in the exported ``snapshot``; errors as ``through``."""
    from psycopg import sql

    taking = sql.SQL("SET TRANSACTION SNAPSHOT {};\n").format(sql.Literal(snapshot))
    copy = sql.SQL("COPY {} ({}) TO STDOUT;\n").format(*source._named())
    script = [
        sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"),
        taking,
        *_settings("SET LOCAL", {**WRITING, "lock_timeout": f"{lock_seconds * 1000}"}),
        copy,
        sql.SQL("COMMIT;\n"),
    ]
    given = [_text(sql.Composed(script))]
    with through("psql", ["--file=-"], given, url=url, server_version=server_version, seconds=seconds) as rows:
        yield _whole(source, rows)


def load(session: AdminDatabase, source: Source, chunks: Iterable[bytes], seconds: float) -> int:
    """Fill the table, which is emptied first, from its script; returns how many rows it has then.

    All or nothing. The rows are stored as ones that everybody sees for good (FREEZE), as a vacuum would leave them, so
    that nobody who reads them later has to write that down. Raises StepFailed where the script is another table's,
    damaged or cut off.
    """
    from psycopg import sql

    what = f"restore the rows of {source.full}"
    taking = sql.SQL("COPY {} ({}) FROM STDIN (FREEZE)").format(*source._named())
    emptying = sql.SQL("TRUNCATE ONLY {}").format(sql.Identifier(source.schema, source.table))
    with session.transaction():
        for setting in _settings("SET LOCAL", READING):
            session.execute(setting, what=what)
        session.execute(emptying, what=what)
        return session.load(taking, rows(source, chunks), what=what, seconds=seconds)


def load_into(url: DatabaseUrl, application: str, source: Source, chunks: Iterable[bytes], seconds: float) -> int:
    """Fill the table in the database at ``url`` as :func:`load` does, in a session of its own."""
    with AdminDatabase(url, application, statement_seconds=seconds) as session:
        return load(session, source, chunks, seconds)


def rows(source: Source, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows alone of a table's script; raises StepFailed where it is another's, or has no end."""
    head = source.head()
    held, begun = b"", False
    for chunk in chunks:
        held += chunk
        if not begun:
            if len(held) < len(head):
                continue
            begun, held = True, _without(source, head, held)
        if len(held) > len(END):
            yield held[: -len(END)]
            held = held[-len(END) :]
    if not begun or held != END:
        raise StepFailed(f"The rows of {source.full} are cut off.", "Do not restore them; choose another backup.")


def begins(source: Source, chunks: Iterable[bytes]) -> None:
    """Raise StepFailed unless the script that begins with ``chunks`` is this table's; takes no more than it needs."""
    head = source.head()
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) >= len(head):
            break
    _without(source, head, held)


def _without(source: Source, head: bytes, held: bytes) -> bytes:
    if not held.startswith(head):
        raise StepFailed(
            f"What should hold the rows of {source.full} begins as something else.",
            "Do not restore it; choose another backup.",
        )
    return held[len(head) :]


def _whole(source: Source, rows: Iterable[bytes]) -> Iterator[bytes]:
    yield source.head()
    yield from rows
    yield END


def _settings(word: str, settings: dict[str, str]) -> Sequence[Composed]:
    from psycopg import sql

    verbs = {"SET": sql.SQL("SET {} = {};\n"), "SET LOCAL": sql.SQL("SET LOCAL {} = {};\n")}
    return [verbs[word].format(sql.Identifier(name), sql.Literal(value)) for name, value in settings.items()]


def _text(statement: Composed) -> bytes:
    return statement.as_string(None).encode()
