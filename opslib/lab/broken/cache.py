"""What breaks in the lab's Valkey: no room, and a policy that throws away what must stay."""

from __future__ import annotations

from opslib.lab.broken import Fault
from opslib.lab.cache import MAXMEMORY, POLICY
from opslib.settings import Settings
from opslib.systems.cache_writing import Cache

ROOM = 1.02
"""The limit that fills the cache, as a multiple of the memory that is used."""


def fill(settings: Settings) -> None:
    """Lower the limit to what is used, and let nothing be evicted: writes begin to fail."""
    cache = Cache(settings.cache_url, "lab", "")
    try:
        cache.set_memory(int(int(cache.info("memory")["used_memory"]) * ROOM), "noeviction")
    finally:
        cache.close()


def evict(settings: Settings) -> None:
    """Do what the guide says for high traffic: evict any key."""
    _set(settings, "allkeys-lru")


def mend(settings: Settings) -> None:
    """Bring back the lab's limit and policy."""
    _set(settings, POLICY)


def _set(settings: Settings, policy: str) -> None:
    cache = Cache(settings.cache_url, "lab", "")
    try:
        cache.set_memory(MAXMEMORY, policy)
    finally:
        cache.close()


FAULTS = (
    Fault(
        "cache-full",
        "cache",
        "The cache is full and evicts nothing: writes fail soon.",
        "cache-memory",
        "runbooks/maintain-cache",
        fill,
        mend,
    ),
    Fault(
        "cache-evicts-jobs",
        "cache",
        "The guide's allkeys-lru is set: queued jobs and limits may be evicted.",
        "cache-policy",
        "runbooks/scale-for-high-traffic",
        evict,
        mend,
    ),
)
