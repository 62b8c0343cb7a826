"""How long the archive is searched, and how long one more run takes, at several sizes: each beside the smallest.

    python -m benchmarks.search --runs 10000 100000
    python -m benchmarks.search --runs 10000 100000 --team

It makes indexes of made-up runs in a temporary folder, without their files and without waiting for the disk; what is
timed is the search alone, in a session that is open. With ``--team`` in a PostgreSQL that it starts there, else in
SQLite. Nothing outside that folder is touched.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

from opslib.archive.log import Log
from opslib.archive.search_index import SearchIndex
from opslib.archive.search_wanted import Index, Wanted
from opslib.archive.searched import Line, Searched
from opslib.archive.summary import Summary
from opslib.archive.team_index import TeamIndex
from opslib.model import Verdict
from opslib.systems.index_tables import ARCHIVES, DAY, Run

TIMES = 15
START = datetime(2020, 1, 1, tzinfo=UTC)
NOTEBOOKS = [f"diagnostics/area-{number}" for number in range(40)]
ENVIRONMENTS = ("lab", "staging", "production")
CHECKS = [f"check-{number}" for number in range(400)]
WORDS = [f"word{number}" for number in range(5_000)]
ONE, TWO, BAD = NOTEBOOKS[3], NOTEBOOKS[5], str(Verdict.CRITICAL)
ASKED = {
    "one word": Wanted(words=("word77",)),
    "a word that all runs have": Wanted(words=("title",)),
    "two words": Wanted(words=("word7", "word9")),
    "two words that no run has in that order": Wanted(words=("it-title",)),
    "three words that all runs have in that order": Wanted(words=("title-of-it",)),
    "three words that no run has in that order": Wanted(words=("of-it-title",)),
    "two words in an order that no run has, the second begun": Wanted(words=("it-titl*",)),
    "the beginning of a word": Wanted(words=("word12*",)),
    "the beginning of most words": Wanted(words=("w*",)),
    "notebook and target": Wanted(notebook=ONE, environment="production"),
    "notebook and verdict": Wanted(notebook=ONE, verdict=BAD),
    "target and verdict": Wanted(environment="lab", verdict=BAD),
    "all three": Wanted(notebook=TWO, environment="lab", verdict=BAD),
    "all three and a word": Wanted(notebook=TWO, environment="lab", verdict=BAD, words=("word7",)),
    "target and a check": Wanted(environment="lab", name="check-3"),
    "what no run has": Wanted(notebook=ONE, name="check-none"),
    "a day": Wanted(since="2020-01-02T00:00:00Z", until="2020-01-03T00:00:00Z"),
    "a day and a verdict": Wanted(since="2020-01-02T00:00:00Z", until="2020-01-03T00:00:00Z", verdict=BAD),
}
MINUTE = 60 * 1_000_000 * ARCHIVES
FIRST = int(START.timestamp()) * 1_000_000 * ARCHIVES
MADE = 10_000
COPIES = (
    "INSERT INTO opslib_index.runs SELECT number + %(later)s, archive, run || '/' || %(copy)s, "
    "to_char(to_timestamp((number + %(later)s) / 1024 / 1000000) AT TIME ZONE 'UTC', "
    '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\'), '
    "notebook, environment, mode, who, state, verdict, array_append(array_remove(words, -1 - number / %(day)s), "
    "-1 - (number + %(later)s) / %(day)s), said FROM opslib_index.runs WHERE strpos(run, '/') = 0",
    "INSERT INTO opslib_index.lines "
    "SELECT l.run + %(later)s, l.place, l.environment, l.notebook, l.kind, l.name, l.text, "
    "l.verdict, l.value, l.unit, l.warning, l.critical, l.above FROM opslib_index.lines l "
    "JOIN opslib_index.runs r ON r.number = l.run WHERE strpos(r.run, '/') = 0",
    "INSERT INTO opslib_index.days SELECT number / %(day)s, archive, count(*), min(started), max(started) "
    "FROM opslib_index.runs WHERE split_part(run, '/', 2) = %(copy)s::text GROUP BY 1, 2 "
    "ON CONFLICT (day, archive) DO UPDATE "
    "SET runs = days.runs + excluded.runs, first = least(days.first, excluded.first), "
    "last = greatest(days.last, excluded.last)",
)


def main() -> None:
    """Measure and print one line per question: milliseconds at each size, and the last size's ratio to the first."""
    parser = argparse.ArgumentParser(description="Time the search of the archive.")
    parser.add_argument("--runs", type=int, nargs="+", default=[2_000, 20_000], help="runs in each archive")
    parser.add_argument("--team", action="store_true", help="the team's index, in PostgreSQL")
    parser.add_argument("--shortest", action="store_true", help="time of 15, instead of the median")
    asked = parser.parse_args()
    sizes = asked.runs
    found = figures(sizes, team if asked.team else sqlite, min if asked.shortest else statistics.median)
    sys.stdout.write(f"{'runs':<42}{''.join(f'{size:>12,}' for size in sizes)}       ratio\n")
    for name, said in found.items():
        times = "".join(f"{seconds * 1000:>9.2f} ms" for seconds in said)
        sys.stdout.write(f"{name:<42}{times}{said[-1] / said[0]:>12.2f}\n")


