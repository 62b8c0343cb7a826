"""What a run is found by: the words that stand in it, and keys: its facts, alone and together, and bigrams.

What a word is, SQLite's FTS5 says (its tokenizer ``unicode61``): parts of letters and digits, without case and accents.
The team's index gets the words from here, made by FTS5 itself, so that both find the same.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from opslib.archive.search_wanted import Wanted
from opslib.archive.searched import Line, Searched

Fact = tuple[str, str]
About = tuple[str, str, str, str, str, str, str, str]
"""What an index holds of a run besides its lines, in the order of :class:`Found`: run, started … verdict."""


@dataclass(frozen=True)
class Document:
    """What a run is found by: its text, the words of it in their order, and its keys (facts, and bigrams)."""

    text: str
    words: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """What is looked for, as FTS5 expressions: ``by`` has the bigrams of longer phrases, ``exactly`` these themselves.

    Of what ``by`` finds that counts where all ``phrases`` stand: their words with spaces between and around.
    """

    by: str
    exactly: str
    phrases: tuple[str, ...]


def told(one: Searched) -> About:
    """Return what an index holds of a run besides its lines."""
    said = one.summary
    state = said.state or said.sealed
    about = (said.run, said.started_at, said.notebook, said.environment, said.mode, said.who, state)
    return (*about, str(said.verdict or ""))


def document_of(about: About, lines: Sequence[Line], tokenizer: Tokenizer) -> Document:
    """Return the document of a run of which an index holds this and these lines; the same whenever it is asked for."""
    _, _, notebook, environment, _, _, _, verdict = about
    facts = [("notebook", notebook), ("environment", environment), ("verdict", verdict)]
    keys = {fact(*some) for size in (1, 2, 3) for some in combinations(facts, size)}
    keys |= {fact(("name", line.name)) for line in lines if line.kind in ("check", "step")}
    text = _text(about, lines)
    words = tokenizer.words(text)
    return Document(text, tuple(words), tuple(sorted(keys.union(bigrams(words)))))


def words_of(about: About, lines: Sequence[Line], tokenizer: Tokenizer) -> str:
    """Return a run's words in their order, with spaces between and around."""
    return said(tokenizer.words(_text(about, lines)))


def said(words: Sequence[str]) -> str:
    """Return words as one text in which a phrase is looked for, with spaces between and around."""
    return f" {' '.join(words)} "


def _text(about: About, lines: Sequence[Line]) -> str:
    run, _, notebook, _, _, who, state, _ = about
    return f"{run} {notebook} {who} {state}\n" + "\n".join(f"{line.name} {line.text}" for line in lines)


def asked(wanted: Wanted) -> list[str]:
    """Return the facts' keys that are looked for."""
    facts = [("notebook", wanted.notebook), ("environment", wanted.environment), ("verdict", wanted.verdict)]
    given = [one for one in facts if one[1]]
    return [fact(*given)] * bool(given) + [fact(("name", wanted.name))] * bool(wanted.name)


def looked(wanted: Wanted, tokenizer: Tokenizer) -> Looked:
    """Return how to look for words and facts. Of several words that stand together the bigrams are looked for.

    FTS5 by itself compares the places of both words in every run that has both, until it has found enough.
    """
    by, exactly, phrases = [f"keys : {one}" for one in asked(wanted)], list[str](), list[str]()
    for word in wanted.words:
        begun = word.endswith("*")
        words = tokenizer.words(word.rstrip("*").replace("\0", " "))
        phrase = f"text : {quoted(word.rstrip('*'))}{'*' * begun}"
        by += [f"keys : {one}" for one in bigrams(words[: len(words) - begun])]
        if begun or len(words) < 2:
            by.append(phrase)
        elif len(words) > 2:
            exactly.append(phrase)
            phrases.append(said(words))
    return Looked(" AND ".join(by), " AND ".join(by + exactly), tuple(phrases))


def fact(*facts: Fact) -> str:
    """Return the key that stands for these facts together, in their order: never found as a part of others."""
    return _key("\0".join(("fact", *(part for one in facts for part in one))))


def bigrams(words: Sequence[str]) -> list[str]:
    """Return the keys of bigrams: each two of these words that follow one another."""
    return [_key(f"bigram\0{one}\0{next_}") for one, next_ in pairwise(words)]


def quoted(text: str) -> str:
    """Return text as a string of FTS5's query language."""
    return '"' + text.replace('"', '""').replace("\0", " ") + '"'


class Tokenizer:
    """Takes texts apart as FTS5 does, by letting it do so in memory."""

    def __init__(self) -> None:
        self._base = sqlite3.connect(":memory:", isolation_level=None)
        self._base.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize='unicode61')")
        self._base.execute("CREATE VIRTUAL TABLE found USING fts5vocab ('words', 'instance')")

    def words(self, text: str) -> list[str]:
        """Return the words of a text in their order."""
        self._base.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (text,))
        found = self._base.execute("SELECT term FROM found ORDER BY offset").fetchall()
        self._base.execute("INSERT INTO words (words) VALUES ('delete-all')")
        return [term for (term,) in found]

    def close(self) -> None:
        """Let its memory go."""
        self._base.close()


_HEAD = "ꙮ" * 8
"""With what each key begins: FTS5 keeps the beginnings of keys as well, which are so the same eight for all of them.

A letter that hardly anybody writes, for a word's beginning is looked for among the keys' beginnings, too.
"""


def _key(text: str) -> str:
    return _HEAD + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
