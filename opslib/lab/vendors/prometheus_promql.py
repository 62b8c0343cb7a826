"""The part of Prometheus' query language that the lab's stand-in evaluates, by Prometheus' own rules.

Known: a selector with ``=``, ``!=``, ``=~``, ``!~`` and a range; ``rate``, ``increase``, ``avg_over_time``,
``count_over_time``, ``timestamp``, ``histogram_quantile``; ``sum``, ``max``, ``min``, ``avg``, ``count`` with ``by``.
Anything else is refused, as Prometheus refuses what it cannot parse. Source: prometheus/promql (functions.go,
quantile.go): extrapolation to the window's ends, quantiles that stop at the last finite bucket, NaN of nothing.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Labels = dict[str, str]
Samples = list[tuple[float, float]]
Vector = list[tuple[Labels, float]]
LOOKBACK = 300.0
"""Seconds after which a sample is too old to be a series' value."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TOKEN = re.compile(
    r'\s*(?:(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>[0-9]+\.?[0-9]*)|(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")'
    r"|(?P<range>\[[0-9]+(?:ms|[smhdw])\])|(?P<sign>=~|!~|!=|[={}(),]))"
)


class BadQuery(ValueError):
    """The text is no query that is known here."""


@dataclass
class Select:
    """Series by name and matchers; ``window`` in seconds where a range stands behind it."""

    name: str
    matchers: list[tuple[str, str, str]] = field(default_factory=list)
    window: float | None = None

    def fits(self, labels: Labels) -> bool:
        """Tell whether a series is selected; a label that is not there is empty."""
        return labels.get("__name__") == self.name and all(
            _fits(operator, labels.get(label, ""), wanted) for label, operator, wanted in self.matchers
        )


@dataclass
class Call:
    """A function or an aggregation over one argument; ``number`` stands before it (a quantile)."""

    name: str
    argument: Select | Call
    by: tuple[str, ...] = ()
    number: float | None = None


Expression = Select | Call
Store = Callable[[Select, float, float], list[tuple[Labels, Samples]]]
"""Returns the selected series with their samples between two moments, the first excluded."""


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


def instant(expression: Expression, at: float, store: Store) -> Vector:
    """Return the value of each resulting series at a moment."""
    return Evaluation(store, at, at).at(expression, at)


class Evaluation:
    """One query over one or many moments; each selector's samples are fetched once."""

    def __init__(self, store: Store, start: float, end: float) -> None:
        self._store, self._start, self._end = store, start, end
        self._known: dict[int, list[tuple[Labels, Samples, list[float]]]] = {}

    def at(self, expression: Expression, at: float) -> Vector:
        """Return the value at one moment between both ends."""
        if isinstance(expression, Select):
            return [(labels, last[1]) for labels, last in self._last(expression, at)]
        name = expression.name
        if name == "timestamp" and isinstance(expression.argument, Select):
            return [(_unnamed(labels), last[0]) for labels, last in self._last(expression.argument, at)]
        if name in RANGED and isinstance(expression.argument, Select):
            return self._ranged(expression.argument, name, at)
        inner = self.at(expression.argument, at)
        if name == "histogram_quantile" and expression.number is not None:
            return _quantiles(expression.number, inner)
        return _aggregated(name, expression.by, inner)

    def _series(self, select: Select) -> list[tuple[Labels, Samples, list[float]]]:
        if id(select) not in self._known:
            since = self._start - (select.window or LOOKBACK)
            found = self._store(select, since, self._end)
            self._known[id(select)] = [(labels, samples, [t for t, _ in samples]) for labels, samples in found]
        return self._known[id(select)]

    def _last(self, select: Select, at: float) -> list[tuple[Labels, tuple[float, float]]]:
        found = []
        for labels, samples, times in self._series(select):
            i = bisect_right(times, at)
            if i and times[i - 1] > at - LOOKBACK:
                found.append((labels, samples[i - 1]))
        return found

    def _ranged(self, select: Select, name: str, at: float) -> Vector:
        window, found = select.window or LOOKBACK, []
        for labels, samples, times in self._series(select):
            within = samples[bisect_right(times, at - window) : bisect_right(times, at)]
            value = RANGED[name](within, at - window, at)
            if value is not None:
                found.append((_unnamed(labels), value))
        return found


def increase(samples: Samples, start: float, end: float) -> float | None:
    """Return by how much a counter grew from ``start`` to ``end``, extrapolated as Prometheus does; None of one sample.

    A counter that falls was begun anew.
    """
    if len(samples) < 2:
        return None
    (first_at, first), (last_at, last) = samples[0], samples[-1]
    grown = last - first
    for (_, before), (_, after) in pairwise(samples):
        if after < before:
            grown += before
    sampled = last_at - first_at
    step = sampled / (len(samples) - 1)
    to_start, to_end = first_at - start, end - last_at
    if grown > 0 and first >= 0:
        to_start = min(to_start, sampled * first / grown)
    reach = sampled + sum(part if part < 1.1 * step else step / 2 for part in (to_start, to_end))
    return grown * reach / sampled


def _rate(samples: Samples, start: float, end: float) -> float | None:
    grown = increase(samples, start, end)
    return None if grown is None else grown / (end - start)


def _mean(samples: Samples, start: float, end: float) -> float | None:
    return sum(value for _, value in samples) / len(samples) if samples else None


def _count(samples: Samples, start: float, end: float) -> float | None:
    return float(len(samples)) if samples else None


RANGED = {"increase": increase, "rate": _rate, "avg_over_time": _mean, "count_over_time": _count}
AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": lambda values: float(len(values)),
}


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return a quantile of cumulative buckets (upper edge, count), interpolated within one; NaN of none.

    What lies in the last bucket is given the last finite edge: no larger value is ever returned.
    """
    buckets = sorted(buckets)
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or not buckets[-1][1]:
        return math.nan
    rank = share * buckets[-1][1]
    i = next((i for i, (_, count) in enumerate(buckets[:-1]) if count >= rank), len(buckets) - 1)
    if i == len(buckets) - 1:
        return buckets[-2][0]
    edge, count = buckets[i]
    if i == 0 and edge <= 0:
        return edge
    low, below = buckets[i - 1] if i else (0.0, 0.0)
    return low + (edge - low) * (rank - below) / (count - below)


def _quantiles(share: float, vector: Vector) -> Vector:
    groups: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for labels, value in vector:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k not in ("le", "__name__")))
        if "le" in labels:
            groups.setdefault(rest, []).append((float(labels["le"]), value))
    return [(dict(rest), quantile(share, buckets)) for rest, buckets in groups.items()]


def _aggregated(name: str, by: tuple[str, ...], vector: Vector) -> Vector:
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for labels, value in vector:
        groups.setdefault(tuple((label, labels[label]) for label in by if label in labels), []).append(value)
    return [(dict(kept), AGGREGATIONS[name](values)) for kept, values in groups.items()]


def _unnamed(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != "__name__"}


def _fits(operator: str, value: str, wanted: str) -> bool:
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    return (re.fullmatch(wanted, value) is not None) is (operator == "=~")


class _Parser:
    """Takes tokens from the front."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def expression(self) -> Expression:
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
        return select

    def _next(self, kind: str, value: str | None = None) -> bool:
        return bool(self.tokens) and self.tokens[0][0] == kind and value in (None, self.tokens[0][1])

    def _take(self, kind: str, value: str | None = None) -> str:
        if not self._next(kind, value):
            found = repr(self.tokens[0][1]) if self.tokens else "end of input"
            raise BadQuery(f"parse error: unexpected {found}, expected {value or kind}")
        return self.tokens.pop(0)[1]
