"""How much memory the cache may use, and what it does when that is full: set while it runs, within its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cache_server import changeable, same_server
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.systems.cache import CacheUnreachable, ReadOnlyCache
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

MIB = 2**20
MOST_SHARE = 0.75
"""Of the memory that there is: a snapshot's copied pages and the clients' buffers come on top of maxmemory."""
HIDDEN = frozenset({"forbidden", "unknown-command"})
"""How a managed service answers CONFIG."""
SIZE, POLICY = "maxmemory", "maxmemory-policy"
LOST = (
    "A restart of the server loses both, unless they are written into its configuration (CONFIG REWRITE, or its file)."
)

Policy = Literal[
    "as-it-is",
    "noeviction",
    "volatile-lru",
    "volatile-lfu",
    "volatile-ttl",
    "volatile-random",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
]


class SetCacheMemory(Action):
    """Sets ``maxmemory`` and ``maxmemory-policy`` of the running server; 0 and ``as-it-is`` leave them."""

    name: ClassVar[str] = "set-cache-memory"
    title: ClassVar[str] = "Set the cache's memory and what it does when full"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cache"
    most: ClassVar[int] = 2
    seconds: ClassVar[float] = 120.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SCL-03", "RUN-SCL-04")
    guide: ClassVar[str] = "redis-cli CONFIG SET maxmemory 4gb; redis-cli CONFIG SET maxmemory-policy allkeys-lru"
    reason: ClassVar[str] = (
        "The guide looks at neither host nor container, and a limit above them is none: the system kills the server. "
        "CONFIG SET is lost at a restart and refused by managed services (GH-33). allkeys-lru lets the server evict "
        "queued jobs; a queue wants noeviction, or keys that never expire under volatile-lru."
    )

    megabytes: int = Field(default=0, ge=0, le=4_194_304)
    policy: Policy = "as-it-is"

    def plan(self, target: ReadTarget) -> Plan:
        """Look at both settings, at the memory that there is and what lives there; raises Refused, with figures."""
        if not self.megabytes and self.policy == "as-it-is":
            return self._nothing()
        identity = changeable(target.cache)
        before = _settings(target.cache)
        after = {
            SIZE: self.megabytes * MIB or before[SIZE],
            POLICY: before[POLICY] if self.policy == "as-it-is" else self.policy,
        }
        info = target.cache.info("memory")
        seen = {"used": int(info["used_memory"]), **_there_is(target, info)}
        if self.megabytes:
            _allowed(after[SIZE], seen)
        if after[POLICY] != before[POLICY] and str(after[POLICY]).startswith("allkeys"):
            _evicts_nothing_of_others(target, str(after[POLICY]))
        return self.planned(
            before=before,
            after=after,
            touches=sum(before[name] != after[name] for name in before),
            touched="settings",
            verification=f"CONFIG GET says both. {LOST}",
            undo="Both are set as they were; where more is in use by then, the server evicts by that policy.",
            fingerprint=identity,
            observed=seen,
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set both at once; raises Refused where they are not as planned any more, or cannot be set."""
        if not plan.fingerprint:
            return {"used": None}
        same_server(target, plan)
        now = _settings(target.cache)
        if now not in (dict(plan.before), dict(plan.after)):
            raise Refused(f"They are {_words(now)} by now, not {_words(plan.before)}.", "Plan again.")
        _set(target, plan.after)
        return {"used": int(target.cache.info("memory")["used_memory"])}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask the server for both."""
        if not plan.fingerprint:
            return Verification(Verdict.OK, "Nothing was asked for: nothing was looked at or set.")
        now = _settings(target.cache)
        rows = tuple({"setting": name, "before": plan.before[name], "now": now[name]} for name in now)
        if now != dict(plan.after):
            return Verification(Verdict.CRITICAL, f"They are {_words(now)}, not {_words(plan.after)}.", rows)
        return Verification(Verdict.OK, f"{_words(now)}. {LOST}", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Ask the server for both."""
        if not plan.fingerprint:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"used": None})
        now = _settings(target.cache)
        if now == dict(plan.after):
            return Settled(Outcome.DONE, "Both are as planned.", {"used": None})
        if now == dict(plan.before):
            return Settled(Outcome.NOT_DONE, "Both are as before.")
        return Settled(Outcome.UNKNOWN, f"They are {_words(now)}: somebody else set them.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set what was recorded; raises Refused where somebody set others since, or writes would be refused then."""
        now = _settings(target.cache)
        if now == dict(plan.before):
            return Verification(Verdict.OK, f"{_words(now)}, as before already (a restart does that).")
        same_server(target, plan)
        if now != dict(plan.after):
            raise Refused(f"They are {_words(now)} by now: somebody set them since.", "Look who; set them by a run.")
        used = int(target.cache.info("memory")["used_memory"])
        if plan.before[POLICY] == "noeviction" and 0 < plan.before[SIZE] < used:
            raise Refused(
                f"{_mib(used)} are in use: with {_words(plan.before)} every write would be refused.",
                "Clear the cache first (runbooks/maintain-cache), then undo.",
            )
        _set(target, plan.before)
        now = _settings(target.cache)
        back = now == dict(plan.before)
        return Verification(Verdict.OK if back else Verdict.CRITICAL, f"{_words(now)}{', as before' if back else ''}.")

    def _nothing(self) -> Plan:
        """Return the plan of nothing: it needs no server, so a cache that is out does not hold up other steps."""
        return self.planned(
            before={SIZE: "as it is", POLICY: "as-it-is"},
            after={SIZE: "as it is", POLICY: "as-it-is"},
            touches=0,
            touched="settings",
            verification="None: nothing is set.",
            undo="None is needed.",
        )


def _settings(cache: ReadOnlyCache) -> dict[str, int | str]:
    try:
        size, policy = cache.setting(SIZE), cache.setting(POLICY)
    except CacheUnreachable as error:
        if error.kind in HIDDEN:
            raise _hidden() from error
        raise
    return {SIZE: int(size or 0), POLICY: str(policy)}


def _hidden() -> Refused:
    return Refused(
        "This server does not let its settings be read or set: a managed service keeps them.",
        "Set maxmemory-policy in its parameter group, and more memory by a larger node type, at its console.",
    )


def _set(target: WriteTarget, wanted: Mapping[str, Any]) -> None:
    try:
        target.cache_store.set_memory(int(wanted[SIZE]), str(wanted[POLICY]))
    except Unreachable as error:
        if error.kind in HIDDEN:
            raise _hidden() from error
        raise


def _there_is(target: ReadTarget, info: Mapping[str, str]) -> dict[str, Any]:
    """Return how much memory there is: of the host as the server sees it, of the container as it is described."""
    limit = target.settings.cache_memory_mb
    host = int(info.get("total_system_memory", "0")) or None
    return {"host": host, "container": limit * MIB if limit else None}


def _allowed(size: int | str, seen: Mapping[str, Any]) -> None:
    known = {name: seen[name] for name in ("host", "container") if seen[name]}
    if not known:
        raise Refused(
            "Neither the server nor the target description says how much memory there is.", "Set OPS_CACHE_MEMORY_MB."
        )
    name, there = min(known.items(), key=lambda pair: pair[1])
    if int(size) > there * MOST_SHARE:
        raise Refused(
            f"{_mib(int(size))} are more than {MOST_SHARE:.0%} of its {name}'s {_mib(there)}: it would be killed.",
            f"Ask for at most {int(there * MOST_SHARE / MIB)}, or give it more memory first.",
        )
    if int(size) < seen["used"]:
        raise Refused(
            f"{_mib(seen['used'])} are in use: with {_mib(int(size))} keys would go, or writes be refused, at once.",
            "Clear the cache first (runbooks/maintain-cache), or ask for more.",
        )


def _evicts_nothing_of_others(target: ReadTarget, policy: str) -> None:
    marks = tuple(prefix.encode() for prefix in target.settings.protected_prefixes)
    for batch in target.cache.scan():
        for key in batch:
            if key.startswith(marks):
                kept = next(mark for mark in marks if key.startswith(mark)).decode()
                raise Refused(
                    f"{policy} may evict keys of {kept}, which live on this server (OPS_PROTECTED_PREFIXES).",
                    "Choose volatile-lru, or noeviction as the queue wants it; or give the queue a server of its own.",
                )


def _words(said: Mapping[str, Any]) -> str:
    size = _mib(int(said[SIZE])) if said[SIZE] else "0 (no limit)"
    return f"{SIZE} {size}, {POLICY} {said[POLICY]}"


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"
