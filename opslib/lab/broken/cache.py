"""What breaks in the lab's Valkey: no room, and a policy that throws away what must stay."""

from __future__ import annotations

from contextlib import suppress

from opslib.lab.broken import Fault
from opslib.lab.broken.parts import cache, folder, kill
from opslib.lab.cache import DAY, MAXMEMORY, POLICY
from opslib.lab.supervisor import Lab
from opslib.settings import Settings
from opslib.systems.cache_writing import Cache

ROOM = 1.02
"""The limit that fills the cache, as a multiple of the memory that is used."""
GROWTH = 8 * 1024 * 1024
"""Bytes that the cache's own family grows by, until there is no more."""
GROWN = "llm:cache:lab-fault:"
ANSWER = b"x" * 16 * 1024
SECONDS = 10.0


def fill(settings: Settings) -> None:
    """Lower the limit to what is used, and let nothing be evicted: writes begin to fail."""
    writing = Cache(settings.cache_url, "lab", "")
    try:
        writing.set_memory(int(int(writing.info("memory")["used_memory"]) * ROOM), "noeviction")
    finally:
        writing.close()


def overgrow(settings: Settings) -> None:
    """Let the cache's own family take all of the memory there is: every write fails from then on."""
    import redis

    line = redis.Redis.from_url(settings.cache_url.reveal(), socket_timeout=SECONDS)
    with line as client, suppress(redis.OutOfMemoryError):
        if client.exists(f"{GROWN}0"):
            return
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", used + GROWTH)
        for number in range(2 * GROWTH // len(ANSWER)):
            client.set(f"{GROWN}{number}", ANSWER, ex=DAY)


def cut_back(settings: Settings) -> None:
    """Take away what was grown, and bring back limit and policy."""
    import redis

    with redis.Redis.from_url(settings.cache_url.reveal(), socket_timeout=SECONDS) as client:
        if names := list(client.scan_iter(match=f"{GROWN}*", count=1000)):
            client.unlink(*names)
    mend(settings)


def evict(settings: Settings) -> None:
    """Do what the guide says for high traffic: evict any key."""
    _set(settings, "allkeys-lru")


def mend(settings: Settings) -> None:
    """Bring back the lab's limit and policy."""
    _set(settings, POLICY)


def lose(settings: Settings) -> None:
    """Kill the cache's process."""
    kill(cache(settings).trace)


def start(settings: Settings) -> None:
    """Start it again, with what its append-only file has."""
    Lab(folder(settings)).up()


def _set(settings: Settings, policy: str) -> None:
    writing = Cache(settings.cache_url, "lab", "")
    try:
        writing.set_memory(MAXMEMORY, policy)
    finally:
        writing.close()


FAULTS = (
    Fault(
        "cache-overgrown",
        "cache",
        "Cached answers take all of the memory, and nothing is evicted: every write fails.",
        "cache-memory",
        "runbooks/maintain-cache",
        overgrow,
        cut_back,
    ),
    Fault(
        "cache-lost",
        "cache",
        "The cache's process was killed, and its pod waits before it tries again.",
        "cache-reachable",
        "disaster/recover-everything",
        lose,
        start,
    ),
    Fault(
        "cache-full",
        "cache",
        "The cache is full and evicts nothing: writes fail soon.",
        "cache-memory",
        "runbooks/scale-for-high-traffic",
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
