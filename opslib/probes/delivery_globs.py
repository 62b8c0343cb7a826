"""Path globs as dorny/paths-filter reads them: picomatch with ``dot: true``, on whole paths, case-sensitive.

What picomatch documents is read here: ``*``, ``**``, ``?``, brackets, braces, extended globs and a leading ``!``. A
pattern that is written otherwise is refused (Unreachable, unreadable), so that nobody takes a guess for an answer.
Source: picomatch's README ("Globbing features"); held against picomatch itself in the tests.
"""

from __future__ import annotations

import re
from functools import cache

from opslib.errors import Unreachable

LONGEST = 500
MOST_STARS = 6
"""Stars and groups of one pattern: with many more, a long path could be tried in endless ways."""
_STAR = r"[^/]*?"
_NOT_DOTS = r"(?!\.{1,2}(?:/|$))"
_SOME = r"(?=.)"
_DEEP = r"(?:(?!(?:/|^)\.{1,2}(?:/|$)).)*?"
_CLOSES = {"(": ")", "{": "}", "[": "]"}


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path fits a pattern; raises Unreachable (unreadable) for a pattern that is none."""
    return path == pattern or _compiled(pattern).fullmatch(path) is not None


def readable(pattern: str) -> bool:
    """Tell whether a pattern is one that :func:`matches` takes."""
    try:
        _compiled(pattern)
    except Unreachable:
        return False
    return True


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    rest, negated = pattern, False
    while rest.startswith("!") and not rest.startswith("!("):
        rest, negated = rest[1:], not negated
    rest = rest.removeprefix("./")
    many = len(re.findall(r"\*+|\(", rest)) > MOST_STARS
    if not rest or many or len(rest) > LONGEST or re.search(r"[\0-\x1f]", rest):
        raise _unreadable(pattern)
    try:
        inner = _Reader(rest, pattern).whole()
        return re.compile(rf"(?!(?:{inner})\Z)[\s\S]*" if negated else inner)
    except re.error:
        raise _unreadable(pattern) from None


def _unreadable(pattern: str) -> Unreachable:
    return Unreachable(
        f"The pattern {pattern[:80]!r} is written in a way that is not read here.",
        "Write it with *, **, ?, [], {} or !().",
        "unreadable",
    )


class _Reader:
    """Turns one pattern into a regular expression, from left to right."""

    def __init__(self, text: str, whole: str) -> None:
        self.text, self.pattern, self.at = text, whole, 0

    def whole(self) -> str:
        return self.part(0, len(self.text), at_start=True)

    def part(self, start: int, end: int, *, at_start: bool) -> str:
        """Return the expression of a stretch; ``at_start``: a path's segment begins where it does."""
        said, at, fresh = "", start, at_start
        while at < end:
            step, at = self.step(at, start, end, fresh)
            said, fresh = said + step, self.text[at - 1] == "/"
        return said

    def step(self, at: int, start: int, end: int, fresh: bool) -> tuple[str, int]:
        sign, text = self.text[at], self.text
        if sign == "\\":
            if at + 1 >= end:
                raise _unreadable(self.pattern)
            return re.escape(text[at + 1]), at + 2
        if sign in "!@+*?" and text[at + 1 : at + 2] == "(":
            return self.extended(at, end, fresh)
        if sign == "/" and text[at:end] == "/**":
            # The folder itself fits too, unless a star stands right before.
            deep = rf"/{_NOT_DOTS}{_DEEP}"
            return deep if at > start and text[at - 1] == "*" else rf"(?:{deep}|$)", end
        if sign == "*":
            return self.stars(at, end, fresh)
        if sign == "?":
            return (rf"{_NOT_DOTS}[^/]" if fresh else "[^/]"), at + 1
        if sign == "[":
            return self.bracket(at, end)
        if sign == "{":
            return self.braces(at, end, fresh)
        if sign in "()|}]":
            raise _unreadable(self.pattern)
        return re.escape(sign), at + 1

    def stars(self, at: int, end: int, fresh: bool) -> tuple[str, int]:
        after = at
        while after < end and self.text[after] == "*":
            after += 1
        segment = fresh and (after == end or self.text[after] == "/")
        if after - at == 2 and segment:
            if after == end:
                return rf"{_SOME}{_DEEP}" if at == 0 else _DEEP, after
            # "**/" also stands for no folder at all.
            return rf"(?:{_DEEP}/|)", after + 1
        if after - at > 2:
            raise _unreadable(self.pattern)
        return (rf"{_NOT_DOTS}{_SOME}{_STAR}" if fresh else _STAR), after

    def bracket(self, at: int, end: int) -> tuple[str, int]:
        negated = self.text[at + 1 : at + 2] == "^"
        close = self.text.find("]", at + 2)
        inner = self.text[at + 1 + negated : close]
        if close < 0 or close >= end or not inner or re.search(r"[\[\]\\/^&|~]", inner):
            raise _unreadable(self.pattern)
        if negated:
            return f"[^{inner}/]", close + 1
        # "!" negates nothing here, and brackets may also be meant as they stand.
        literal = "" if re.search(r"[-*+?.${}(|)]", inner) else rf"\[{re.escape(inner)}\]|"
        return f"(?:{literal}[{inner}])", close + 1

    def braces(self, at: int, end: int, fresh: bool) -> tuple[str, int]:
        close = self.closing(at, end)
        inner = self.text[at + 1 : close]
        if ".." in inner:
            found = re.fullmatch(r"([a-z])\.\.([a-z])|([A-Z])\.\.([A-Z])|([0-9])\.\.([0-9])", inner)
            if found is None:
                raise _unreadable(self.pattern)
            low, high = sorted(one for one in found.groups() if one)
            return f"[{low}-{high}]", close + 1
        pieces = self.pieces(at + 1, close, ",")
        if len(pieces) < 2:
            raise _unreadable(self.pattern)
        return f"(?:{'|'.join(self.part(*one, at_start=fresh) for one in pieces)})", close + 1

    def extended(self, at: int, end: int, fresh: bool) -> tuple[str, int]:
        sign, close = self.text[at], self.closing(at + 1, end)
        either = "|".join(self.part(*one, at_start=fresh) for one in self.pieces(at + 2, close, "|"))
        if sign != "!":
            return f"(?:{either}){'' if sign == '@' else sign}", close + 1
        inside, after = self.text[at + 2 : close], self.text[close + 1 :]
        if "/" in inside or "(" in inside or close >= len(self.text):
            raise _unreadable(self.pattern)
        # What follows is looked at only where nothing or an ending does: so it excludes "main.test.ts" as well.
        rest = "$" if not after else ""
        if "*" in inside and re.fullmatch(r"\.[^\\/.]+", after):
            rest = self.part(close + 1, len(self.text), at_start=False)
        return f"(?:(?!(?:{either}){rest}){_STAR})", close + 1

    def closing(self, at: int, end: int) -> int:
        """Return where the bracket that opens at ``at`` closes."""
        open_, depth = self.text[at], 0
        for i in range(at, end):
            if self.text[i] == "\\":
                raise _unreadable(self.pattern)
            depth += (self.text[i] == open_) - (self.text[i] == _CLOSES[open_])
            if depth == 0:
                return i
        raise _unreadable(self.pattern)

    def pieces(self, start: int, end: int, by: str) -> list[tuple[int, int]]:
        """Return the stretches between ``by``, those within brackets left whole."""
        found, depth, begun = [], 0, start
        for i in range(start, end):
            depth += (self.text[i] in "({[") - (self.text[i] in ")}]")
            if self.text[i] == by and depth == 0:
                found.append((begun, i))
                begun = i + 1
        return [*found, (begun, end)]
