"""What a migration's text says, without a server: its statements, whether they may run here, what they destroy.

A splitter, not a parser: comments, quotes, dollar quotes and ``BEGIN ATOMIC`` bodies are told apart, so that a
semicolon ends a statement where PostgreSQL says it does (manual, "Lexical Structure"). What is executed is always
the whole file as it is; what is concluded here errs towards "refused" and "destructive".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<text>[eE]'(?:[^'\\]|\\.|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<name>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>\d[\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(r"/\*|\*/")

TRANSACTION = frozenset({"begin", "commit", "rollback", "abort", "savepoint", "release", "end", "start", "prepare"})
"""How a statement begins that would end, or split, the transaction that a file and its record share."""

ALONE = frozenset({"vacuum", "reindex", "checkpoint", "load", "discard", "cluster"})
"""How a statement begins that PostgreSQL refuses inside a transaction, or that is upkeep and no migration."""

KEEPS = frozenset(
    {"create", "alter", "comment", "grant", "revoke", "set", "reset", "analyze", "insert", "lock", "security"}
)
"""How a statement begins of which the rest can be judged. Of all others (DO, SELECT, CALL …) it cannot."""

_LOSES = frozenset({"drop", "rename", "detach", "disable"})


@dataclass(frozen=True)
class Statement:
    """One statement: its text as it stands in the file, the line where it begins, and its words in lower case.

    Quoted names and texts are words as they are written; comments and blanks are none.
    """

    text: str
    line: int
    words: tuple[str, ...]

    @property
    def begins(self) -> str:
        """The first word."""
        return self.words[0]


def split(text: str) -> tuple[Statement, ...]:
    """Return the statements of a file; raises ValueError with the line for what is no SQL that a server takes."""
    found: list[Statement] = []
    words: list[str] = []
    at = begin = first = nested = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        kind, said = token.lastgroup, token[0]
        if kind == "comment":
            at = _after_comment(text, at)
            continue
        at = token.end()
        if kind == "blank":
            continue
        if said in ("'", '"', "\\"):
            what = "a psql command" if said == "\\" else "a quote that is not closed"
            raise ValueError(f"line {_line(text, token.start())} has {what}")
        if said == ";" and not nested:
            found += _statement(text, begin, at - 1, first, words)
            words, begin = [], at
            continue
        first = first if words else token.start()
        words.append(said.lower() if kind == "word" else said)
        nested = _nested(words, nested)
    found += _statement(text, begin, at, first, words)
    return tuple(found)


def refused(statement: Statement) -> str | None:
    """Return why a statement is not executed inside a transaction with its file's record, or None."""
    words, begins = statement.words, statement.begins
    if begins in TRANSACTION and (begins != "prepare" or "transaction" in words[1:2]):
        return f"{begins.upper()} would end the transaction that the file and its record share"
    if "concurrently" in words and begins != "refresh":
        return (
            "CONCURRENTLY cannot run in a transaction: make the index with runbooks/maintain-database, and say CREATE "
            "INDEX IF NOT EXISTS of the same name here"
        )
    if begins in ALONE or words[:2] == ("alter", "system") or "tablespace" in words[1:2]:
        return f"{begins.upper()} is no migration, or cannot run in a transaction"
    if begins in ("create", "drop") and words[1:2] and words[1] in ("database", "subscription"):
        return f"{begins.upper()} {words[1].upper()} cannot run in a transaction"
    if begins == "copy" and {"stdin", "stdout", "program"} & set(words):
        return "COPY from a client or a program needs somebody who feeds it"
    return None


def destroys(statement: Statement) -> str | None:
    """Return what a statement may destroy, or None when it only adds. What cannot be told counts as destroying."""
    words, begins = statement.words, statement.begins
    if begins not in KEEPS:
        told = begins in ("drop", "truncate", "delete", "update", "merge")
        return begins.upper() if told else f"{begins.upper()}, of which the text does not tell what it does"
    if begins == "insert" and (lost := {"update", "delete", "merge", "truncate"} & set(words)):
        return f"INSERT with {', '.join(sorted(lost)).upper()}"
    if begins == "alter":
        for number, word in enumerate(words):
            if word in _LOSES and words[number + 1 : number + 2] not in (("not",), ("default",), ("expression",)):
                return f"ALTER … {word.upper()}"
            if word == "type" and (words[number - 1] == "data" or words[number - 2] in ("column", "alter")):
                return "ALTER … TYPE"
    return None


def plain(text: str) -> tuple[tuple[str, ...], ...]:
    """Return what two texts share that differ in comments, blanks and the case of words only."""
    return tuple(statement.words for statement in split(text))


def _statement(text: str, begin: int, end: int, first: int, words: list[str]) -> list[Statement]:
    if not words:
        return []
    return [Statement(text[begin:end].strip(), _line(text, first), tuple(words))]


def _nested(words: list[str], nested: int) -> int:
    """Return how deep in a function's ``BEGIN ATOMIC … END`` the last word stands; CASE has an END of its own."""
    if words[-2:] == ["begin", "atomic"]:
        return nested + 1
    if nested and words[-1] == "case":
        return nested + 1
    return nested - 1 if nested and words[-1] == "end" else nested


def _after_comment(text: str, at: int) -> int:
    begin, depth = at, 0
    while True:
        found = _INSIDE.search(text, at)
        if found is None:
            raise ValueError(f"line {_line(text, begin)} has a comment that is not closed")
        depth += 1 if found[0] == "/*" else -1
        at = found.end()
        if depth == 0:
            return at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
