"""The index by which runs are found: SQLite with FTS5, in ``search.sqlite`` beside the archive's pages.

It proves nothing and can be removed at any time: the files of the archive are the truth, and what the log has more than
the index is read before each search. One document of words per run keeps the time of a search flat: facts that are
filtered by are words as well, one for each way in which they are asked for together, so that no filter walks over runs
that another one left. Source: SQLite's documentation, "FTS5" (documents without content, their order by number).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from opslib import files
from opslib.archive import search_words, searched
from opslib.archive.holds import removes
from opslib.archive.log import LARGEST, Entry, Log, name_of, parse
from opslib.archive.searched import Line, Searched
from opslib.errors import ArchiveError

FILE = "search.sqlite"
VERSION = 4
WAIT_SECONDS = 30.0
LAST = 2**62
_EVER = "9"
"""Later than any ISO time."""
_TABLES = (
    "CREATE TABLE state (version INTEGER NOT NULL, seq INTEGER NOT NULL, sum TEXT NOT NULL)",
    "CREATE TABLE runs (number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, notebook TEXT NOT NULL, "
    "environment TEXT NOT NULL, mode TEXT NOT NULL, who TEXT NOT NULL, started TEXT NOT NULL, seconds REAL, "
    "state TEXT NOT NULL, verdict TEXT NOT NULL, sealed TEXT NOT NULL)",
    "CREATE INDEX runs_started ON runs (started)",
    "CREATE TABLE lines (run INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, verdict TEXT NOT NULL, "
    "value REAL, unit TEXT NOT NULL, text TEXT NOT NULL, warning REAL, critical REAL, above INTEGER NOT NULL)",
    "CREATE INDEX lines_run ON lines (run)",
    "CREATE INDEX lines_name ON lines (kind, name, run)",
    "CREATE VIRTUAL TABLE words USING fts5 (text, facts, content='', tokenize='unicode61', prefix='2 3 4 5')",
)
_AWAY = ("DROP TABLE words", "DROP TABLE lines", "DROP TABLE runs", "DROP TABLE state")
_WORDS = "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC"
_NEWEST = "SELECT number FROM runs WHERE number BETWEEN ? AND ? ORDER BY number DESC"
_SPAN = "SELECT min(number), max(number) FROM runs WHERE started >= ? AND started < ?"
_ONE = "SELECT run, started, notebook, environment, mode, who, state, verdict FROM runs WHERE number = ?"
_LINES = "SELECT kind, name, text, verdict, value, unit FROM lines WHERE run = ? ORDER BY rowid"
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
    "WHERE l.kind = 'check' AND r.environment = ? AND r.started >= ? ORDER BY r.started"
)
_RUN = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUT = "INSERT INTO words (rowid, text, facts) VALUES (?, ?, ?)"
_TAKE = "INSERT INTO words (words, rowid, text, facts) VALUES ('delete', ?, ?, ?)"
_LINE = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Wanted:
    """What is looked for; what is empty is not asked for. ``since`` and ``until`` are ISO times, the latter excluded.

    ``words`` must all occur in a run, each as a whole word; one that ends with ``*`` is the beginning of one.
    ``name`` is a step's or a check's.
    """

    words: tuple[str, ...] = ()
    notebook: str = ""
    environment: str = ""
    verdict: str = ""
    name: str = ""
    since: str = ""
    until: str = ""

    @property
    def match(self) -> str:
        """The words and facts as one FTS5 expression; every part is quoted."""
        facts = [("notebook", self.notebook), ("environment", self.environment), ("verdict", self.verdict)]
        asked = [fact for fact in facts if fact[1]]
        said = [f"text : {search_words.quoted(word.rstrip('*'))}{'*' * word.endswith('*')}" for word in self.words]
        said += [f"facts : {search_words.fact(*asked)}"] if asked else []
        said += [f"facts : {search_words.fact(('name', self.name))}"] if self.name else []
        return " AND ".join(said)


@dataclass(frozen=True)
class Found:
    """A run that fits, and the lines of it in which a word or name that was looked for stands."""

    run: str
    started: str
    notebook: str
    environment: str
    mode: str
    who: str
    state: str
    verdict: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Seen:
    """A check's result in one run: ``value`` is in ``unit``, None where it has no number; its limits in that run."""

    run: str
    started: str
    notebook: str
    verdict: str
    value: float | None
    unit: str
    summary: str
    warning: float | None
    critical: float | None
    above: bool


