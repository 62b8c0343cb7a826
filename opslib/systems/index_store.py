"""The team's index of archived runs, in a PostgreSQL of the product's own: sessions, and every statement put to it.

What stands in it, and why so, is in :mod:`opslib.systems.index_tables`. It proves nothing: whoever may write into it
can make it say anything, and each archive can make its own part anew. Only what was sealed, and so redacted, comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems import index_statements as sql
from opslib.systems.deadline import deadline, shut
from opslib.systems.index_tables import DAY, SCHEMA, VERSION, Run
from opslib.systems.postgres import connect
from opslib.systems.postgres_errors import unreachable

if TYPE_CHECKING:
    import psycopg

SECONDS = 30.0
"""How long one question to the index may take."""
AT_ONCE = 2_000
"""So many runs are taken out at once."""
GOING = "-"
"""Stands for the last entry's SHA-256 while a part is taken out: who finds it takes out the rest first."""


@dataclass(frozen=True)
class Part:
    """How far the index read one archive: its number and place, the last entry, its SHA-256, the last run's number."""

    archive: int
    place: str
    seq: int = 0
    sum: str = ""
    last: int = 0


class IndexStore:
    """A session with the team's index, opened at the first question; for one thread.

    Every method raises Unreachable where the server does not answer or does not let this role, and Refused where no
    index of this version is installed.
    """

    def __init__(self, url: DatabaseUrl, *, seconds: float = SECONDS) -> None:
        self.url = url
        self._seconds = seconds
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def install(self) -> bool:
        """Create the tables; anew where they are of another version. Returns whether anything had to be done.

        Raises Refused for a database that cannot hold every text.
        """
        with self._session("install it", any_version=True) as session, session.transaction():
            if session.info.parameter_status("server_encoding") != "UTF8":
                raise Refused(
                    f"The database at {self.url.public} is not in UTF-8.",
                    "Create one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
                )
            if (there := self._version(session)) == VERSION:
                return False
            if there is not None:
                session.execute("DROP FUNCTION opslib_index.newest")
                session.execute(
                    "DROP TABLE opslib_index.days, opslib_index.lines, opslib_index.runs, opslib_index.archives, "
                    "opslib_index.about"
                )
            session.execute(SCHEMA)
            session.execute("INSERT INTO opslib_index.about (version) VALUES (%s)", [VERSION])
            return True

    def may_write(self) -> bool:
        """Return whether this role may bring an archive's part up to date."""
        with self._session("ask what this role may do") as session:
            row = session.execute("SELECT has_table_privilege('opslib_index.runs', 'INSERT') AS may").fetchone()
        return bool(row and row["may"])

    def part(self, archive: str, place: str) -> Part:
        """Return how far an archive was read; enters it where it is new, as lying at ``place``."""
        with self._session("look how far it is") as session, session.transaction():
            for _ in range(2):
                row = session.execute(
                    "SELECT number AS archive, place, seq, sum, last FROM opslib_index.archives WHERE archive = %s",
                    [archive],
                ).fetchone()
                if row:
                    break
                session.execute(
                    "INSERT INTO opslib_index.archives (archive, place) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    [archive, place],
                )
        assert row is not None
        return Part(**row)

    def forget(self, part: Part) -> Part | None:
        """Take all of an archive out; returns its empty part, or None where it was moved on by another process."""
        left, seen = True, part
        while left:
            with self._moving(seen, "take an archive out") as session:
                if session is None:
                    return None
                left = session.execute(sql.TAKE_SOME, [part.archive, AT_ONCE]).rowcount == AT_ONCE
                if not left:
                    session.execute("DELETE FROM opslib_index.days WHERE archive = %s", [part.archive])
                seen = Part(part.archive, part.place, 0, GOING if left else "")
                self._move(session, seen)
        return seen

    def move(self, part: Part, to: Part, runs: Sequence[Run], gone: Sequence[str] = ()) -> bool:
        """Bring an archive's part up to date: put ``runs`` in, take ``gone`` out, all or nothing.

        False, and nothing is changed, where it is not (any more) at ``part``: another process moved it on.
        """
        with self._moving(part, "bring it up to date") as session:
            if session is None:
                return False
            if gone:
                session.execute(sql.TAKE, {"archive": part.archive, "runs": list(gone), "day": DAY})
            with session.cursor() as cursor:
                cursor.executemany(
                    sql.PUT, [(one.number, part.archive, *one.about, list(one.words), one.said) for one in runs]
                )
                cursor.executemany(
                    sql.PUT_LINE,
                    [
                        (one.number, place, one.about[3], one.about[2], *line)
                        for one in runs
                        for place, line in enumerate(one.lines)
                    ],
                )
                cursor.executemany(sql.PUT_DAY, [(*day, *held) for day, held in _days(part.archive, runs).items()])
            self._move(session, to)
        return True

    def search(
        self, words: Sequence[int], phrases: Sequence[str], since: str, until: str, most: int
    ) -> list[tuple[dict[str, Any], list[tuple[Any, ...]]]]:
        """Return the newest runs that have all words and phrases and began between two times, each with its lines."""
        with self._session("search") as session, session.transaction():
            found = session.execute(sql.FOUND, [list(words), list(phrases), since, until, most]).fetchall()
            rows = session.execute(sql.LINES, [[row["number"] for row in found]]).fetchall()
        lines: dict[int, list[tuple[Any, ...]]] = {row["number"]: [] for row in found}
        for row in rows:
            lines[row.pop("run")].append(tuple(row.values()))
        return [(row, lines[row.pop("number")]) for row in found]

    def history(self, check: str, environment: str, most: int) -> list[dict[str, Any]]:
        """Return a check's newest results in an environment, oldest first."""
        with self._session("read a check's history") as session:
            return session.execute(sql.HISTORY, [environment, check, most]).fetchall()

    def verdicts(self, environment: str, since: str) -> list[tuple[str, str, str]]:
        """Return check, run and verdict of an environment's runs that began since then, oldest first."""
        with self._session("read verdicts") as session:
            found = session.execute(sql.VERDICTS, [environment, since]).fetchall()
        return [(row["name"], row["run"], row["verdict"]) for row in found]

    def checks(self, environment: str, notebook: str) -> list[str]:
        """Return the names of the checks of an environment, by one notebook if one is named."""
        asked = {"environment": environment, "notebook": notebook}
        with self._session("read the checks' names") as session:
            return [row["name"] for row in session.execute(sql.CHECKS_OF if notebook else sql.CHECKS, asked)]

    @contextmanager
    def _moving(self, part: Part, what: str) -> Iterator[psycopg.Connection[dict[str, Any]] | None]:
        """Hold an archive's part in a transaction; None where it is not at ``part``."""
        with self._session(what) as session, session.transaction():
            row = session.execute(
                "SELECT seq, sum FROM opslib_index.archives WHERE number = %s FOR UPDATE", [part.archive]
            ).fetchone()
            yield session if row and (row["seq"], row["sum"]) == (part.seq, part.sum) else None

    def _move(self, session: psycopg.Connection[dict[str, Any]], to: Part) -> None:
        session.execute(
            "UPDATE opslib_index.archives SET place = %s, seq = %s, sum = %s, last = %s, told_at = clock_timestamp() "
            "WHERE number = %s",
            [to.place, to.seq, to.sum, to.last, to.archive],
        )

    def _version(self, session: psycopg.Connection[dict[str, Any]]) -> int | None:
        there = session.execute("SELECT to_regclass('opslib_index.about') IS NOT NULL AS there").fetchone()
        row = session.execute("SELECT version FROM opslib_index.about").fetchone() if there and there["there"] else None
        return int(row["version"]) if row else None

    @contextmanager
    def _session(self, what: str, *, any_version: bool = False) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        import psycopg

        opening = self._connection is None or self._connection.closed
        if opening:
            self._connection = connect(self.url, "opslib:index", guards={"lock_timeout": "10000"})
        assert self._connection is not None
        session = self._connection
        try:
            with deadline(self._seconds, f"The team's index at {self.url.public}", lambda: shut(session.fileno())):
                if opening and not any_version and (there := self._version(session)) != VERSION:
                    raise self._not_installed(there)
                yield session
        except psycopg.errors.InsufficientPrivilege as error:
            raise Unreachable(
                f"The team's index at {self.url.public} does not let this role {what}.",
                "See docs/archive.md for what its roles may do.",
                "forbidden",
            ) from error
        except psycopg.Error as error:
            self.close()
            raise unreachable(error, self.url, what) from error

    def _not_installed(self, there: int | None) -> Refused:
        said = "is not installed" if there is None else f"has version {there}, and this program knows version {VERSION}"
        return Refused(f"The team's index at {self.url.public} {said}.", "Install it: ops archive index --install")


def _days(archive: int, runs: Sequence[Run]) -> dict[tuple[int, int], tuple[int, str, str]]:
    """Return for each day how many of these runs ended then, and when the first and the last of them began."""
    found: dict[tuple[int, int], tuple[int, str, str]] = {}
    for one in runs:
        began = one.about[1]
        many, first, last = found.get((one.day, archive), (0, began, began))
        found[one.day, archive] = (many + 1, min(first, began), max(last, began))
    return found
