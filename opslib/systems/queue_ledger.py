"""The ledger of the queue: one row per requested run, with a key that is there once, in the queue's own PostgreSQL.

The engine that carries runs to workers (:mod:`opslib.systems.queue_transport`) may lose or repeat what it carries. Who
may run what is decided here, by rows that change under a lock of the server and by its clock. A row and what carries it
are written in one transaction. No secret stands in a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from opslib.errors import Refused
from opslib.redaction import DatabaseUrl
from opslib.systems.deadline import deadline, shut
from opslib.systems.postgres import connect
from opslib.systems.postgres_errors import unreachable
from opslib.systems.queue_rows import GOING, SCHEMA, TAKEN, Row
from opslib.systems.queue_transport import schema, send

if TYPE_CHECKING:
    import psycopg

SECONDS = 20.0
"""How long one question to the ledger may take."""
AGAIN_SECONDS = 3
"""After so many seconds a run is offered again whose target had too many."""


class Ledger:
    """A session with the ledger, opened at the first question and again after each break; for one thread.

    Every method raises Unreachable where the queue's server does not answer; what it asked may then have been done,
    and can be asked again.
    """

    def __init__(self, url: DatabaseUrl, *, seconds: float = SECONDS) -> None:
        self.url = url
        self._seconds = seconds
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def install(self, archive: str) -> None:
        """Create the tables where they are missing, and name the archive that this queue's runs go into, once."""
        with self._session("install the ledger") as session, session.transaction():
            session.execute(SCHEMA)
            if not (session.execute("SELECT to_regclass('procrastinate_jobs') AS there").fetchone() or {})["there"]:
                session.execute(schema())
            session.execute(
                "INSERT INTO opslib_queue.about (archive) VALUES (%s) ON CONFLICT (only_row) DO NOTHING", [archive]
            )

    def archive(self) -> str:
        """Return which archive this queue's runs go into; raises Refused where nothing is installed."""
        with self._session("read which archive it is for") as session:
            row = session.execute("SELECT archive FROM opslib_queue.about").fetchone()
        if not row:
            raise self._not_installed()
        return str(row["archive"])

    def add(self, row: Row) -> bool:
        """Enter a requested run and have it carried to a worker; False where its key is there already."""
        with self._session("enter a run") as session, session.transaction():
            done = session.execute(
                "INSERT INTO opslib_queue.asked "
                "(key, notebook, parameters, environment, mode, plan, links, asked_by, run, changes) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING",
                [
                    *(row.key, row.notebook, json.dumps(row.parameters), row.environment, row.mode, row.plan),
                    *(json.dumps(dict(row.links)), row.asked_by, row.run, row.changes),
                ],
            )
            if done.rowcount:
                send(session, row.key, row.environment)
        return done.rowcount == 1

    def ask_again(self, row: Row) -> bool:
        """Let a run wait again that is over and never began; False where it began, or is not over."""
        with self._session("enter a run again") as session, session.transaction():
            done = session.execute(
                "UPDATE opslib_queue.asked SET state = 'waiting', attempt = attempt + 1, asked_by = %s, worker = '', "
                "asked_at = clock_timestamp(), moved_at = clock_timestamp(), exit_code = NULL, why = '' "
                "WHERE key = %s AND state IN ('ended', 'withdrawn') AND verdict = ''",
                [row.asked_by, row.key],
            )
            if done.rowcount:
                send(session, row.key, row.environment)
        return done.rowcount == 1

    def look(self, key: str) -> Row | None:
        """Return a requested run, or None."""
        return next(iter(self.rows([key])), None)

    def rows(self, keys: Sequence[str] | None = None) -> list[Row]:
        """Return requested runs, those of these keys or all, newest first."""
        with self._session("read the ledger") as session:
            found = session.execute(
                "SELECT *, extract(epoch FROM clock_timestamp() - moved_at)::float8 AS silent FROM opslib_queue.asked "
                "WHERE %(keys)s::text[] IS NULL OR key = ANY(%(keys)s) ORDER BY asked_at DESC, key",
                {"keys": None if keys is None else list(keys)},
            ).fetchall()
        return [Row.of(one) for one in found]

    def attempts(self, key: str) -> list[dict[str, Any]]:
        """Return the attempts at a requested run, first one first."""
        with self._session("read the attempts") as session:
            return session.execute(
                "SELECT attempt, run, worker, begun_at, ended_at, became FROM opslib_queue.attempts "
                "WHERE key = %s ORDER BY attempt",
                [key],
            ).fetchall()

    def take(self, key: str, worker: str, *, changes: bool, at_once: int, silent: float) -> tuple[Row | None, str]:
        """Take a waiting run for a worker, or say why it is not taken: ``full``, ``changing``, ``silent``, ``over``.

        ``full``: so many run on its target; ``changing``: one that changes the target runs there, and this one would
        too; ``silent``: another worker took it and has given no sign of life for so many seconds. What is full or
        changing is offered again; a row comes with ``silent`` and with what was taken.
        """
        with self._session("take a run") as session, session.transaction():
            row = self._locked(session, key)
            if row is None or row.over or (row.state == TAKEN and row.silent < silent):
                return None, "over"
            if row.state == TAKEN:
                return row, "silent"
            there = session.execute(
                "SELECT count(*) AS runs, count(*) FILTER (WHERE changes) AS changing FROM opslib_queue.asked "
                "WHERE environment = %s AND state = 'taken'",
                [row.environment],
            ).fetchone()
            if there and (there["runs"] >= at_once or (changes and there["changing"])):
                full = "full" if there["runs"] >= at_once else "changing"
                self._wait(session, row, full)
                return None, full
            return self._begin(session, row, worker, changes, row.run, row.attempt), ""

    def again(self, seen: Row, worker: str, *, run: str, became: str) -> Row | None:
        """Take over what a worker has left as the next attempt, as ``run``; None where another one was faster."""
        with self._session("take a run over") as session, session.transaction():
            row = self._locked(session, seen.key)
            if row is None or row.state != TAKEN or row.attempt != seen.attempt:
                return None
            self._close(session, row, became)
            return self._begin(session, row, worker, row.changes, run, row.attempt + 1)

    def hand_back(self, seen: Row, *, run: str, became: str) -> None:
        """Let what this worker took wait again, to be tried as ``run``."""
        with self._session("hand a run back") as session, session.transaction():
            row = self._locked(session, seen.key)
            if row is None or row.state != TAKEN or row.attempt != seen.attempt:
                return
            self._close(session, row, became)
            session.execute(
                "UPDATE opslib_queue.asked SET state = 'waiting', attempt = attempt + 1, run = %s, worker = '', "
                "moved_at = clock_timestamp(), why = %s WHERE key = %s",
                [run, became, row.key],
            )
            send(session, row.key, row.environment)

    def finish(self, seen: Row, state: str, *, verdict: str = "", exit_code: int | None = None, why: str = "") -> bool:
        """Record what became of a run that was taken as ``seen.run``; False where that was another one by now."""
        with self._session("record an end") as session, session.transaction():
            row = self._locked(session, seen.key)
            if row is None or row.over or row.run != seen.run:
                return False
            self._close(session, row, state if not verdict else f"{state}: {verdict}")
            session.execute(
                "UPDATE opslib_queue.asked SET state = %s, verdict = %s, exit_code = %s, why = %s, "
                "moved_at = clock_timestamp() WHERE key = %s",
                [state, verdict, exit_code, why[:1000], row.key],
            )
        return True

    def withdraw(self, key: str) -> bool:
        """Take back a run that still waits, or that a person has seen to; False for any other."""
        with self._session("withdraw a run") as session:
            done = session.execute(
                "UPDATE opslib_queue.asked SET state = 'withdrawn', moved_at = clock_timestamp() "
                "WHERE key = %s AND state IN ('waiting', 'broken off')",
                [key],
            )
        return done.rowcount == 1

    def alive(self, key: str, worker: str) -> None:
        """Give a sign of life for the run that this worker carries out."""
        with self._session("give a sign of life") as session:
            session.execute(
                "UPDATE opslib_queue.asked SET moved_at = clock_timestamp() "
                "WHERE key = %s AND worker = %s AND state = 'taken'",
                [key, worker],
            )

    def going(self, environments: Sequence[str]) -> int:
        """Return how many requested runs of these environments are not over."""
        with self._session("count what is left") as session:
            row = session.execute(GOING, [list(environments)]).fetchone()
        return int(row["runs"]) if row else 0

    def open(self, beginning: str) -> list[str]:
        """Return the keys that begin so and whose runs are not over."""
        with self._session("look for runs that are not over") as session:
            found = session.execute(
                "SELECT key FROM opslib_queue.asked WHERE starts_with(key, %s) AND state IN ('waiting', 'taken')",
                [beginning],
            ).fetchall()
        return [row["key"] for row in found]

    def later(self, seen: Row) -> None:
        """Offer a run again after a while, as it is."""
        with self._session("offer a run again") as session, session.transaction():
            send(session, seen.key, seen.environment, in_seconds=AGAIN_SECONDS, before_others=True)

    def send_forgotten(self, silent: float) -> list[str]:
        """Send again what is not over, gave no sign of life for so many seconds, and that the engine does not carry.

        Returns the keys. That is what a dead worker had, what the engine lost, and what waits for its holder. It goes
        before all others: what a dead worker had counts on its target until it is looked at.
        """
        with self._session("look for what was left") as session, session.transaction():
            found = session.execute(
                "SELECT key, environment FROM opslib_queue.asked a WHERE state IN ('waiting', 'taken') "
                "AND moved_at < clock_timestamp() - make_interval(secs => %s) AND NOT EXISTS "
                "(SELECT FROM procrastinate_jobs j WHERE j.queueing_lock = a.key AND j.status = 'todo') "
                "ORDER BY moved_at LIMIT 500",
                [silent],
            ).fetchall()
            for row in found:
                send(session, row["key"], row["environment"], before_others=True)
        return [row["key"] for row in found]

    def _locked(self, session: psycopg.Connection[dict[str, Any]], key: str) -> Row | None:
        # Two who count what runs on one target do so one after the other, and each row is changed by one at a time.
        session.execute("SELECT pg_advisory_xact_lock(hashtext('opslib_queue'))")
        found = session.execute(
            "SELECT *, extract(epoch FROM clock_timestamp() - moved_at)::float8 AS silent "
            "FROM opslib_queue.asked WHERE key = %s FOR UPDATE",
            [key],
        ).fetchone()
        return Row.of(found) if found else None

    def _begin(
        self, session: psycopg.Connection[dict[str, Any]], row: Row, worker: str, changes: bool, run: str, attempt: int
    ) -> Row:
        session.execute(
            "UPDATE opslib_queue.asked SET state = 'taken', worker = %s, changes = %s, run = %s, attempt = %s, "
            "moved_at = clock_timestamp(), why = '' WHERE key = %s",
            [worker, changes, run, attempt, row.key],
        )
        session.execute(
            "INSERT INTO opslib_queue.attempts (key, attempt, run, worker) VALUES (%s, %s, %s, %s)",
            [row.key, attempt, run, worker],
        )
        return replace(row, state=TAKEN, worker=worker, changes=changes, run=run, attempt=attempt)

    def _close(self, session: psycopg.Connection[dict[str, Any]], row: Row, became: str) -> None:
        session.execute(
            "UPDATE opslib_queue.attempts SET ended_at = clock_timestamp(), became = %s "
            "WHERE key = %s AND attempt = %s",
            [became[:200], row.key, row.attempt],
        )

    def _wait(self, session: psycopg.Connection[dict[str, Any]], row: Row, why: str) -> None:
        session.execute(
            "UPDATE opslib_queue.asked SET why = %s, moved_at = clock_timestamp() WHERE key = %s", [why, row.key]
        )
        send(session, row.key, row.environment, in_seconds=AGAIN_SECONDS)

    @contextmanager
    def _session(self, what: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = connect(self.url, "opslib:queue", guards={"lock_timeout": "10000"})
        session = self._connection
        try:
            with deadline(self._seconds, f"The queue at {self.url.public}", lambda: shut(session.fileno())):
                yield session
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise self._not_installed() from error
        except psycopg.Error as error:
            self.close()
            raise unreachable(error, self.url, what) from error

    def _not_installed(self) -> Refused:
        return Refused(f"The queue at {self.url.public} is not installed.", "Install it once: ops queue install")