class SearchIndex:
    """The index of one archive; brought up to date when it is opened.

    Raises ArchiveError where the archive's folder cannot be written, or SQLite was built without FTS5.
    """

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        with self._told():
            (archive / FILE).touch(0o600)
            self._base = sqlite3.connect(archive / FILE, timeout=WAIT_SECONDS, isolation_level=None)
            self.added = self._update()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def search(self, wanted: Wanted, most: int = 20) -> list[Found]:
        """Return the newest ``most`` runs that fit, newest first."""
        with self._told():
            found = (self._found(number, wanted) for number in self._numbers(wanted))
            # A run that took long ended among later ones: between the numbers of a time are some of others.
            return list(islice((one for one in found if wanted.since <= one.started < (wanted.until or _EVER)), most))

    def history(self, check: str, environment: str, most: int = 1000) -> list[Seen]:
        """Return what a check said in the newest runs of an environment, oldest first."""
        with self._told():
            rows = self._base.execute(_HISTORY, (check, environment, most)).fetchall()
        return [Seen(*row) for row in reversed(rows)]

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
        if wanted.match:
            rows = self._base.execute(_WORDS, (wanted.match, first, last))
        else:
            rows = self._base.execute(_NEWEST, (first, last))
        for (number,) in rows:
            yield int(number)

    def _span(self, wanted: Wanted) -> tuple[int, int]:
        """Return the numbers between which every run of that time lies; the second is less where there is none."""
        if not wanted.since and not wanted.until:
            return 0, LAST
        first, last = self._base.execute(_SPAN, (wanted.since, wanted.until or _EVER)).fetchone()
        return (1, 0) if first is None else (first, last)

    def _found(self, number: int, wanted: Wanted) -> Found:
        run, started, notebook, environment, mode, who, state, verdict = self._base.execute(_ONE, (number,)).fetchone()
        shown = tuple(line for line in self._lines(number) if _says(line, wanted))
        return Found(run, started, notebook, environment, mode, who, state, verdict, shown)

    def _update(self) -> int:
        """Read what the log has more than the index; returns how many runs that were."""
        log = Log(self.archive)
        with self._writing():
            self._prepare(log)
            last = self._base.execute("SELECT seq FROM state").fetchone()[0]
            newest = log.newest()
            entries = list(_entries(self.archive, last, newest))
            # A run that retention removed is found no more: what stood in it is no longer kept here.
            gone = {entry.run for entry in entries if removes(entry)}
            for run in gone:
                self._forget(run)
            ended = [one.run for one in entries if (one.event == "close" or one.state) and one.run not in gone]
            first = self._base.execute("SELECT coalesce(max(number), 0) + 1 FROM runs").fetchone()[0]
            for number, run in enumerate(dict.fromkeys(ended), first):
                self._add(number, searched.read(self.archive, run))
            self._base.execute("UPDATE state SET seq = ?, sum = ?", (newest, _sum(self.archive, newest)))
        return len(ended)

    def _prepare(self, log: Log) -> None:
        """Make the tables, anew where they are of another version or of another log."""
        if self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
            version, seq, known = self._base.execute("SELECT version, seq, sum FROM state").fetchone()
            later = _entries(self.archive, seq, log.newest())
            redacted = any(entry.event == "redact" and not removes(entry) for entry in later)
            if version == VERSION and _sum(self.archive, seq) == known and not redacted:
                return
            for statement in _AWAY:
                self._base.execute(statement)
        for statement in _TABLES:
            self._base.execute(statement)
        self._base.execute("INSERT INTO state VALUES (?, 0, '')", (VERSION,))

    def _add(self, number: int, one: Searched) -> None:
        told, verdict = one.summary, one.summary.verdict
        row = (told.run, told.notebook, told.environment, told.mode, told.who, told.started_at, told.seconds)
        self._base.execute(_RUN, (number, *row, told.state or told.sealed, verdict or "", told.sealed))
        for ln in one.lines:
            held = (ln.value, ln.unit, ln.text, ln.warning, ln.critical, ln.above)
            self._base.execute(_LINE, (number, ln.kind, ln.name, ln.verdict, *held))
        self._base.execute(_PUT, (number, *self._document(number)))

    def _document(self, number: int) -> tuple[str, str]:
        """Return a run's words, made of what the tables hold of it: the same ones each time."""
        run, _, notebook, environment, _, who, state, verdict = self._base.execute(_ONE, (number,)).fetchone()
        facts = [("notebook", notebook), ("environment", environment), ("verdict", verdict)]
        return search_words.document((run, notebook, who, state), facts, self._lines(number))

    def _lines(self, number: int) -> list[Line]:
        return [Line(*row) for row in self._base.execute(_LINES, (number,))]

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


def _says(line: Line, wanted: Wanted) -> bool:
    if wanted.name and line.kind in ("check", "step") and line.name == wanted.name:
        return True
    text = f"{line.name} {line.text}".lower()
    return any(word.rstrip("*").lower() in text for word in wanted.words)


def _entries(archive: Path, after: int, last: int) -> Iterator[Entry]:
    """Yield the entries behind number ``after`` up to ``last``, as far as they can be read."""
    for seq in range(after + 1, last + 1):
        with suppress(OSError, ValueError):
            yield parse(files.read_plain(archive / name_of(seq), LARGEST))


def _sum(archive: Path, seq: int) -> str:
    """Return the SHA-256 of an entry, empty where there is none: it tells whether the log is the one that was read."""
    try:
        return hashlib.sha256(files.read_plain(archive / name_of(seq), LARGEST)).hexdigest()
    except OSError:
        return ""
