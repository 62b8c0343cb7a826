"""Cached answers removed, and nothing else: queue, limits, usage counts and sessions share the server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cache_server import changeable, same_server
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.settings import ReadSettings
from opslib.systems.cache import ReadOnlyCache
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

MOST_ASKED = 200
"""Keys whose time to live is asked; each is a look-up in the server's statistics."""
GRAIN_SECONDS = 2
"""How far the server's own idle times, in whole seconds of a clock that ticks each second, may be off."""
LONGEST_PAUSE = 1.0
"""Seconds between two batches at most, however slow the server is."""


@dataclass
class _Seen:
    """What a walk over all keys saw: keys of the family, how many of each protected one, and of all."""

    protected: dict[str, int]
    family: set[bytes] = field(default_factory=set)
    size: int = 0
    total: int = 0

    def counts(self, prefix: str) -> dict[str, int]:
        return {prefix: len(self.family), **self.protected, "the whole database": self.total}


class ClearFamily(Action):
    """Removes the keys that begin with ``prefix``: the cache's own family, or a part of it.

    SCAN and UNLINK in batches, each followed by a pause as long as it took. Never more than ``at_most`` keys in
    one attempt; a live cache's number moves by itself, so this bound is what is approved.
    """

    name: ClassVar[str] = "clear-cache-family"
    title: ClassVar[str] = "Clear the cache's own keys"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cache"
    most: ClassVar[int] = 50_000
    seconds: ClassVar[float] = 1800.0
    items: ClassVar[tuple[str, ...]] = ("MNT-CCH-02",)
    guide: ClassVar[str] = "redis-cli FLUSHDB"
    reason: ClassVar[str] = (
        "FLUSHDB deletes queued jobs, rate limits, usage counts and sessions with the cached answers, holds everybody "
        "up while it does, and without -u it does so on localhost, not on the server of REDIS_URL (GH-23). Here only "
        "keys of the cache's own family go, in small batches, and those that must stay are counted."
    )

    prefix: str = Field(
        default="llm:cache:", max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*([:./][A-Za-z0-9_-]+)*:$"
    )
    at_most: int = Field(default=50_000, ge=1, le=1_000_000)

    def plan(self, target: ReadTarget) -> Plan:
        """Count what would go and what must stay; raises Refused where the family is no cache, or too large."""
        self._allowed(target.settings)
        identity = changeable(target.cache)
        clock = _clock(target.cache)
        seen = self._look(target)
        self._expires(target.cache, seen)
        stays = dict.fromkeys(target.settings.protected_prefixes, "as it is")
        return self.planned(
            before={self.prefix: "whatever is cached", **stays},
            after={self.prefix: "no key of before this step", **stays},
            touches=self.at_most,
            touched="keys at most",
            verification="The family is walked again: no key in it was last used before the step began. The protected "
            "families are counted again.",
            undo="None: what was cached is not kept anywhere. The cache fills by use; each answer is asked for once "
            "more, which costs time and tokens.",
            fingerprint=identity,
            observed={
                **seen.counts(self.prefix),
                "family_bytes": seen.size,
                "by the server's clock": clock.isoformat(),
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Remove them; raises Refused before that on another server, StepFailed when more would go than may."""
        self._allowed(target.settings)
        store = target.cache_store
        same_server(target, plan)
        since, removed, expected = _clock(store), 0, plan.observed[self.prefix]
        began = time.monotonic()
        for batch in store.scan(self.prefix):
            keys = list(dict.fromkeys(batch))
            if removed + len(keys) > self.at_most:
                raise StepFailed(
                    f"More than {self.at_most} keys would go; {removed} went.",
                    "See who fills the cache so fast; then plan with a greater at_most.",
                )
            removed += store.unlink(keys)
            progress(f"{removed} keys removed", removed, max(removed, expected))
            # Others have the server to themselves for as long as it worked for us.
            time.sleep(min(LONGEST_PAUSE, time.monotonic() - began))
            began = time.monotonic()
        return {"since": since.isoformat(), "removed": removed}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Walk the family again: who was idle for longer than the step is old, was there before it."""
        since = datetime.fromisoformat(str(values["since"]))
        # Under LFU the server counts uses and keeps no times.
        told = "lfu" not in target.cache.info("memory").get("maxmemory_policy", "")
        seen, old = self._look(target, bounded=False), 0
        for keys in _batches(sorted(seen.family)) if told else ():
            (second, _), *idle = target.cache.ask_many(
                [("TIME",), *(("OBJECT", "IDLETIME", key) for key in keys)],
            )
            age = int(second) - since.timestamp() + GRAIN_SECONDS
            old += sum(1 for seconds in idle if seconds is not None and int(seconds) > age)
        before, after = plan.observed, seen.counts(self.prefix)
        rows: Rows = tuple({"family": name, "before": before.get(name), "after": after[name]} for name in after)
        gone = sum(before.get(name, 0) for name in seen.protected) and not sum(seen.protected.values())
        if old or gone:
            said = f"{old} keys of before are still there" if old else "No protected key is left"
            return Verification(Verdict.CRITICAL, f"{said}: look who else clears or fills this server.", rows)
        left = len(seen.family)
        if left and not told:
            said = f"{left} keys are there, and under LFU the server does not tell whether they are new"
            return Verification(Verdict.UNKNOWN, f"{said}.", rows)
        again = f"{left} came since" if left else "none is there"
        kept = sum(seen.protected.values())
        return Verification(Verdict.OK, f"No key of before is left, {again}; {kept} protected keys are there.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether any key is left; which of them are new can't be told without knowing when it began."""
        clock = _clock(target.cache)
        left = len(self._look(target, bounded=False).family)
        if left:
            return Settled(Outcome.PARTLY, f"{left} keys of {self.prefix} are there; the rest may be removed as well.")
        values = {"since": clock.isoformat(), "removed": None}
        return Settled(Outcome.DONE, f"No key of {self.prefix} is left.", values)

    def _allowed(self, settings: ReadSettings) -> None:
        for kept in settings.protected_prefixes:
            if kept.startswith(self.prefix) or self.prefix.startswith(kept):
                raise Refused(
                    f"{self.prefix} takes keys of {kept}, which must never be cleared (OPS_PROTECTED_PREFIXES).",
                    "Name a family that holds cached answers only.",
                )
        if not self.prefix.startswith(settings.cache_prefix):
            raise Refused(
                f"{self.prefix} is not of the cache's own family {settings.cache_prefix} (OPS_CACHE_PREFIX).",
                "Name that family or a part of it; what else is a cache, the target's owner says.",
            )

    def _look(self, target: ReadTarget, *, bounded: bool = True) -> _Seen:
        cache, mine = target.cache, self.prefix.encode()
        marks = [(prefix, prefix.encode()) for prefix in target.settings.protected_prefixes]
        seen = _Seen(dict.fromkeys(target.settings.protected_prefixes, 0))
        for batch in cache.scan():
            seen.total += len(batch)
            for prefix, mark in marks:
                seen.protected[prefix] += sum(key.startswith(mark) for key in batch)
            new = [key for key in batch if key.startswith(mine) and key not in seen.family]
            seen.family.update(new)
            if bounded and len(seen.family) > self.at_most:
                raise Refused(
                    f"{self.prefix} holds more than {self.at_most} keys.",
                    "If that is as it should be, plan with a greater at_most; or name a part of the family.",
                )
            if bounded:
                sizes = cache.ask_many([("MEMORY", "USAGE", key) for key in new])
                seen.size += sum(int(size) for size in sizes if size is not None)
        return seen

    def _expires(self, cache: ReadOnlyCache, seen: _Seen) -> None:
        sample = list(seen.family)[:MOST_ASKED]
        staying = sum(int(left) == -1 for left in cache.ask_many([("PTTL", key) for key in sample]))
        if staying:
            raise Refused(
                f"{staying} of {len(sample)} keys of {self.prefix} never expire: what is kept for good is no cache.",
                "See who writes them (diagnostics/cache); name the part of the family that expires.",
            )


def _clock(cache: ReadOnlyCache) -> datetime:
    seconds, micros = cache.ask("TIME")
    return datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC)


def _batches(keys: list[bytes], size: int = 1000) -> Iterator[list[bytes]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
