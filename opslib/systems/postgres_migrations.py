"""A migration's file and its record in one transaction: both are there afterwards, or neither is.

The record is written first. Its key makes whoever applies the same version wait, and then fail; and that it is
there, or not, tells later how a transaction ended that nobody saw end. The executor's only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opslib.errors import StepFailed
from opslib.systems.postgres_admin import AdminDatabase

MARGIN = 30.0
"""Seconds that our side waits longer than the server lets the file run, so that the server says what took long."""

Look = Callable[[AdminDatabase], None]
"""Looks at the open transaction, once the file has run and before it is committed."""


@dataclass(frozen=True)
class Limits:
    """How long a statement may wait for a lock, how long it may take, and how long the whole file may."""

    lock_seconds: float
    statement_seconds: float
    file_seconds: float


def _nothing(session: AdminDatabase) -> None:
    """Look at nothing."""


def apply_file(
    session: AdminDatabase,
    version: str,
    name: str,
    text: str,
    statements: Sequence[str],
    limits: Limits,
    look: Look = _nothing,
) -> None:
    """Record the version and execute the text as it is, in one transaction of a session of its own.

    Raises StepFailed when the version is recorded already (also by somebody at the same moment), a statement
    fails, a lock is not had in time, or the text ended the transaction; Unreachable when the connection broke.
    """
    with _together(session, version, text, limits, look, recorded=True):
        session.execute(
            "INSERT INTO supabase_migrations.schema_migrations (version, name, statements)"
            " VALUES (%(version)s, %(name)s, %(statements)s)",
            {"version": version, "name": name, "statements": list(statements)},
            what=f"record migration {version}",
            seconds=limits.lock_seconds + MARGIN,
        )


def roll_back_file(session: AdminDatabase, version: str, text: str, limits: Limits, look: Look = _nothing) -> None:
    """Delete the version's record and execute the rollback's text as it is, in one transaction.

    Raises as :func:`apply_file`, and StepFailed when the version is not recorded.
    """
    with _together(session, version, text, limits, look, recorded=False):
        gone = session.execute(
            "DELETE FROM supabase_migrations.schema_migrations WHERE version = %(version)s RETURNING version",
            {"version": version},
            what=f"delete the record of migration {version}",
            seconds=limits.lock_seconds + MARGIN,
        )
        if len(gone) != 1:
            raise StepFailed(f"Migration {version} is not recorded any more.", "Nothing was changed. Plan again.")


@contextmanager
def _together(
    session: AdminDatabase, version: str, text: str, limits: Limits, look: Look, *, recorded: bool
) -> Iterator[None]:
    with session.transaction():
        for setting, seconds in (
            ("lock_timeout", limits.lock_seconds),
            ("statement_timeout", limits.statement_seconds),
        ):
            session.execute(
                "SELECT set_config(%(name)s, %(value)s, true)",
                {"name": setting, "value": f"{seconds * 1000:.0f}"},
                what=f"set {setting}",
            )
        (began,) = session.execute("SELECT pg_current_xact_id()::text AS id", what="begin")
        yield
        session.script(text, what=f"run migration {version}", seconds=limits.file_seconds)
        look(session)
        (ended,) = session.execute(
            "SELECT pg_current_xact_id()::text AS id, EXISTS ("
            "SELECT FROM supabase_migrations.schema_migrations WHERE version = %(version)s) AS recorded",
            {"version": version},
            what="look at the record",
        )
        if ended != {**began, "recorded": recorded}:
            raise StepFailed(
                f"The file of {version} ended its transaction, or changed its own record.",
                "What it had done by then may be there. Compare file and database, then correct the file.",
            )
