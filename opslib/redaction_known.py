"""One secret whose value is known: how it is found in a text, and whether it can be hidden at all."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from opslib.redaction_views import Level, Span, levels

SHORTEST = 8
"""A shorter secret is not replaced by value: it would shred the report. Settings refuse such secrets."""

PART = 12
"""So many letters of a longer secret, from its beginning or its end, are taken for the secret."""

BLOCK = 32
"""So many letters of Base64 in a row are looked into."""

FEW = 64
"""So many needles are looked for one by one: each takes a hundredth of a look at all of a text's words."""

DISTINCT = 5
"""So many different characters a secret has at least."""

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_CODED_BETWEEN = base64.b64encode(b"\x07\n\n")
_PUBLIC = ("eyJ", "-----BEGIN")
# Everybody knows how these begin, and how an address does: they are looked for whole.
# Written out: where a pattern begins with so many known letters, a search looks at each letter once.
_ROW = re.compile(b"a" * BLOCK + b"a*")
_OF_BLOCK = bytes(ord("a") if letter in _BASE64 else ord(" ") for letter in range(256))
# fmt: off
_WORDS = frozenset({
    "password", "passw0rd", "passwort", "passphrase", "postgres", "postgresql", "postgrest", "supabase", "redis",
    "valkey", "admin", "administrator", "administration", "root", "secret", "default", "changeme", "change-me",
    "changeit", "letmein", "welcome", "qwerty", "qwertyuiop", "asdfghjkl", "zxcvbnm", "iloveyou", "testtest",
    "example", "database", "username", "user", "guest", "public", "private", "production", "staging", "development",
    "localhost", "undefined", "service-role", "service_role", "authenticated", "anonymous", "credential",
    "credentials",
})
# fmt: on


def weakness(value: str) -> str | None:
    """Return why hiding ``value`` wherever it stands would shred a report, in words that don't repeat it, or None.

    A run of letters or a word that reports use is hidden in vain: the gaps would tell it.
    """
    if len(value) < SHORTEST:
        return f"has fewer than {SHORTEST} characters"
    if len(set(value)) < DISTINCT:
        return f"has fewer than {DISTINCT} different characters"
    if value.strip("0123456789!?.@#$*_- ").lower() in _WORDS:
        return "is a common word"
    if len({ord(after) - ord(before) for before, after in pairwise(value)}) == 1:
        return "is a plain sequence"
    return None


@dataclass(frozen=True)
class _Needle:
    """What is looked for: ``sought`` stands ``at`` so many letters into ``whole``, of which ``value`` is the secret."""

    sought: bytes
    whole: bytes
    at: int
    value: str

    def spans(self, text: bytes, *, whole: bool) -> Iterator[Span]:
        """Yield where it stands: as much of it as the text has, since a text may be cut; or the ``whole`` only."""
        found = text.find(self.sought)
        while found >= 0:
            start, end = found, found + len(self.sought)
            begin, stop = self.at, self.at + len(self.sought)
            while start > 0 and begin > 0 and text[start - 1] == self.whole[begin - 1]:
                start, begin = start - 1, begin - 1
            while end < len(text) and stop < len(self.whole) and text[end] == self.whole[stop]:
                end, stop = end + 1, stop + 1
            if not whole or (begin, stop) == (0, len(self.whole)):
                yield start, end
            # From the next letter on, not behind: a secret may overlap itself.
            found = text.find(self.sought, found + 1)


