"""What the API answered while an incident lasted, by Prometheus: how many, how many failed, how long they took.

Empty is no zero: a window that Prometheus holds nothing of is told as None, and so is each part of it.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.probes.application_window import named, summed
from opslib.probes.series_questions import series_question
from opslib.systems.prometheus import Line, ReadOnlyPrometheus
from opslib.systems.target import ReadTarget

LEAST = timedelta(minutes=5)
"""A shorter window is widened backwards to this: a counter tells what it grew by only between some scrapes."""
MOST = timedelta(days=6)
PARTS = 20
"""Into so many parts at most a window is cut, each at least as long as the least window."""
LAST = 60.0
"""Seconds that a query over time goes on at least, so that it has one moment: the window's end."""


def impact(start: datetime | None, end: datetime | None) -> Probe:
    """Return the probe of what was answered from ``start`` to ``end`` (None: now).

    The first row is of the whole window (``part`` 0): requests and failures (None: no such series), uncounted (at most
    so many more: series that began with a failure), edges (cumulative counts by milliseconds). Each further row is of
    one part of it. Raises Unreachable for a window that cannot be asked.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if start is None:
            raise Unreachable("Nobody says when it began.", "Give started_at.")
        until = min(end or now(), now())
        since = min(start, until - LEAST)
        if start > until or until - since > MOST:
            raise Unreachable(
                f"A window from {start:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC is not asked.",
                f"At most {MOST.days} days, and its end behind its beginning: give resolved_at.",
            )
        minutes = math.ceil((until - since).total_seconds() / 60)
        return [_whole(target, until, minutes), *_parts(target, until, minutes)]

    questions = " · ".join(series_question(name).text for name in ("requests", "new-failures", "durations"))
    return Probe(
        "incident-impact",
        "What the API answered while the incident lasted",
        read,
        source=f"GET /api/v1/query_range?query={questions}",
    )


def _whole(target: ReadTarget, until: datetime, minutes: int) -> dict[str, Any]:
    def ask(name: str) -> list[Line]:
        text = series_question(name).filled(target.settings, f"{minutes}m")
        return target.prometheus.over(text, until.timestamp(), until.timestamp(), LAST)

    statuses = _statuses({line.labels.get("status_code", ""): _last(line) for line in ask("requests")})
    known = {float(line.labels["le"]): _last(line) for line in ask("durations") if "le" in line.labels}
    new = [_last(line) for line in ask("new-failures")]
    return {
        "part": 0,
        "from": until - timedelta(minutes=minutes),
        "to": until,
        **summed(statuses),
        "uncounted": round(sum(number for number in new if not math.isnan(number)), 1),
        "statuses": statuses,
        "edges": {named(edge): round(count, 1) for edge, count in sorted(known.items()) if not math.isnan(count)},
    }


def _statuses(found: dict[str, float]) -> dict[str, float]:
    if "" in found:
        raise Unreachable("The counter of requests has no label status_code: a failure could not be told.")
    return {status: round(number, 1) for status, number in sorted(found.items()) if not math.isnan(number)}


def _last(line: Line) -> float:
    return float(line.values[-1][1]) if line.values else math.nan


def _parts(target: ReadTarget, until: datetime, minutes: int) -> list[dict[str, Any]]:
    """Return the window's parts, oldest first; the last ends with it, and what is left over stands before the first."""
    each = max(int(LEAST.total_seconds() // 60), math.ceil(minutes / PARTS))
    count = max(1, minutes // each)
    ends = [until - timedelta(minutes=each * (count - number)) for number in range(1, count + 1)]
    found = _over(target.prometheus, series_question("requests").filled(target.settings, f"{each}m"), ends, each * 60.0)
    return [
        {"part": number, "from": end - timedelta(minutes=each), "to": end, **summed(_statuses(found[number - 1]))}
        for number, end in enumerate(ends, 1)
    ]


def _over(prometheus: ReadOnlyPrometheus, text: str, ends: list[datetime], step: float) -> list[dict[str, float]]:
    """Return what a query of requests by status gives at the parts' ends; an empty dict where it gives nothing."""
    first = ends[0].timestamp()
    found: list[dict[str, float]] = [{} for _ in ends]
    for line in prometheus.over(text, first, ends[-1].timestamp(), step):
        for at, value in line.values:
            place = round((at - first) / step)
            if 0 <= place < len(found) and not math.isnan(float(value)):
                found[place][line.labels.get("status_code", "")] = float(value)
    return found
