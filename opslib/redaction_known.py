"""One secret whose value is known: how it is found in a text, and whether it can be hidden at all."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, quote_plus

from opslib.redaction_views import Level, Span, levels

SHORTEST = 8
"""A shorter secret is not replaced by value: it would shred the report. Settings refuse such secrets."""

PART = 12
"""So many letters of a longer secret, from its beginning or its end, are taken for the secret."""

DISTINCT = 5
"""So many different characters a secret has at least."""

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_PUBLIC = ("eyJ", "-----BEGIN")
# Everybody knows how these begin, and how an address does: they are looked for whole.
_BLOCK = re.compile(rb"[A-Za-z0-9+/]{32,}")
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

    def spans(self, text: bytes, *, whole: bool = False) -> Iterator[Span]:
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
    """Needles of one coding, and the letters that it is written in: only rows of them are looked through."""

    def __init__(self, needles: list[_Needle], letters: bytes) -> None:
        self._needles = needles
        shortest = min((len(needle.sought) for needle in needles), default=1)
        self._row = re.compile(b"[%b]{%d,}" % (letters, shortest))

    def standing(self, text: bytes) -> list[_Needle]:
        """Return those that stand in ``text``."""
        rows = b"\n".join(self._row.findall(text)) if self._needles else b""
        return [needle for needle in self._needles if needle.sought in rows]

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
            coded += _needles(value, {_core(data, skipped) for skipped in range(3)}, PART * 4 // 3, ends=False)
            digits += _needles(value, {data.hex().encode()}, PART * 2, ends=False)
            if not own:
                self._forms |= dict.fromkeys(_forms(value), value)
        self._plain = plain
        self._base64, self._hex = _Needles(coded, b"A-Za-z0-9+/"), _Needles(digits, b"0-9a-f")

    def spans(self, seen: Sequence[Level], *, whole: bool = False) -> Iterator[Span]:
        """Yield where in the first of a text's levels a secret stands, in any encoding; also a part of one, or not."""
        for level, coded in _searched(seen):
            plain = [needle for needle in self._plain if needle.sought in level.plain]
            yield from level.home_of_letters(
                [span for needle in plain for span in needle.spans(level.plain, whole=whole)]
            )
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
            blocks = [block[0] for block in _blocks(level)] if coded else []
            values |= self._within(blocks) if blocks else set()
        return values

    def _in_blocks(self, level: Level) -> list[Span]:
        """Return the blocks of Base64 in which a secret stands: pictures with text, manifests, widgets' buffers."""
        blocks = [block.span() for block in _blocks(level)]
        if not blocks or not self._within([level.base64[slice(*block)] for block in blocks]):
            return []
        return [block for block in blocks if self._within([level.base64[slice(*block)]])]

    def _within(self, blocks: Sequence[bytes]) -> set[str]:
        # Letters before a block may have been joined to it, so each of four beginnings may be the right one.
        cut = (block[begin:] for block in blocks for begin in range(4))
        said = b"\x07\n".join(base64.b64decode(block[: len(block) // 4 * 4]) for block in cut)
        seen = levels(said.decode("utf-8", "replace"))
        return {value for level in seen for value in self._in(level, coded=True)}

    def _in(self, level: Level, *, coded: bool) -> set[str]:
        values = {needle.value for needle in self._plain if needle.sought in level.plain}
        if coded:
            found = (*self._base64.standing(level.base64), *self._hex.standing(level.hex))
            values |= {needle.value for needle in found}
        return values | {value for form, value in self._forms.items() if form in level.text}


def _needles(value: str, wholes: Iterable[bytes], part: int, *, ends: bool = True) -> Iterator[_Needle]:
    for whole in wholes:
        if len(whole) <= part + part // 2 or value.startswith(_PUBLIC) or "://" in value:
            yield _Needle(whole, whole, 0, value)
        else:
            # A table or a message may cut a text, and then its first or last part is all that is left.
            yield _Needle(whole[:part], whole, 0, value)
            if ends:
                yield _Needle(whole[-part:], whole, len(whole) - part, value)


def _searched(seen: Sequence[Level]) -> Iterator[tuple[Level, bool]]:
    """Yield each level that can hold a secret, and whether to look for what is coded as a whole.

    That is looked for once, where all escapes are undone: none can stand within Base64 or hexadecimal digits.
    """
    undone = max(number for number, level in enumerate(seen) if not level.bare)
    for number, level in enumerate(seen):
        if len(level.text) >= SHORTEST:
            yield level, number == undone


def _blocks(level: Level) -> list[re.Match[bytes]]:
    # Most texts have none, which a search for so many letters in a row tells at once. Names, paths and digests
    # are no blocks: Base64 of so many bytes has letters of either case.
    if b"a" * 32 not in level.base64.translate(_OF_BLOCK):
        return []
    return [block for block in _BLOCK.finditer(level.base64) if not block[0].islower() and not block[0].isupper()]


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
    """Return the usual spellings of a secret that has hardly any ASCII in it."""
    escaped = html.escape(value, quote=True)
    inner = json.dumps(value)[1:-1]
    forms = (value, quote(value, safe=""), quote(value), quote_plus(value), inner, json.dumps(inner)[1:-1])
    return {*forms, json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], escaped, json.dumps(escaped)[1:-1]}
