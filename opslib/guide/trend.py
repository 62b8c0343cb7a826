"""How a check went over its last runs: what got worse, and when its figure would be beyond its limit. Pure.

A figure's way is told by medians: of the newer and of the older half of its runs, at the medians of their times. One
run that was otherwise moves neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from opslib.model import Row, Verdict

LEAST = 4
"""Runs with a figure under which no way is told: two in each half."""
DAY, FAR = 86_400.0, 1e9
REACH = 3.0
"""How many times the time of its runs a figure's pace is followed ahead: an hour tells nothing of next week."""
NEARER = 0.1
"""Of the way to its limit that a figure must have gone to be told as nearer: less is noise."""


@dataclass(frozen=True)
class Trend:
    """One check over its runs. ``days`` is in how many its figure would be beyond ``limit``, at its pace; None: never.

    ``state`` is worse, nearer, better, steady, or what keeps anybody from telling.
    """

    check: str
    title: str
    runs: int
    verdict: str
    before: str
    value: float | None
    was: float | None
    unit: str
    limit: float | None
    days: float | None
    state: str


STATES = ("worse", "nobody could look", "nearer to its limit", "one run tells no trend", "better", "steady")
"""What may be said of a check, worst first."""


def chosen(rows: Sequence[Row], names: str, most: int) -> list[Trend]:
    """Return the trends of the checks that are named (by commas), all of them for ``none``, worst first."""
    wanted = None if names == "none" else set(names.split(","))
    found = [trend(row, most) for row in rows if wanted is None or row["check"] in wanted]
    return sorted(
        found, key=lambda one: (STATES.index(one.state), one.days if one.days is not None else FAR, one.check)
    )


def trend(row: Row, most: int) -> Trend:
    """Return how a check went over its newest ``most`` runs; ``row`` is one of the probe of an area's trends."""
    verdicts, values = row["verdict"][-most:], row["value"][-most:]
    times = [datetime.fromisoformat(at).timestamp() for at in row["at"][-most:]]
    before = _usual(verdicts[:-1])
    known = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
    was, pace = _way(known)
    newest, value = str(verdicts[-1]), values[-1]
    limit = _limit(row, value)
    nearer = _nearer(value, was, limit, above=bool(row["above"]))
    days = (limit - value) / pace if nearer and pace and limit is not None and value is not None else None
    if days is not None and not 0 <= days <= REACH * (times[-1] - times[0]) / DAY:
        days = None
    state = _state(newest, before, nearer)
    return Trend(row["check"], row["title"], len(verdicts), newest, before, value, was, row["unit"], limit, days, state)


def _usual(verdicts: Sequence[str]) -> str:
    """Return the middle one of the earlier verdicts that say anything; "" where none does."""
    order = [str(one) for one in Verdict]
    known = sorted(order.index(one) for one in verdicts if one in order and one != Verdict.UNKNOWN)
    return order[known[(len(known) - 1) // 2]] if known else ""


def _way(known: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return what a figure was in the older half, and its pace per day; None where too few runs have one."""
    if len(known) < LEAST:
        return None, None
    half = len(known) // 2
    old, new = known[:half], known[-half:]
    was, now = median(value for _, value in old), median(value for _, value in new)
    apart = median(at for at, _ in new) - median(at for at, _ in old)
    return was, (now - was) / apart * DAY if apart > 0 else None


def _limit(row: Row, value: float | None) -> float | None:
    """Return the next limit that the newest figure is not beyond; None where there is none, or it is beyond all."""
    limits = [row[name] for name in ("warning", "critical") if row[name] is not None]
    if value is None:
        return None
    ahead = [limit for limit in limits if (value <= limit if row["above"] else value >= limit)]
    return min(ahead, key=lambda limit: abs(limit - value), default=None)


def _nearer(value: float | None, was: float | None, limit: float | None, *, above: bool) -> bool:
    if value is None or was is None or limit is None:
        return False
    gone, far = (value - was if above else was - value), abs(limit - was)
    return far > 0 and gone > NEARER * far


def _state(newest: str, before: str, nearer: bool) -> str:
    order = [str(one) for one in Verdict]
    if newest == Verdict.UNKNOWN:
        return "nobody could look"
    if not before:
        return "one run tells no trend"
    if order.index(newest) != order.index(before):
        return "worse" if order.index(newest) > order.index(before) else "better"
    return "nearer to its limit" if nearer else "steady"


def shown(one: Trend) -> dict[str, Any]:
    """Return a trend as a row: what it is, was, and would be."""
    return {
        "check": one.check,
        "runs": one.runs,
        "newest": one.verdict,
        "usually": one.before,
        "figure": one.value,
        "was": one.was,
        "limit": one.limit,
        "unit": one.unit,
        "beyond_in_days": None if one.days is None else round(one.days, 1),
        "state": one.state,
    }
