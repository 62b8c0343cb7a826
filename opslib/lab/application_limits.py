"""Who may call how often: one minute counter per client that all tiers share, and the hourly LLM limit in Valkey."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from opslib.errors import Unreachable
from opslib.lab.application_cache import Cache

PER_MINUTE = {"strict": 5, "standard": 60, "loose": 300}
"""Requests per client and minute. A tier compares the *shared* count with its own figure."""

PER_HOUR = {"anonymous": 3, "free": 10, "pro": 100, "enterprise": 1000}
"""LLM requests per user and hour; administrators are exempt."""

HOUR = 3600
MANY = 10_000

log = logging.getLogger("application.limits")


@dataclass(frozen=True)
class Verdict:
    """What a limit says to one request, and the headers that go with it."""

    allowed: bool
    headers: dict[str, str]
    retry_after: int


class MinuteLimit:
    """Fixed windows in memory, so per process; the window of a client begins with its first request."""

    def __init__(self, window: float, clock: Callable[[], float] = time.time) -> None:
        self._window, self._clock = window, clock
        self._counts: dict[str, tuple[int, float]] = {}

    def take(self, client: str, tier: str) -> Verdict:
        """Count one request of ``client``, whatever its tier, and judge it by ``tier``."""
        now = self._clock()
        count, end = self._counts.get(client, (0, 0.0))
        if end < now:
            count, end = 0, now + self._window
        if len(self._counts) > MANY:
            self._counts = {name: entry for name, entry in self._counts.items() if entry[1] >= now}
        self._counts[client] = (count + 1, end)
        most = PER_MINUTE[tier]
        left = math.ceil(end - now)
        headers = {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(max(0, most - count - 1)),
            "X-RateLimit-Reset": datetime.fromtimestamp(end, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        }
        allowed = count + 1 <= most
        return Verdict(allowed, headers if allowed else {**headers, "Retry-After": str(left)}, left)


async def hourly(cache: Cache, user: str, tier: str) -> Verdict:
    """Count one LLM request of ``user`` in Valkey; with no Valkey nobody is turned away."""
    try:
        count, left = await cache.count(f"rl:{tier}:llm_rate_limit:user:{user}", HOUR)
    except Unreachable as error:
        log.warning("the hourly LLM limit is not counted: %s", error)
        return Verdict(True, {}, 0)
    return Verdict(count <= PER_HOUR[tier], {"Retry-After": str(left)}, left)


class Nonces:
    """Each nonce once, for as long as its time stamp would be accepted."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._seen: dict[str, float] = {}

    def first(self, nonce: str) -> bool:
        """Tell whether ``nonce`` was not seen before, and remember it."""
        now = self._clock()
        self._seen = {known: end for known, end in self._seen.items() if end >= now}
        if nonce in self._seen:
            return False
        self._seen[nonce] = now + self._seconds
        return True
