"""A cell's Python for the report, with the classes that the page's style colours."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from html import escape
from typing import Any, Final

from opslib.runs.markup import Html, visible

MOST_SOURCE: Final = 20_000
_STYLED: Final = re.compile("k|kn|kc|ow|s[12daie]|c|c1|cm|m[if]|nf|nc|fm")
"""The classes of tokens that report.css colours; the others would only be weight."""


@lru_cache(maxsize=1024)
def code(source: str) -> Html:
    """Return Python with those tokens marked by short classes that the page's style colours.

    What was marked once is kept: a process that makes many pages meets the same cells again.
    """
    lexer, classes = _lexer()
    done: list[str] = []
    last, run = "", list[str]()
    for kind, value in lexer.get_tokens(visible(source)[:MOST_SOURCE]):
        if value and (name := classes[kind]) != last:
            done.append(_marked(last, "".join(run)))
            last, run = name, []
        run.append(value)
    return Html("".join([*done, _marked(last, "".join(run))]).rstrip("\n"))


def _marked(name: str, text: str) -> str:
    """Return neighbours of one class as one element, none of which goes over the end of a line."""
    text = escape(text, quote=False)
    if not name:
        return text
    return "\n".join(f'<span class="{name}">{part}</span>' if part else "" for part in text.split("\n"))


class _Classes(dict[Any, str]):
    """The class of each kind of token that is coloured, else ""."""

    def __missing__(self, kind: Any) -> str:
        from pygments.token import STANDARD_TYPES

        name = STANDARD_TYPES.get(kind, "")
        self[kind] = name if _STYLED.fullmatch(name) else ""
        return self[kind]


@cache
def _lexer() -> tuple[Any, _Classes]:
    from pygments.lexers.python import PythonLexer

    return PythonLexer(), _Classes()
