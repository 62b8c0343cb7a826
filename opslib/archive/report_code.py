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
    last = ""
    for kind, value in lexer.get_tokens(visible(source)[:MOST_SOURCE]):
        name, text = classes[kind], escape(value, quote=False)
        if not name and not last:
            done.append(text)
            continue
        for number, part in enumerate(text.split("\n")):
            if number:
                done.append("</span>\n" if last else "\n")
                last = ""
            # Neighbours of one class share an element, and no element goes over the end of a line.
            if part and name != last:
                done.append(("</span>" if last else "") + (f'<span class="{name}">' if name else ""))
                last = name
            done.append(part)
    return Html("".join(done).rstrip("\n"))


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
