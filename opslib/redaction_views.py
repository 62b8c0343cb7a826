"""A text as its readers will see it: escapes undone, one level after the other, each traced back to the text.

A secret hides in many spellings, alone or within one another: JSON in JSON, HTML, URL, bytes, colours between
its letters. Listing them all misses the next one; undoing them meets them all. Every level keeps the way
back, so that what is found in it can be replaced in the text itself.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

DEPTH = 6
"""So many escapes within one another are undone."""

Span = tuple[int, int]

_TOKEN = re.compile(  # one group round all of it: a split keeps the tokens
    r"(\x1b\[[0-?]*[ -/]*[@-~]"  # terminal: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # terminal: titles, links
    r"|\x1b[ -/]*[0-Z\\^-~]"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
    r"|%[0-9A-Fa-f]{2}"
    r"|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|U000[0-9A-Fa-f]{5}|[^ux]))"
)
_STARTS = ("\\", "&", "%", "\x1b")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?/?>|<!--[^<>]*-->")
_INLINE = re.compile(r"a|abbr|b|code|del|em|font|i|ins|kbd|mark|s|samp|small|span|strong|su[bp]|tt|u|var|wbr", re.I)

# No control characters (so that lines, NULs of UTF-16 and colours cut nothing apart), no backslashes, ASCII alone:
# what is beyond has too many spellings, and the rest of a secret tells it well enough.
_DROPPED = re.compile(r"[^\x20-\x5b\x5d-\x7e]+")
_USUAL = bytes.maketrans(b"-_", b"+/")
_DELETED = bytes([*range(0x20), 0x5C, *range(0x7F, 0x100)])


class Trace:
    """The way back of one rewriting: which piece of the new text came from which of the old."""

    def __init__(self) -> None:
        self._new: list[int] = []
        self._old: list[int] = []
        self._end: list[int] = []

    def add(self, new: int, old: int, end: int) -> None:
        """Note that the new text goes on at ``new`` with what began at ``old``; ``end`` is its end, -1 for a copy."""
        self._new.append(new)
        self._old.append(old)
        self._end.append(end)

    def back(self, span: Span) -> Span:
        """Return where in the old text the new text's ``span`` (not empty) came from."""
        return self._place(span[0])[0], self._place(span[1] - 1)[1]

    def _place(self, at: int) -> Span:
        piece = bisect_right(self._new, at) - 1
        if self._end[piece] != -1:
            return self._old[piece], self._end[piece]
        start = self._old[piece] + at - self._new[piece]
        return start, start + 1


class Level:
    """One level of a text: ``text``, and the way back to the text that it was made of; ``bare``: without tags."""

    def __init__(self, text: str, made: tuple[Level, _Rewriting] | None = None, *, bare: bool = False) -> None:
        self.text, self.bare = text, bare
        self._made = made
        self._trace: Trace | None = None

    @cached_property
    def letters(self) -> bytes:
        """The level's ASCII without control characters and backslashes: what needles are looked for in."""
        return self.text.encode("ascii", "ignore").translate(None, _DELETED)

    @cached_property
    def plain(self) -> bytes:
        """The letters with a blank for each plus sign: an address writes the one for the other."""
        return self.letters.replace(b"+", b" ")

    @cached_property
    def base64(self) -> bytes:
        """The letters in the usual alphabet of Base64, if they were in the one for addresses."""
        return self.letters.translate(_USUAL)

    @cached_property
    def hex(self) -> bytes:
        """The letters in lower case."""
        return self.letters.lower()

    def home(self, spans: list[Span]) -> list[Span]:
        """Return where in the first level these spans of this level's text came from."""
        if self._made is None or not spans:
            return spans
        before, rewriting = self._made
        if self._trace is None:
            self._trace = _traced(*rewriting, before.text)
        return before.home([self._trace.back(span) for span in spans])

    def home_of_letters(self, spans: list[Span]) -> list[Span]:
        """Return where in the first level these spans of its letters came from."""
        return self.home([self._of_letters.back(span) for span in spans]) if spans else []

    @cached_property
    def _of_letters(self) -> Trace:
        return _traced(_DROPPED, lambda found: "", self.text)


_Rewriting = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def levels(text: str) -> Iterator[Level]:
    """Yield the text itself, then with its escapes undone as often as there are any, then without HTML tags."""
    level = Level(text)
    yield level
    for _ in range(DEPTH):
        if not any(start in level.text for start in _STARTS):
            break
        # JSON in JSON has a token every few letters: no call of ours for each.
        pieces = _TOKEN.split(level.text)
        pieces[1::2] = map(_undone, pieces[1::2])
        undone = "".join(pieces)
        if undone == level.text:
            break
        level = Level(undone, (level, (_TOKEN, _meant)))
        yield level
    if "<" in level.text:
        pieces = _TAG.split(level.text)
        pieces[1::2] = map(_gap_of, pieces[1::2])
        bare = "".join(pieces)
        if bare != level.text:
            yield Level(bare, (level, (_TAG, _gap)), bare=True)


def _gap(tag: re.Match[str]) -> str:
    return _gap_of(tag[1])


@lru_cache(maxsize=256)
def _gap_of(name: str | None) -> str:
    # Words in two cells of a table are two words; a coloured letter is part of its word.
    return "" if _INLINE.fullmatch(name or "") else "\n"


def _meant(token: re.Match[str]) -> str:
    return _undone(token[1])


@lru_cache(maxsize=4096)
def _undone(token: str) -> str:
    if token[0] == "\x1b":
        return ""
    if token[0] == "&":
        return html.unescape(token)
    if token[0] == "%":
        return chr(int(token[1:], 16))
    if digits := token[2:]:
        return chr(int(digits, 16))
    return _SHORT.get(token[1], token[1])


def _traced(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> Trace:
    trace, new, last = Trace(), 0, 0
    for found in pattern.finditer(text):
        start, end = found.span()
        trace.add(new, last, -1)
        new += start - last
        if put := replace(found):
            trace.add(new, start, end)
            new += len(put)
        last = end
    trace.add(new, last, -1)
    return trace
