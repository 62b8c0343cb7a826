"""What a migration makes, as far as its text says so by name, and which of its tables have no row level security."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opslib.probes.database_migration_text import Statement

_BEFORE = frozenset({"or", "replace", "global", "local", "temp", "temporary", "unlogged", "unique", "materialized"})
_BEFORE_TABLE = frozenset({"if", "not", "exists", "only"})
_RELATIONS = frozenset({"table", "view", "sequence"})
_OTHERS = {"type": "type", "domain": "type", "function": "function", "procedure": "function"}
_NO_COLUMN = frozenset({"constraint", "primary", "foreign", "unique", "check", "exclude", "not", "value", "table"})
MISSING = ("if", "not", "exists")


@dataclass(frozen=True, order=True)
class Thing:
    """Something that a statement makes: ``parent`` is the table of a column, policy, trigger or constraint.

    ``tolerant``: the statement says IF NOT EXISTS or OR REPLACE, so that its being there already proves nothing.
    """

    kind: str
    schema: str
    name: str
    parent: str = ""
    tolerant: bool = False

    def __str__(self) -> str:
        inside = f"{self.parent}." if self.parent else ""
        return f"{self.kind} {self.name}" if self.kind == "schema" else f"{self.kind} {self.schema}.{inside}{self.name}"


def makes(statement: Statement) -> tuple[Thing, ...]:
    """Return what the statement makes and could be looked up; nothing for what its text does not name."""
    if statement.begins == "create":
        return tuple(_created(statement.words))
    if statement.words[:2] == ("alter", "table"):
        return tuple(_added(statement.words))
    return ()


def table_of(statement: Statement) -> tuple[str, str] | None:
    """Return schema and name of the table that a statement makes, changes or indexes; None where it names none."""
    words = statement.words
    if words[:2] == ("alter", "table"):
        return _named(words, _skip(words, 2, _BEFORE_TABLE))[:2]
    if statement.begins == "create" and "index" in words[:3] and "on" in words:
        return _named(words, _skip(words, words.index("on") + 1, _BEFORE_TABLE))[:2]
    made = [thing for thing in makes(statement) if thing.kind == "table"]
    return (made[0].schema, made[0].name) if made else None


def without_security(statements: Iterable[Statement]) -> tuple[Thing, ...]:
    """Return the tables made by these statements (of one file) on which none of them enables row level security."""
    tables: list[Thing] = []
    enabled: set[tuple[str, str] | None] = set()
    for statement in statements:
        tables += [thing for thing in makes(statement) if thing.kind == "table"]
        if statement.words[:2] == ("alter", "table") and _security(statement.words):
            enabled.add(table_of(statement))
    return tuple(table for table in tables if (table.schema, table.name) not in enabled)


def mentioned(thing: Thing, statements: Iterable[Statement]) -> bool:
    """Say whether a statement that takes away, renames, or cannot be read, has the thing's name in it."""
    return any(
        thing.name in word
        for statement in statements
        if statement.begins in ("drop", "do", "select", "call") or {"drop", "rename", "set"} & set(statement.words)
        for word in statement.words
    )


def _security(words: tuple[str, ...]) -> bool:
    wanted = ("enable", "row", "level", "security")
    return any(words[at : at + 4] == wanted for at in range(len(words)))


def _created(words: tuple[str, ...]) -> Iterator[Thing]:
    at = _skip(words, 1, _BEFORE)
    kind, tolerant = words[at] if at < len(words) else "", "replace" in words[1:at]
    if {"temp", "temporary"} & set(words[1:at]):
        return
    at += 1
    if words[at : at + 3] == MISSING:
        at, tolerant = at + 3, True
    if kind == "index" and "on" in words[at : at + 2]:
        table = _named(words, _skip(words, words.index("on", at) + 1, _BEFORE_TABLE))
        if words[at] != "on":
            yield Thing("index", table[0], _bare(words[at]), tolerant=tolerant)
    elif kind in ("policy", "trigger") and "on" in words[at:]:
        schema, parent, _ = _named(words, words.index("on", at) + 1)
        yield Thing(kind, schema, _bare(words[at]), parent, tolerant)
    elif kind == "schema" and at < len(words) and words[at] != "authorization":
        yield Thing("schema", _bare(words[at]), _bare(words[at]), tolerant=tolerant)
    elif kind in _RELATIONS or kind in _OTHERS:
        schema, name, _ = _named(words, at)
        yield Thing(_OTHERS.get(kind, kind), schema, name, tolerant=tolerant)


def _added(words: tuple[str, ...]) -> Iterator[Thing]:
    schema, parent, at = _named(words, _skip(words, 2, _BEFORE_TABLE))
    depth, fresh = 0, True
    while at < len(words):
        word = words[at]
        depth += {"(": 1, ")": -1}.get(word, 0)
        if fresh and word == "add":
            at = _skip(words, at + 1, frozenset({"column"}))
            tolerant = words[at : at + 3] == MISSING
            at += 3 if tolerant else 0
            if words[at : at + 1] == ("constraint",) and at + 1 < len(words):
                yield Thing("constraint", schema, _bare(words[at + 1]), parent, tolerant)
            elif at < len(words) and words[at] not in _NO_COLUMN:
                yield Thing("column", schema, _bare(words[at]), parent, tolerant)
        fresh = word == "," and depth == 0
        at += 1


def _named(words: tuple[str, ...], at: int) -> tuple[str, str, int]:
    """Return schema, name and where the words go on; a name without a schema is one in ``public``."""
    if at >= len(words):
        return "public", "", at
    if words[at + 1 : at + 2] == (".",) and at + 2 < len(words):
        return _bare(words[at]), _bare(words[at + 2]), at + 3
    return "public", _bare(words[at]), at + 1


def _skip(words: tuple[str, ...], at: int, these: frozenset[str]) -> int:
    while at < len(words) and words[at] in these:
        at += 1
    return at


def _bare(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word
