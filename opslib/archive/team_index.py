"""The team's index: several archives in one PostgreSQL, searched by the same questions with the same answers.

It proves nothing and can be removed at any time, as the index here. What a word is, what a document holds and what the
log has more are said in one place for both (:mod:`opslib.archive.search_words`, :mod:`opslib.archive.search_news`).
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opslib import settings_index
from opslib.archive import search_index, search_words, searched
from opslib.archive.log import Entry, Log
from opslib.archive.search_news import News, news
from opslib.archive.search_wanted import EVER, Found, Index, Seen, Wanted, shown
from opslib.archive.search_words import Tokenizer
from opslib.archive.searched import Line, Searched
from opslib.errors import Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.index_store import IndexStore, Part
from opslib.systems.index_tables import ARCHIVES, Run

AT_ONCE = 200
"""So many runs are put in by one transaction; what breaks off is gone on with behind the last one."""
BEGINNINGS = 5
"""Of each word its first characters are words as well, up to so many, so that ``datab*`` is one word to look for."""
LATEST = 2**52
"""No entry counts as later than this, in microseconds since 1970: the year 2112."""
HERE = "This machine's runs alone are found by: ops archive search --here"


class TeamIndex:
    """The team's index, as it is seen from one archive, whose part :meth:`update` brings up to date.

    Raises Unreachable where it does not answer, Refused where it is not installed.
    """

    def __init__(self, archive: Path, url: DatabaseUrl) -> None:
        self.archive = archive
        self.added = 0
        self.notes: tuple[str, ...] = ()
        self.store = IndexStore(url)
        self._tokenizer = Tokenizer()
        self._identity = Log(archive).sha256(1)
        self._place = f"{socket.gethostname()}:{archive.absolute()}"

    def close(self) -> None:
        """End the session."""
        self.store.close()
        self._tokenizer.close()

    def search(self, wanted: Wanted, most: int = 20) -> list[Found]:
        """Return the newest ``most`` runs that fit, newest first, of all archives."""
        asked, phrases = {key("fact", word) for word in search_words.asked(wanted)}, []
        for word in wanted.words:
            looked = self._looked(word)
            if looked is None:
                return []
            asked |= looked[0]
            phrases += looked[1]
        until = wanted.until or EVER
        return [
            Found(**self._placed(about), lines=shown(tuple(Line(*line) for line in lines), wanted))
            for about, lines in self.store.search(sorted(asked), phrases, wanted.since, until, most)
        ]

    def history(self, check: str, environment: str, most: int = 1000) -> list[Seen]:
        """Return what a check said in the newest runs of an environment, oldest first."""
        return [Seen(**self._placed(row)) for row in self.store.history(check, environment, most)]

    def verdicts(self, environment: str, since: str) -> list[tuple[str, str, str]]:
        """Return check, run and verdict of the runs of an environment that started since then, oldest first."""
        return self.store.verdicts(environment, since)

    def checks(self, environment: str, notebook: str = "") -> list[str]:
        """Return the names of all checks that were ever made in an environment, by one notebook if one is named."""
        return self.store.checks(environment, notebook)

    def update(self) -> None:
        """Read what the log here has more than the index: ``added`` says how many runs that were.

        Where it cannot be (this role may only read, another process does so, this is an old copy of the archive),
        ``notes`` says so: what others put in is found all the same.
        """
        if not self._identity:
            return
        if not self.store.may_write():
            self._note("its role may only read, so what ran here is found as far as another machine told it")
            return
        part = self.store.part(self._identity, self._place)
        later = news(self.archive, part.seq, part.sum)
        if later.behind:
            self._note("this archive ends before what the index holds of it: an old copy, which is left alone")
            return
        fresh = self.store.forget(part) if later.anew else part
        if fresh is None or not self._moved(fresh, later):
            self._note("another process is bringing this archive's part up to date")

    def _moved(self, part: Part, later: News) -> bool:
        ended, gone = list(later.ended.items()), sorted(later.gone)
        for first in range(0, max(len(ended), 1), AT_ONCE):
            some = ended[first : first + AT_ONCE]
            runs, last = [], part.last
            for run, entry in some:
                last = number(last, part.archive, entry)
                runs.append(self.row(last, searched.read(self.archive, run)))
            seq = later.newest if first + AT_ONCE >= len(ended) else some[-1][1].seq
            to = replace(part, place=self._place, seq=seq, sum=Log(self.archive).sha256(seq), last=last)
            if to != part and not self.store.move(part, to, runs, gone):
                return False
            part = to
            self.added += len(runs)
        return True

    def row(self, number: int, one: Searched) -> Run:
        """Return a run as the index holds it."""
        about = search_words.told(one)
        made = search_words.document_of(about, one.lines, self._tokenizer)
        words = made.words
        keys = {key("word", word) for word in words} | {key("fact", word) for word in made.keys}
        keys |= {key("beginning", begin) for begin in {word[:size] for word in words for size in _SIZES}}
        lines = tuple(tuple(vars(line).values()) for line in one.lines)
        run = Run(number, about, (), search_words.said(words), lines)
        return replace(run, words=(*sorted(keys), -1 - run.day))

    def _looked(self, word: str) -> tuple[set[int], list[str]] | None:
        """Return by which keys a word is looked for, and what else must stand in a run; None where it is no word."""
        words = self._tokenizer.words(word.rstrip("*").replace("\0", " "))
        if not words:
            return None
        whole = words[:-1] if word.endswith("*") else words
        keys = {key("word", one) for one in whole} | {key("fact", one) for one in search_words.bigrams(whole)}
        if word.endswith("*"):
            keys.add(key("beginning", words[-1][:BEGINNINGS]))
            exact = len(words) == 1 and len(words[0]) <= BEGINNINGS
            return keys, [] if exact else [f" {' '.join(words)}"]
        return keys, [search_words.said(words)] * (len(words) > 2)

    def _placed(self, about: dict[str, Any]) -> dict[str, Any]:
        return {**about, "place": "" if about["archive"] == self._identity else about["place"]}

    def _note(self, text: str) -> None:
        self.notes = (*self.notes, f"The team's index: {text}.")


_SIZES = range(1, BEGINNINGS + 1)


@contextmanager
def opened(archive: Path, url: DatabaseUrl) -> Iterator[TeamIndex]:
    """Open the team's index, told what this archive has more; see :class:`TeamIndex` for what it raises."""
    with closing(TeamIndex(archive, url)) as made:
        made.update()
        yield made


