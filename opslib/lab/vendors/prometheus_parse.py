"""The part of Prometheus' query language that the lab's stand-in knows, as values; anything else is refused.

Known: a selector with ``=``, ``!=``, ``=~``, ``!~``, a range and an offset; functions of a range; ``timestamp``,
``histogram_quantile``; aggregations with ``by``; ``unless`` between two of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Labels = dict[str, str]
RANGED = ("increase", "rate", "avg_over_time", "max_over_time", "count_over_time")
AGGREGATIONS = ("sum", "max", "min", "avg", "count")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TOKEN = re.compile(
    r'\s*(?:(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>[0-9]+\.?[0-9]*)|(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")'
    r"|(?P<range>\[[0-9]+(?:ms|[smhdw])\])|(?P<sign>=~|!~|!=|[={}(),]))"
)


class BadQuery(ValueError):
    """The text is no query that is known here."""


@dataclass
class Select:
    """Series by name ("": any) and matchers; ``window`` in seconds where a range stands behind it."""

    name: str
    matchers: list[tuple[str, str, str]] = field(default_factory=list)
    window: float | None = None
    offset: float = 0.0

    def fits(self, labels: Labels) -> bool:
        """Tell whether a series is selected; a label that is not there is empty."""
        return self.name in ("", labels.get("__name__")) and all(
            _fits(operator, labels.get(label, ""), wanted) for label, operator, wanted in self.matchers
        )


@dataclass
class Call:
    """A function or an aggregation over one argument; ``number`` stands before it (a quantile)."""

    name: str
    argument: Expression
    by: tuple[str, ...] = ()
    number: float | None = None


@dataclass
class Unless:
    """What stands on the left and has no like on the right."""

    left: Select | Call
    right: Select | Call


Expression = Select | Call | Unless


def seconds(text: str) -> float:
    """Return a duration such as ``5m`` in seconds; raises BadQuery."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw]?)", text)
    if not found:
        raise BadQuery(f"not a valid duration string: {text!r}")
    return float(found[1]) * UNITS.get(found[2], 1.0)


def parse(text: str) -> Expression:
    """Return what a query means; raises BadQuery."""
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise BadQuery(f"parse error: unexpected character: {text[at:].strip()[0]!r}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    parser = _Parser(tokens)
    expression = parser.expression()
    if parser.tokens:
        raise BadQuery(f"parse error: unexpected {parser.tokens[0][1]!r}")
    return expression


def _fits(operator: str, value: str, wanted: str) -> bool:
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    return (re.fullmatch(wanted, value) is not None) is (operator == "=~")


class _Parser:
    """Takes tokens from the front."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def expression(self) -> Expression:
        left = self._one()
        if not self._next("word", "unless"):
            return left
        self._take("word")
        return Unless(left, self._one())

    def _one(self) -> Select | Call:
        if self._next("sign", "{"):
            return self._select("")
        word = self._take("word")
        if word == "histogram_quantile":
            self._take("sign", "(")
            number = float(self._take("number"))
            self._take("sign", ",")
            return Call(word, self._closed(), number=number)
        if word == "timestamp" or word in RANGED:
            self._take("sign", "(")
            inner = self._closed()
            if not isinstance(inner, Select) or (inner.window is None) is (word in RANGED):
                raise BadQuery(f'parse error: wrong type of argument in call to function "{word}"')
            return Call(word, inner)
        if word in AGGREGATIONS:
            by = self._by()
            self._take("sign", "(")
            inner = self._closed()
            return Call(word, inner, by or self._by())
        return self._select(word)

    def _closed(self) -> Expression:
        inner = self.expression()
        self._take("sign", ")")
        return inner

    def _by(self) -> tuple[str, ...]:
        if not self._next("word", "by"):
            return ()
        self._take("word")
        self._take("sign", "(")
        names = [self._take("word")]
        while self._next("sign", ","):
            self._take("sign")
            names.append(self._take("word"))
        self._take("sign", ")")
        return tuple(names)

    def _select(self, name: str) -> Select:
        select = Select(name)
        if self._next("sign", "{"):
            self._take("sign")
            while not self._next("sign", "}"):
                label, operator = self._take("word"), self._take("sign")
                if operator not in ("=", "!=", "=~", "!~"):
                    raise BadQuery(f"parse error: unexpected {operator!r} in label matching")
                text = self._take("text")[1:-1]
                select.matchers.append((label, operator, text.replace('\\"', '"').replace("\\\\", "\\")))
                if self._next("sign", ","):
                    self._take("sign")
            self._take("sign", "}")
        if self._next("range"):
            select.window = seconds(self._take("range")[1:-1])
        if self._next("word", "offset"):
            self._take("word")
            select.offset = seconds(self._take("number") + self._take("word"))
        return select

    def _next(self, kind: str, value: str | None = None) -> bool:
        return bool(self.tokens) and self.tokens[0][0] == kind and value in (None, self.tokens[0][1])

    def _take(self, kind: str, value: str | None = None) -> str:
        if not self._next(kind, value):
            found = repr(self.tokens[0][1]) if self.tokens else "end of input"
            raise BadQuery(f"parse error: unexpected {found}, expected {value or kind}")
        return self.tokens.pop(0)[1]
