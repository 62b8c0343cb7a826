"""A watch after a change: keep it or take it back, decided by the guide's thresholds and by how many were asked.

A share is judged by its 95 % interval (Wilson's): beyond a limit for certain, within it for certain, or nobody knows
yet. Only rules that hold whatever comes later end a watch early; looking often would else make any share "certain".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.guide.thresholds import threshold
from opslib.model import Judgement, Reading, Row, Rows, Verdict, Watch
from opslib.probes import application as probes
from opslib.probes.application_traffic import EDGES, between

ERROR_RATE = threshold("error-rate")
RESPONSE_TIME = threshold("response-time-p95")

SURE = 1.96
"""Standard deviations of a 95 % interval."""
BAD = ("not ready", "unhealthy", "unreachable")
"""States in which nobody is served. Without the spare provider alone, everybody is."""
NOT_READY = 3
"""Looks in a row without readiness that end a watch."""
FEWEST_FAILURES = 10
"""Failures below which no share ends a watch early."""
BURN = 14.4
"""How many times the target's share of failures ends a watch early: a month's budget gone in two days."""
SLOW_SHARE = 5.0
"""Percent of requests above a time at which its 95th percentile is above it."""


@dataclass(frozen=True)
class Share:
    """``part`` of ``whole`` in percent, with the ends of its 95 % interval."""

    part: int
    whole: int

    @property
    def percent(self) -> float:
        """The share itself."""
        return 100 * self.part / self.whole if self.whole else math.nan

    @property
    def ends(self) -> tuple[float, float]:
        """The lower and the upper end, in percent (Wilson 1927)."""
        if not self.whole:
            return 0.0, 100.0
        p, n, z2 = self.part / self.whole, self.whole, SURE**2
        middle, half = p + z2 / (2 * n), SURE * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
        return max(0.0, 100 * low), min(100.0, 100 * high)

    def against(self, warning: float, critical: float) -> Verdict:
        """Return CRITICAL or WARNING when surely beyond a limit, OK when surely within both or at most the first."""
        low, high = self.ends
        if low > critical:
            return Verdict.CRITICAL
        if high > critical:
            return Verdict.UNKNOWN
        return Verdict.WARNING if self.percent > warning else Verdict.OK

    def __str__(self) -> str:
        low, high = self.ends
        return f"{self.percent:.2f} % ({self.part} of {self.whole}; 95 %: {low:.2f} to {high:.2f})"


def after_change(seconds: float = 15.0) -> Watch:
    """Return the watch of error rate, response times and readiness after a change, one look each ``seconds``.

    CRITICAL: take it back. UNKNOWN: too few requests, or figures that nobody has; a person decides.
    """
    return Watch(
        name="watch-after-change",
        title="Errors, response times and readiness after the change",
        probe=probes.serving,
        decide=decide,
        seconds=seconds,
        threshold=ERROR_RATE,
        remedy=(
            "CRITICAL: take the change back (`ops undo`; the front end also by runbooks/roll-back-deployment). "
            "UNKNOWN: watch longer, or let somebody use what was changed; too few requests prove nothing."
        ),
        items=("RUN-DEP-09", "MON-APP-02T", "MON-APP-02A", "MON-APP-03T", "MON-APP-03A"),
    )


def decide(samples: Sequence[Reading], last: bool) -> Judgement | None:
    """Return what the samples show: at once where it is certain, else when the last is there. Pure."""
    states = [sample.row["state"] if sample.unknown is None else "unreachable" for sample in samples]
    bad = [state in BAD for state in states]
    if len(bad) >= NOT_READY and all(bad[-NOT_READY:]):
        said = f"Not ready {NOT_READY} times in a row: {', '.join(states[-NOT_READY:])}."
        return Judgement(Verdict.CRITICAL, said, None, _rows(samples))
    taken = [sample.row for sample in samples if sample.unknown is None]
    window = between(taken)
    if window is None:
        return Judgement(Verdict.UNKNOWN, "Fewer than two looks succeeded.", None, _rows(samples)) if last else None
    failures = Share(window.failures, window.requests)
    target, alert = ERROR_RATE.warning or 0.0, ERROR_RATE.critical or 0.0
    if window.failures >= FEWEST_FAILURES and failures.ends[0] > max(alert, BURN * target):
        said = f"Failures: {failures}; more than {max(alert, BURN * target):g} %, whatever comes."
        return Judgement(Verdict.CRITICAL, said, failures.percent, _rows(samples))
    if not last:
        return None
    if not window.requests:
        return Judgement(Verdict.UNKNOWN, "Nobody asked anything.", None, _rows(samples))
    verdicts = [failures.against(target, alert), *_slow(window.slow, window.requests), _readiness(states)]
    words = [f"Failures {failures}", *_slow_said(window.slow, window.requests), f"readiness: {_words(states)}"]
    return Judgement(Verdict.worst(verdicts), "; ".join(words) + ".", failures.percent, _rows(samples))


def _slow(slow: Sequence[int | None], requests: int) -> list[Verdict]:
    """Return the verdicts on response times: the guide's target is a WARNING, its alert CRITICAL."""
    found = []
    for count, beyond in zip(slow, (Verdict.WARNING, Verdict.CRITICAL), strict=True):
        if count is None:
            found.append(Verdict.UNKNOWN)
            continue
        low, high = Share(count, requests).ends
        found.append(beyond if low > SLOW_SHARE else Verdict.OK if high <= SLOW_SHARE else Verdict.UNKNOWN)
    # A 95th percentile that may be above the target only is no reason to stop anybody.
    return [Verdict.WARNING if i == 0 and one is Verdict.UNKNOWN else one for i, one in enumerate(found)]


def _slow_said(slow: Sequence[int | None], requests: int) -> list[str]:
    limits = (RESPONSE_TIME.warning, RESPONSE_TIME.critical)
    return [
        f"above {edge:g} ms (P95 limit {limit:g}): "
        + ("the histogram has no such edge" if count is None else str(Share(count, requests)))
        for count, edge, limit in zip(slow, EDGES, limits, strict=True)
    ]


def _readiness(states: Sequence[str]) -> Verdict:
    newest = states[-1]
    if newest == "ready":
        return Verdict.OK if set(states) == {"ready"} else Verdict.WARNING
    if newest in BAD:
        return Verdict.CRITICAL
    return Verdict.WARNING if newest == "without spare" else Verdict.UNKNOWN


def _words(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(state)} times {state}" for state in dict.fromkeys(states))


def _rows(samples: Sequence[Reading]) -> Rows:
    shown: list[Row] = []
    first = next((sample.row for sample in samples if sample.unknown is None), None)
    for sample in samples:
        row: Row = {"at": sample.taken_at.isoformat(timespec="seconds")}
        if sample.unknown is not None:
            row = {**row, "state": f"unreachable: {sample.unknown}"}
        elif first is not None:
            window = between([first, sample.row])
            same = window is not None and window.processes == 1
            row = {
                **row,
                "state": sample.row["state"],
                "requests": window.requests if window and same else None,
                "failures": window.failures if window and same else None,
            }
        shown.append(row)
    return tuple(shown)
