"""The index by which runs are found: SQLite with FTS5, in ``search.sqlite`` beside the archive's pages.

It proves nothing and can be removed at any time: the files of the archive are the truth, and what the log has more than
the index is read before each search. One document of words per run keeps the time of a search flat: facts that are
filtered by are keys in it, one for each way in which they are asked for together, and so are any two words that follow
one another, so that no filter walks over runs that another one left. Source: SQLite's documentation, "FTS5" (documents
without content, their order by number).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from opslib.archive import search_words, searched
from opslib.archive.log import Log
from opslib.archive.search_news import News, news
from opslib.archive.search_wanted import EVER, Found, Seen, Wanted, shown
from opslib.archive.searched import Line, Searched
from opslib.errors import ArchiveError

FILE = "search.sqlite"
VERSION = 7
WAIT_SECONDS = 30.0
LAST = 2**62
MISSES = 100
"""Where so many runs have all bigrams of a phrase and not the phrase, it is left to FTS5."""
_TABLES = (
    "CREATE TABLE state (version INTEGER NOT NULL, seq INTEGER NOT NULL, sum TEXT NOT NULL)",
    "CREATE TABLE runs (number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, started TEXT NOT NULL, "
    "notebook TEXT NOT NULL, environment TEXT NOT NULL, mode TEXT NOT NULL, who TEXT NOT NULL, "
    "state TEXT NOT NULL, verdict TEXT NOT NULL)",
    "CREATE INDEX runs_started ON runs (started)",
    "CREATE TABLE lines (run INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, verdict TEXT NOT NULL, "
    "value REAL, unit TEXT NOT NULL, text TEXT NOT NULL, warning REAL, critical REAL, above INTEGER NOT NULL)",
    "CREATE INDEX lines_run ON lines (run)",
    "CREATE INDEX lines_name ON lines (kind, name, run)",
    "CREATE VIRTUAL TABLE words USING fts5 (text, keys, content='', tokenize='unicode61', "
    # For a beginning that is no entry of its own, all words with it are gone through, of all runs.
    "prefix='1 2 3 4 5 6 7 8')",
)
_AWAY = ("DROP TABLE words", "DROP TABLE lines", "DROP TABLE runs", "DROP TABLE state")
_WORDS = "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC"
_NEWEST = "SELECT number FROM runs WHERE number BETWEEN ? AND ? ORDER BY number DESC"
_SPAN = "SELECT min(number), max(number) FROM runs WHERE started >= ? AND started < ?"
_ONE = "SELECT run, started, notebook, environment, mode, who, state, verdict FROM runs WHERE number = ?"
_LINES = (
    "SELECT kind, name, text, verdict, value, unit, warning, critical, above FROM lines WHERE run = ? ORDER BY rowid"
)
_HISTORY = (
    "SELECT r.run, r.started, r.notebook, l.verdict, l.value, l.unit, l.text, l.warning, l.critical, l.above "
    "FROM lines l "
    "JOIN runs r ON r.number = l.run WHERE l.kind = 'check' AND l.name = ? AND r.environment = ? "
    "ORDER BY l.run DESC LIMIT ?"
)
_CHECKS = (
    "SELECT DISTINCT l.name FROM lines l JOIN runs r ON r.number = l.run "
    "WHERE l.kind = 'check' AND r.environment = ? AND r.notebook LIKE ? ORDER BY 1"
)
_VERDICTS = (
    "SELECT l.name, r.run, l.verdict FROM lines l JOIN runs r ON r.number = l.run "
    "WHERE l.kind = 'check' AND r.environment = ? AND r.started >= ? ORDER BY r.started, r.number, l.rowid"
)
_RUN = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUT = "INSERT INTO words (rowid, text, keys) VALUES (?, ?, ?)"
_TAKE = "INSERT INTO words (words, rowid, text, keys) VALUES ('delete', ?, ?, ?)"
_LINE = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SearchIndex:
    """The index of one archive; brought up to date when it is opened.

    Raises ArchiveError where the archive's folder cannot be written, or SQLite was built without FTS5.
    """

    def __init__(self, archive: Path, misses: int = MISSES) -> None:
        self.archive = archive
        self._misses = misses
        self.notes: tuple[str, ...] = ()
        with self._told():
            (archive / FILE).touch(0o600)
            self._base = sqlite3.connect(archive / FILE, timeout=WAIT_SECONDS, isolation_level=None)
            self._tokenizer = search_words.Tokenizer()
            self.added = self._update()
            self._identity = Log(archive).sha256(1)

    def close(self) -> None:
        """Close the file."""
        self._base.close()
        self._tokenizer.close()

    def search(self, wanted: Wanted, most: int = 20) -> list[Found]:
        """Return the newest ``most`` runs that fit, newest first."""
        with self._told():
            found = (self._found(number, wanted) for number in self._numbers(wanted))
            # A run that took long ended among later ones: between the numbers of a time are some of others.
            return list(islice((one for one in found if wanted.since <= one.started < (wanted.until or EVER)), most))

    def history(self, check: str, environment: str, most: int = 1000) -> list[Seen]:
        """Return what a check said in the newest runs of an environment, oldest first."""
        with self._told():
            rows = self._base.execute(_HISTORY, (check, environment, most)).fetchall()
        return [replace(Seen(*row), archive=self._identity) for row in reversed(rows)]

    def verdicts(self, environment: str, since: str) -> list[tuple[str, str, str]]:
        """Return check, run and verdict of the runs of an environment that started since then, oldest first."""
        with self._told():
            return self._base.execute(_VERDICTS, (environment, since)).fetchall()

    def checks(self, environment: str, notebook: str = "") -> list[str]:
        """Return the names of all checks that were ever made in an environment, by one notebook if one is named."""
        with self._told():
            return [str(name) for (name,) in self._base.execute(_CHECKS, (environment, notebook or "%"))]

    def _numbers(self, wanted: Wanted) -> Iterator[int]:
        """Yield the numbers of what fits, newest first; FTS5 walks backwards and stops with who asks."""
        first, last = self._span(wanted)
        looked = search_words.looked(wanted, self._tokenizer)
        if looked.phrases:
            yield from self._whole(looked, first, last)
        elif looked.by:
            yield from self._rows(_WORDS, looked.by, first, last)
        else:
            yield from self._rows(_NEWEST, first, last)

    def _whole(self, looked: search_words.Looked, first: int, last: int) -> Iterator[int]:
        """Yield the numbers of what has some phrases whole, of what has all their bigrams.

        FTS5 goes through all runs that have the words until it finds a phrase. So each run is looked at here, as long
        as few of them have the bigrams alone.
        """
        missed = 0
        for number in self._rows(_WORDS, looked.by, first, last):
            about = self._base.execute(_ONE, (number,)).fetchone()
            said = search_words.words_of(about, self._lines(number), self._tokenizer)
            if all(phrase in said for phrase in looked.phrases):
                yield number
            else:
                missed += 1
            if missed == self._misses:
                yield from self._rows(_WORDS, looked.exactly, first, number - 1)
                return

    def _rows(self, statement: str, *given: str | int) -> Iterator[int]:
        for (number,) in self._base.execute(statement, given):
            yield int(number)

    def _span(self, wanted: Wanted) -> tuple[int, int]:
        """Return the numbers between which every run of that time lies; the second is less where there is none."""
        if not wanted.since and not wanted.until:
            return 0, LAST
        first, last = self._base.execute(_SPAN, (wanted.since, wanted.until or EVER)).fetchone()
        return (1, 0) if first is None else (first, last)

    def _found(self, number: int, wanted: Wanted) -> Found:
        about: search_words.About = self._base.execute(_ONE, (number,)).fetchone()
        return Found(*about, shown(tuple(self._lines(number)), wanted), self._identity)

    def _update(self) -> int:
        """Read what the log has more than the index; returns how many runs that were."""
        with self._writing():
            later = self._prepare()
            for run in later.gone:
                self._forget(run)
            first = self._base.execute("SELECT coalesce(max(number), 0) + 1 FROM runs").fetchone()[0]
            for number, run in enumerate(later.ended, first):
                self._add(number, searched.read(self.archive, run))
            told = (later.newest, Log(self.archive).sha256(later.newest))
            self._base.execute("UPDATE state SET seq = ?, sum = ?", told)
        return len(later.ended)

    def _prepare(self) -> News:
        """Return what the log has more; make the tables, anew where they are of another version or of another log."""
        if self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
            version, seq, known = self._base.execute("SELECT version, seq, sum FROM state").fetchone()
            if version == VERSION and not (later := news(self.archive, seq, known)).anew:
                return later
            for statement in _AWAY:
                self._base.execute(statement)
        for statement in _TABLES:
            self._base.execute(statement)
        self._base.execute("INSERT INTO state VALUES (?, 0, '')", (VERSION,))
        return news(self.archive, 0, "")

    def _add(self, number: int, one: Searched) -> None:
        self._base.execute(_RUN, (number, *search_words.told(one)))
        for ln in one.lines:
            held = (ln.value, ln.unit, ln.text, ln.warning, ln.critical, ln.above)
            self._base.execute(_LINE, (number, ln.kind, ln.name, ln.verdict, *held))
        self._base.execute(_PUT, (number, *self._document(number)))

    def _document(self, number: int) -> tuple[str, str]:
        """Return a run's text and keys, made of what the tables hold of it: the same ones each time."""
        about = self._base.execute(_ONE, (number,)).fetchone()
        made = search_words.document_of(about, self._lines(number), self._tokenizer)
        return made.text, " ".join(made.keys)

    def _lines(self, number: int) -> list[Line]:
        rows = self._base.execute(_LINES, (number,)).fetchall()
        return [replace(Line(*row), above=bool(row[-1])) for row in rows]

    def _forget(self, run: str) -> None:
        """Take a run out of all tables, its words as well: retention removed it."""
        for (number,) in self._base.execute("SELECT number FROM runs WHERE run = ?", (run,)).fetchall():
            # The words of a document without content go only when they are told once more.
            self._base.execute(_TAKE, (number, *self._document(number)))
            self._base.execute("DELETE FROM lines WHERE run = ?", (number,))
            self._base.execute("DELETE FROM runs WHERE number = ?", (number,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise ArchiveError(
                f"The archive {self.archive} cannot be searched: {error}.",
                f"Look at its folder and disk. {FILE} may be removed: it is made anew from the archive.",
            ) from error


@contextmanager
def opened(archive: Path) -> Iterator[SearchIndex]:
    """Open the index of an archive; raises ArchiveError where there is no archive, or it cannot be searched."""
    if not (archive / "log").is_dir():
        raise ArchiveError(f"There is no archive at {archive}.", "Run a notebook first, or name it in OPS_ARCHIVE.")
    with closing(SearchIndex(archive)) as made:
        yield made
