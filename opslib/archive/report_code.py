"""A cell's Python for the report, with the classes that the page's style colours.

Source: the standard library's ``tokenize`` (the Python Library Reference). A highlighter's lexer and its import took a
twentieth of a cold run.
"""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from html import escape
from itertools import accumulate
from typing import Final

from opslib.runs.markup import Html, visible

MOST_SOURCE: Final = 20_000
_CLASSES: Final = {tokenize.COMMENT: "c", tokenize.STRING: "s", tokenize.NUMBER: "m"}
# From Python 3.12 on a string with values in it is several tokens; it is shown as one, as in 3.11.
_BEGINS, _ENDS = (
    {getattr(tokenize, f"{kind}STRING_{end}") for kind in "FT" if hasattr(tokenize, f"{kind}STRING_{end}")}
    for end in ("START", "END")
)


@lru_cache(maxsize=1024)
def code(source: str) -> Html:
    """Return Python with keywords, strings, comments, numbers and what is defined marked by classes of one letter.

    Nothing is marked from where it is no Python on. What was marked once is kept: a process that makes many pages
    meets the same cells again.
    """
    text, done, at = visible(source)[:MOST_SOURCE], list[str](), 0
    for first, last, name in _marks(text):
        done += [escape(text[at:first], quote=False), _marked(name, text[first:last])]
        at = last
    return Html("".join([*done, escape(text[at:], quote=False)]).rstrip("\n"))


def _marks(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the beginning and end of what is marked, in order, each with its class."""
    lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def mark(start: tuple[int, int], end: tuple[int, int], name: str) -> tuple[int, int, str]:
        return lines[start[0] - 1] + start[1], lines[end[0] - 1] + end[1], name

    depth, begun, before = 0, (1, 0), ""
    with suppress(tokenize.TokenError, SyntaxError):
        for kind, said, start, end, _ in tokenize.generate_tokens(io.StringIO(text).readline):
            if kind in _BEGINS:
                begun, depth = begun if depth else start, depth + 1
            elif kind in _ENDS:
                depth -= 1
                if not depth:
                    yield mark(begun, end, "s")
            elif not depth and (name := _class(kind, said, before)):
                yield mark(start, end, name)
            before = said


def _class(kind: int, said: str, before: str) -> str:
    if kind != tokenize.NAME:
        return _CLASSES.get(kind, "")
    if keyword.iskeyword(said):
        return "k"
    return "f" if before in ("def", "class") else ""


def _marked(name: str, text: str) -> str:
    """Return text as elements of a class, none of which goes over the end of a line."""
    parts = escape(text, quote=False).split("\n")
    return "\n".join(f'<span class="{name}">{part}</span>' if part else "" for part in parts)
