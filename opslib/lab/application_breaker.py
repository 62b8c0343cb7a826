"""A circuit breaker that behaves like the product's (opossum): rolling window, no minimum volume, one trial call."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")
State = Literal["closed", "open", "half-open"]

BUCKETS = 10
ERROR_PERCENT = 50.0
PERCENTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 1.0)
COUNTS = (
    "failures",
    "fallbacks",
    "successes",
    "rejects",
    "fires",
    "timeouts",
    "cacheHits",
    "cacheMisses",
    "semaphoreRejections",
)

log = logging.getLogger("application.breaker")


class BreakerOpen(Exception):
    """The call was turned away without being tried."""


@dataclass
class _Bucket:
    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


class Breaker:
    """Closed until more than half of the calls of the window failed; one call may try again after a pause.

    As in the original: turned-away calls count as fired, closing keeps the window's counts, and a first
    failing call in a quiet window is enough to open it. All times are seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        call: float,
        window: float,
        half_open: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._call, self._slice, self._pause, self._clock = call, window / BUCKETS, half_open, clock
        self._buckets: dict[int, _Bucket] = {}
        self._state: State = "closed"
        self._retry_at = 0.0
        self._trial_free = False

    @property
    def state(self) -> State:
        """The state now; an open breaker becomes half-open by the passing of time alone."""
        if self._state == "open" and self._clock() >= self._retry_at:
            self._state, self._trial_free = "half-open", True
            log.info("%s: half-open, the next call is a trial", self.name)
        return self._state

    async def fire(self, action: Callable[[], Awaitable[T]]) -> T:
        """Return what ``action`` returns; raises BreakerOpen, TimeoutError, or what the action raised."""
        self._count("fires")
        if self.state != "closed" and not self._trial_free:
            self._count("rejects")
            raise BreakerOpen(f"{self.name}: breaker is open")
        self._trial_free = False
        started = self._clock()
        limit = asyncio.timeout(self._call)
        try:
            async with limit:
                result = await action()
        except asyncio.CancelledError:
            # The trial call was taken away, not answered: the next one may try instead.
            self._trial_free = self._state == "half-open"
            raise
        except Exception:
            if limit.expired():
                self._count("timeouts", started)
            self._fail(started)
            raise
        self._count("successes", started)
        if self.state == "half-open":
            self.close()
        return result

    def close(self) -> None:
        """Close by hand; the window keeps its counts."""
        self._trial_free = False
        if self._state != "closed":
            self._state = "closed"
            log.info("%s: closed", self.name)

    def stats(self) -> dict[str, object]:
        """Return the window's counts, the mean latency and the percentiles in milliseconds; no ``state``."""
        counts, latencies = self._totals()
        return {
            **{name: counts[name] for name in COUNTS},
            "latencyMean": sum(latencies) / len(latencies) if latencies else 0,
            "latencyTimes": latencies,
            "percentiles": {f"{share:g}": _percentile(latencies, share) for share in PERCENTILES},
        }

    def _fail(self, started: float) -> None:
        self._count("failures", started)
        counts, _ = self._totals()
        percent = counts["failures"] / max(counts["fires"], 1) * 100
        if percent > ERROR_PERCENT or self.state == "half-open":
            self._open()

    def _open(self) -> None:
        self._trial_free = False
        if self._state != "open":
            self._state, self._retry_at = "open", self._clock() + self._pause
            log.warning("%s: open for %g s", self.name, self._pause)

    def _count(self, name: str, started: float | None = None) -> None:
        now = self._clock()
        bucket = self._buckets.setdefault(int(now / self._slice), _Bucket())
        bucket.counts[name] += 1
        if started is not None:
            bucket.latencies.append(round((now - started) * 1000))

    def _totals(self) -> tuple[Counter[str], list[float]]:
        oldest = int(self._clock() / self._slice) - BUCKETS + 1
        self._buckets = {index: bucket for index, bucket in self._buckets.items() if index >= oldest}
        counts: Counter[str] = Counter()
        for bucket in self._buckets.values():
            counts.update(bucket.counts)
        return counts, sorted(ms for bucket in self._buckets.values() for ms in bucket.latencies)


def _percentile(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