class Side(Protocol):
    """One of the two indexes, filled with so many runs."""

    index: Index

    def add(self, number: int) -> None:
        """Put one more run in, as after a run: in a transaction of its own, on the disk."""
        ...


def figures(
    sizes: list[int],
    side: Callable[[Path, int], AbstractContextManager[Side]],
    of: Callable[[list[float]], float] = statistics.median,
) -> dict[str, list[float]]:
    """Return the seconds of each question, and of one more run, at each size."""
    found: dict[str, list[float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="opslib-benchmark-") as folder:
            Path(folder).chmod(0o711)
            with side(Path(folder), size) as one:
                for name, wanted in ASKED.items():
                    found.setdefault(name, []).append(of(times(lambda wanted=wanted: one.index.search(wanted))))  # type: ignore[misc]
                more = iter(range(size + 1, size + 1 + TIMES))
                found.setdefault("one more run", []).append(of(times(lambda: one.add(next(more)))))  # noqa: B023
    return found


def times(work: Callable[[], object]) -> list[float]:
    """Return how many seconds ``work`` takes, so many times."""
    said = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        said.append(time.perf_counter() - began)
    return said


@contextmanager
def sqlite(folder: Path, size: int) -> Iterator[Side]:
    """The index here, filled in one transaction."""
    (folder / "log").mkdir()
    with closing(SearchIndex(folder)) as index:
        index._base.execute("PRAGMA synchronous = OFF")
        with index._writing():
            for number in range(1, size + 1):
                index._add(number, made_up(number))
        index._base.execute("PRAGMA synchronous = FULL")

        def add(number: int) -> None:
            with index._writing():
                index._add(number, made_up(number))

        yield SimpleNamespace(index=index, add=add)


@contextmanager
def team(folder: Path, size: int) -> Iterator[Side]:
    """The team's index, filled before its GIN index is made, on a server that waits for the disk; analyzed.

    Of more than 10,000 runs the others are copies of the first 10,000, made by the server, at later times.
    """
    from tests import index_server

    (folder / "archive" / "log").mkdir(parents=True)
    (folder / "archive" / "log" / "000001.entry").write_text("the first entry of this archive")
    options = ("fsync=on", "shared_buffers=256MB", "maintenance_work_mem=512MB", "max_wal_size=4GB")
    with (
        index_server.base(folder / "server", options) as base,
        closing(TeamIndex(folder / "archive", base.url)) as index,
    ):
        base.empty()
        part = index.store.part(Log(folder / "archive").sha256(1), "here")

        def row(number: int) -> Run:
            return index.row(FIRST + number * MINUTE + part.archive, made_up(number))

        base.do("DROP INDEX opslib_index.runs_words", "ALTER TABLE opslib_index.lines DROP CONSTRAINT lines_run_fkey")
        some = min(size, MADE)
        for first in range(1, some + 1, 1_000):
            assert index.store.move(part, part, [row(number) for number in range(first, min(first + 1_000, some + 1))])
        with base.session() as session:
            for copy in range(1, size // some):
                for statement in COPIES:
                    session.execute(statement, {"later": copy * some * MINUTE, "copy": copy, "day": DAY})
        base.do(
            "CREATE INDEX runs_words ON opslib_index.runs USING gin (words) WITH (fastupdate = off)", "VACUUM ANALYZE"
        )
        for table in base.rows(
            "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) AS size FROM pg_class "
            "WHERE relnamespace = 'opslib_index'::regnamespace AND relkind = 'r' ORDER BY relname"
        ):
            sys.stderr.write(f"{size:,} runs, {table['relname']}: {table['size']}\n")
        yield SimpleNamespace(index=index, add=lambda number: index.store.move(part, part, [row(number)]))


def made_up(number: int) -> Searched:
    """Return a run with six checks; the same for the same number."""
    dice = random.Random(number)  # noqa: S311
    notebook, verdict = dice.choice(NOTEBOOKS), dice.choices(list(Verdict), [80, 10, 5, 5])[0]
    at = f"{START + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}"
    said = (f"The title of it: {' '.join(dice.choices(WORDS, k=8))}" for _ in range(6))
    lines = tuple(Line("check", dice.choice(CHECKS), text, "OK", 1.0, "ms") for text in said)
    run, environment = f"{number:08}-{notebook.replace('/', '-')}", dice.choice(ENVIRONMENTS)
    told = (notebook, environment, "apply", "ann", at, at, 1.0, "finished", verdict, 0, "", "", "", False)
    return Searched(Summary(run, "sealed", *told), lines)


if __name__ == "__main__":
    main()