@contextmanager
def searching(archive: Path, *, here: bool = False) -> Iterator[Index]:
    """Open the team's index where the configuration names one, else, and with ``here``, this archive's own.

    Raises Unreachable, which says how to search here, where the team's does not answer.
    """
    url = None if here else settings_index.configured()
    if url is None:
        with search_index.opened(archive) as index:
            yield index
        return
    try:
        with opened(archive, url) as index:
            yield index
    except Unreachable as error:
        raise Unreachable(error.message, f"{error.next_step} {HERE}".strip(), error.kind) from error


def install() -> bool:
    """Make the tables of the team's index; returns False where they are there already.

    Raises Refused on a server that a target's description names, SettingsError where no index is named.
    """
    url = settings_index.needed()
    settings_index.refuse_described(url)
    with closing(IndexStore(url)) as store:
        return store.install()


@contextmanager
def told(archive: Path) -> Iterator[TeamIndex | None]:
    """Bring this archive's part of the team's index up to date; None where the configuration names no index.

    Raises Refused on a server that a target's description names, Unreachable where it does not answer.
    """
    url = settings_index.configured()
    if url is None:
        yield None
        return
    settings_index.refuse_described(url)
    with opened(archive, url) as index:
        yield index


def number(last: int, archive: int, entry: Entry) -> int:
    """Return the number of the run that ended with this entry: later than ``last``, the one before it in its log."""
    micros = 0
    with suppress(ValueError):  # an entry's form lets in days that no month has
        since = datetime.fromisoformat(entry.time) - datetime(1970, 1, 1, tzinfo=UTC)
        micros = min(since // timedelta(microseconds=1), LATEST)
    return max(micros, last // ARCHIVES + 1) * ARCHIVES + archive


def key(kind: str, word: str) -> int:
    """Return the number that stands for a word: 63 bits of a digest, so that two of a million words hardly meet."""
    digest = hashlib.blake2b(f"{kind}\0{word}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
