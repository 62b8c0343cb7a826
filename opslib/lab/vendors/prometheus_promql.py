"""What a query of :mod:`.prometheus_parse` gives, by Prometheus' own rules.

Source: prometheus/promql (functions.go, quantile.go): extrapolation to the window's ends, quantiles that stop at the
last finite bucket, NaN of nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from opslib.lab.vendors.prometheus_parse import Expression, Labels, Select, Unless

Samples = list[tuple[float, float]]
Vector = list[tuple[Labels, float]]
LOOKBACK = 300.0
"""Seconds after which a sample is too old to be a series' value."""

Store = Callable[[Select, float, float], list[tuple[Labels, Samples]]]
"""Returns the selected series with their samples between two moments, the first excluded."""


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
        if isinstance(expression, Unless):
            there = [_unnamed(labels) for labels, _ in self.at(expression.right, at)]
            return [(labels, value) for labels, value in self.at(expression.left, at) if _unnamed(labels) not in there]
        if isinstance(expression, Select):
            return [(labels, last[1]) for labels, last in self._last(expression, at)]
        name = expression.name
        if name == "timestamp" and isinstance(expression.argument, Select):
            return [(_unnamed(labels), last[0]) for labels, last in self._last(expression.argument, at)]
        if name in OVER_RANGES and isinstance(expression.argument, Select):
            return self._ranged(expression.argument, name, at)
        inner = self.at(expression.argument, at)
        if name == "histogram_quantile" and expression.number is not None:
            return _quantiles(expression.number, inner)
        return _aggregated(name, expression.by, inner)

    def _series(self, select: Select) -> list[tuple[Labels, Samples, list[float]]]:
        if id(select) not in self._known:
            since = self._start - select.offset - (select.window or LOOKBACK)
            found = self._store(select, since, self._end - select.offset)
            self._known[id(select)] = [(labels, samples, [t for t, _ in samples]) for labels, samples in found]
        return self._known[id(select)]

    def _last(self, select: Select, at: float) -> list[tuple[Labels, tuple[float, float]]]:
        found, at = [], at - select.offset
        for labels, samples, times in self._series(select):
            i = bisect_right(times, at)
            if i and times[i - 1] > at - LOOKBACK:
                found.append((labels, samples[i - 1]))
        return found

    def _ranged(self, select: Select, name: str, at: float) -> Vector:
        window, found, at = select.window or LOOKBACK, [], at - select.offset
        for labels, samples, times in self._series(select):
            within = samples[bisect_right(times, at - window) : bisect_right(times, at)]
            value = OVER_RANGES[name](within, at - window, at)
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


def _most(samples: Samples, start: float, end: float) -> float | None:
    return max((value for _, value in samples), default=None)


OVER_RANGES = {
    "increase": increase,
    "rate": _rate,
    "avg_over_time": _mean,
    "max_over_time": _most,
    "count_over_time": _count,
}
TOGETHER: dict[str, Callable[[list[float]], float]] = {
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
    return [(dict(kept), TOGETHER[name](values)) for kept, values in groups.items()]


def _unnamed(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != "__name__"}
