"""The words by which a run is found: what stands in it, and its facts, alone and together, each as one word.

What a word is, SQLite's FTS5 says (its tokenizer ``unicode61``): parts of letters and digits, without case and accents.
The team's index gets the words from here, made by FTS5 itself, so that both find the same.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from itertools import combinations

from opslib.archive.search_wanted import Wanted
from opslib.archive.searched import Line, Searched

Fact = tuple[str, str]
About = tuple[str, str, str, str, str, str, str, str]
"""What an index holds of a run besides its lines, in the order of :class:`Found`: run, started … verdict."""


def document(told: Sequence[str], facts: Sequence[Fact], lines: Sequence[Line]) -> tuple[str, str]:
    """Return a run's words and its facts' words; the same for the same run, whenever it is asked for."""
    known = {fact(*some) for size in (1, 2, 3) for some in combinations(facts, size)}
    known |= {fact(("name", line.name)) for line in lines if line.kind in ("check", "step")}
    text = "\n".join(f"{line.name} {line.text}" for line in lines)
    return f"{' '.join(told)}\n{text}", " ".join(sorted(known))


def told(one: Searched) -> About:
    """Return what an index holds of a run besides its lines."""
    said = one.summary
    state = said.state or said.sealed
    about = (said.run, said.started_at, said.notebook, said.environment, said.mode, said.who, state)
    return (*about, str(said.verdict or ""))


def document_of(about: About, lines: Sequence[Line]) -> tuple[str, str]:
    """Return the document of a run of which an index holds this and these lines."""
    run, _, notebook, environment, _, who, state, verdict = about
    facts = [("notebook", notebook), ("environment", environment), ("verdict", verdict)]
    return document((run, notebook, who, state), facts, lines)


def asked(wanted: Wanted) -> list[str]:
    """Return the facts' words that are looked for."""
    facts = [("notebook", wanted.notebook), ("environment", wanted.environment), ("verdict", wanted.verdict)]
    given = [one for one in facts if one[1]]
    return [fact(*given)] * bool(given) + [fact(("name", wanted.name))] * bool(wanted.name)


def match(wanted: Wanted) -> str:
    """Return the words and facts that are looked for as one FTS5 expression; every part is quoted."""
    said = [f"text : {quoted(word.rstrip('*'))}{'*' * word.endswith('*')}" for word in wanted.words]
    return " AND ".join(said + [f"facts : {word}" for word in asked(wanted)])


def fact(*facts: Fact) -> str:
    """Return the one word that stands for these facts together, in their order: never found as a part of others."""
    return "f" + hashlib.sha256("\0".join(part for one in facts for part in one).encode()).hexdigest()[:31]


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
        found = self._base.execute("SELECT offset, term FROM found").fetchall()
        self._base.execute("INSERT INTO words (words) VALUES ('delete-all')")
        return [term for _, term in sorted(found)]

    def close(self) -> None:
        """Let its memory go."""
        self._base.close()
