"""What can be read out of somebody's query without evaluating it: its series, its comparison, the edges that it names.

Not a parser of the language: what it cannot tell it leaves open, and says so by None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
_LABELS = re.compile(r"\{[^{}]*\}")
_LISTS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+-?[0-9]+[a-z]+|@\s*[0-9.]+")
_NAME = re.compile(r"(?<![A-Za-z0-9_:.$])([A-Za-z_:][A-Za-z0-9_:]*)(?!\s*\(|[A-Za-z0-9_:])")
_NUMBER = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_COMPARED = re.compile(rf"(>=|<=|==|!=|>|<)\s*(?:bool\s+)?({_NUMBER})[\s)]*$")
_EDGE = re.compile(r"""\ble\s*=\s*["']([^"']+)["']""")
_CALLED = re.compile(r"""\{\s*__name__\s*=\s*["']([A-Za-z_:][A-Za-z0-9_:]*)["']""")
WORDS = frozenset(("and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring"))


@dataclass(frozen=True)
class Comparison:
    """What a rule compares with which number."""

    left: str
    operator: str
    number: float

    @property
    def upward(self) -> bool:
        """Whether it fires for more."""
        return self.operator in (">", ">=")


def series(text: str) -> list[str]:
    """Return the names of the series that a query reads, each once."""
    bare = _TEXT.sub('""', _without_remarks(text))
    bare = _RANGE.sub(" ", _LISTS.sub(" ", _LABELS.sub(" ", bare)))
    found = [name for name in _NAME.findall(bare) if name.lower() not in WORDS]
    return list(dict.fromkeys([*found, *_CALLED.findall(text)]))


def comparison(text: str) -> Comparison | None:
    """Return the first part of a query that ends in a comparison with a number; None where there is none."""
    for part in _parts(_without_remarks(text)):
        if found := _COMPARED.search(part):
            return Comparison(part[: found.start()].strip(), found[1], float(found[2]))
    return None


def edges(text: str) -> list[float]:
    """Return the upper edges of buckets that a query picks out by ``le``."""
    return [float(edge) for edge in _EDGE.findall(text) if re.fullmatch(_NUMBER, edge)]


def either(text: str) -> bool:
    """Tell whether a query may give something though one of its series is not there."""
    bare = _TEXT.sub('""', text)
    return re.search(r"\b(or|unless|absent|absent_over_time)\b", bare) is not None


def _without_remarks(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text)


def _parts(text: str) -> list[str]:
    """Return what ``and``, ``or`` and ``unless`` join outside of any parenthesis; texts within it are kept."""
    masked = _TEXT.sub(lambda found: "x" * len(found[0]), text)
    depth, last, found = 0, 0, []
    for token in re.finditer(r"[(){}]|\b(?:and|or|unless)\b", masked):
        if token[0] in "({":
            depth += 1
        elif token[0] in ")}":
            depth -= 1
        elif depth == 0:
            found.append(text[last : token.start()])
            last = token.end()
    return [*found, text[last:]]