class _Needles:
    """Needles of one coding, of :data:`SHORTEST` letters at least, by every word of some letters that is in them.

    What stands in a text fills one of the words that the whole text can be cut into, wherever it begins. So one
    look at these tells which few of the needles are worth a search.
    """

    def __init__(self, needles: list[_Needle], words: Literal["I", "Q"] = "I") -> None:
        """``words`` are of four letters or of eight: these tell more, but a needle must have twice as many."""
        self._needles, self._form = needles, words
        self._size = memoryview(bytes(8)).cast(words).itemsize
        self._by_word: dict[int, set[int]] = {}
        for number, needle in enumerate(needles):
            for start in range(self._size):
                for word in self._cut(needle.sought[start:]):
                    self._by_word.setdefault(word, set()).add(number)
        self._words = frozenset(self._by_word)

    def _cut(self, text: bytes) -> Iterable[int]:
        return memoryview(text)[: len(text) // self._size * self._size].cast(self._form)

    def standing(self, text: bytes) -> list[_Needle]:
        """Return those that stand in ``text``."""
        if len(self._needles) <= FEW:
            return [needle for needle in self._needles if needle.sought in text]
        words = self._words.intersection(self._cut(text))
        likely = sorted({number for word in words for number in self._by_word[word]})
        return [self._needles[number] for number in likely if self._needles[number].sought in text]

    def spans(self, text: bytes, *, whole: bool) -> list[Span]:
        """Return where they stand in ``text``, in part or only as a whole."""
        return [span for needle in self.standing(text) for span in needle.spans(text, whole=whole)]


class Known:
    """Secrets whose values are known, with everything that is looked for to find them in a text's levels."""

    def __init__(self, values: Iterable[str]) -> None:
        plain: list[_Needle] = []
        coded: list[_Needle] = []
        digits: list[_Needle] = []
        self._forms: dict[str, str] = {}
        for value in values:
            own = {level.plain for level in levels(value) if len(level.plain) >= SHORTEST}
            data = value.encode("utf-8", "surrogatepass")
            plain += _needles(value, own, PART)
            coded += _needles(value, {_core(data, skipped) for skipped in range(3)}, PART * 4 // 3)
            digits += _needles(value, {data.hex().encode()}, PART * 2)
            if not own:
                self._forms |= dict.fromkeys(_forms(value), value)
        # Digests have all short words of hexadecimal digits.
        self._plain, self._base64, self._hex = _Needles(plain), _Needles(coded), _Needles(digits, "Q")

    def spans(self, seen: Sequence[Level], *, whole: bool = False) -> Iterator[Span]:
        """Yield where in the first of a text's levels a secret stands, in any encoding; also a part of one, or not."""
        for level, coded in _searched(seen):
            yield from level.home_of_letters(self._plain.spans(level.plain, whole=whole))
            if coded:
                found = self._base64.spans(level.base64, whole=whole)
                yield from level.home_of_letters([_widened(span, level.base64) for span in found])
                yield from level.home_of_letters(self._hex.spans(level.hex, whole=whole))
                # A block may hold a part only.
                yield from level.home_of_letters([] if whole else self._in_blocks(level))
            for form in self._forms:
                places = re.finditer(f"(?=({re.escape(form)}))", level.text) if form in level.text else ()
                yield from level.home([place.span(1) for place in places])

    def standing(self, seen: Sequence[Level]) -> set[str]:
        """Return the secrets that stand in a text's levels: the same that :meth:`spans` finds."""
        values: set[str] = set()
        for level, coded in _searched(seen):
            values |= self._in(level, coded=coded)
            if coded:
                values |= self._within([level.base64[slice(*block)] for block in _blocks(level)])
        return values

    def _in_blocks(self, level: Level) -> list[Span]:
        """Return the blocks of Base64 in which a secret stands: pictures with text, manifests, widgets' buffers."""
        blocks = {block: level.base64[slice(*block)] for block in _blocks(level)}
        # Hardly ever there is any, which one look at all of them tells.
        anything = self._within([*blocks.values()])
        return [block for block, said in blocks.items() if anything and self._within([said])]

    def _within(self, blocks: Sequence[bytes]) -> set[str]:
        if not blocks:
            return set()
        # Letters before a block may have been joined to it, so each of four beginnings may be the right one.
        cut = (block[begin : len(block) - (len(block) - begin) % 4] for block in blocks for begin in range(4))
        seen = levels(base64.b64decode(_CODED_BETWEEN.join(cut)).decode("utf-8", "replace"))
        return {value for level in seen for value in self._in(level, coded=True)}

    def _in(self, level: Level, *, coded: bool) -> set[str]:
        values = {needle.value for needle in self._plain.standing(level.plain)}
        if coded:
            found = (*self._base64.standing(level.base64), *self._hex.standing(level.hex))
            values |= {needle.value for needle in found}
        return values | {value for form, value in self._forms.items() if form in level.text}


def _needles(value: str, wholes: Iterable[bytes], part: int) -> Iterator[_Needle]:
    for whole in wholes:
        if len(whole) <= part + part // 2 or value.startswith(_PUBLIC) or "://" in value:
            yield _Needle(whole, whole, 0, value)
        else:
            # A table or a message may cut a text, and then its first or last part is all that is left.
            yield _Needle(whole[:part], whole, 0, value)
            yield _Needle(whole[-part:], whole, len(whole) - part, value)


def _searched(seen: Sequence[Level]) -> Iterator[tuple[Level, bool]]:
    """Yield each level that can hold a secret, and whether to look for what is coded as a whole.

    That is looked for once, where all escapes are undone: none can stand within Base64 or hexadecimal digits.
    """
    undone = max(number for number, level in enumerate(seen) if not level.bare)
    for number, level in enumerate(seen):
        if len(level.text) >= SHORTEST:
            yield level, number == undone


def _blocks(level: Level) -> list[Span]:
    """Return all rows of at least :data:`BLOCK` letters of Base64."""
    rows = (row.span() for row in _ROW.finditer(level.base64.translate(_OF_BLOCK)))
    # Names, paths and digests are no blocks: Base64 of so many bytes has letters of either case.
    return [row for row in rows if not (said := level.base64[slice(*row)]).islower() and not said.isupper()]


def _core(data: bytes, skipped: int) -> bytes:
    """Return those letters of Base64 that ``data`` alone decides when ``skipped`` bytes of others stand before it."""
    coded = base64.b64encode(bytes(skipped) + data)
    return coded[-(-8 * skipped // 6) : 8 * (skipped + len(data)) // 6]


def _widened(span: Span, text: bytes) -> Span:
    # The letter before and after hold the rest of the secret's first and last byte.
    start, end = span
    start -= start > 0 and text[start - 1] in _BASE64
    end += end < len(text) and text[end] in _BASE64
    return start, end


def _forms(value: str) -> set[str]:
    """Return the usual spellings of a secret that has hardly any ASCII in it.

    One that holds what looks like an escape is not itself in any level of a text that escapes something else.
    """
    # Addresses and programs escape bytes, each of which a level takes for a letter.
    said = (value, value.encode("utf-8", "surrogatepass").decode("latin-1"))
    escaped = html.escape(value)
    inner = json.dumps(value)[1:-1]
    forms = (*said, *(form.replace(" ", "+") for form in said), inner, json.dumps(inner)[1:-1])
    return {*forms, json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], escaped, json.dumps(escaped)[1:-1]}


@lru_cache(maxsize=2)
def known(values: tuple[str, ...]) -> Known:
    """Return what is looked for: made once for all redactors of a run, as it takes longer than a text's look."""
    return Known(values)
