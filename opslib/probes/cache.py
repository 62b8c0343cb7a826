"""What Redis or Valkey says of itself: reach, memory, traffic, disk, clients, replicas.

Figures are INFO's (valkey.io/commands/info); counters since the start are read twice and given as
differences. What is stored is in :mod:`opslib.probes.cache_keys`, what waits in
:mod:`opslib.probes.cache_queues`, how long commands take in :mod:`opslib.probes.cache_speed`; all of it is
offered here too.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from opslib.model import Probe
from opslib.probes.cache_keys import census, policy
from opslib.probes.cache_queues import queue, streams
from opslib.probes.cache_speed import command_times, slow_commands
from opslib.probes.cache_warm import warm_up_route
from opslib.probes.cache_workload import workload
from opslib.systems.cache import CacheUnreachable, ReadOnlyCache
from opslib.systems.target import ReadTarget

__all__ = [
    "census",
    "clients",
    "command_times",
    "memory",
    "persistence",
    "policy",
    "queue",
    "reachable",
    "replication",
    "slow_commands",
    "streams",
    "traffic",
    "warm_up_route",
    "workload",
]

PINGS = 20
DOWN = frozenset({"refused", "slow", "loading", "no-primary", "full", "closed"})
"""Failures that an application meets as well; the others (name, log-in, TLS) may be the reader's own."""


def _number(info: Mapping[str, str], name: str) -> int | None:
    return int(info[name]) if name in info else None


def _percent(part: float | None, whole: float | None) -> float | None:
    return round(100 * part / whole, 1) if part is not None and whole else None


def _reach(target: ReadTarget) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"address": target.settings.read_cache_url.public, "answer": None}
    try:
        row["answer"], seconds = target.cache.timed_pings(PINGS)
    except CacheUnreachable as error:
        if error.kind not in DOWN:
            raise
        return [row | {"median": None, "worst": None, "reason": str(error)}]
    row |= {"median": round(statistics.median(seconds) * 1000, 2), "worst": round(max(seconds) * 1000, 2)}
    return [row | {"reason": None} | _identity(target.cache)]


def _identity(cache: ReadOnlyCache) -> dict[str, Any]:
    try:
        info = cache.info("server", "replication")
    except CacheUnreachable as error:
        return {"server": f"not shown ({error.kind})"}
    name = "Valkey" if "valkey_version" in info else "Redis"
    return {
        "server": f"{name} {info.get('valkey_version') or info.get('redis_version')}",
        "speaks": f"Redis {info.get('redis_version')}",
        "mode": info.get("server_mode") or info.get("redis_mode"),
        "role": info.get("role"),
        "uptime": _number(info, "uptime_in_seconds"),
        "configuration_file": bool(info.get("config_file")),
    }


reachable = Probe(
    name="cache-reachable",
    title="Answer of the cache, and who answers",
    read=_reach,
    source=f"{PINGS} × PING · INFO server",
    units={"median": "ms", "worst": "ms", "uptime": "s"},
    timing=True,
)
"""PING ``PINGS`` times. A cache that an application could not use either is a row with ``reason``."""


def _memory(target: ReadTarget) -> list[dict[str, Any]]:
    info = target.cache.info("memory")
    limit = _number(info, "maxmemory")
    used, aside = int(info["used_memory"]), _number(info, "mem_not_counted_for_evict") or 0
    return [
        {
            "used": used,
            "limit": limit,
            "use": _percent(used - aside, limit),
            "policy": info.get("maxmemory_policy"),
            "peak": _number(info, "used_memory_peak"),
            "resident": _number(info, "used_memory_rss"),
            "fragmentation": float(info["mem_fragmentation_ratio"]) if "mem_fragmentation_ratio" in info else None,
            "host": _number(info, "total_system_memory") or None,
            "client_buffers": _number(info, "mem_clients_normal"),
            "replication_buffers": _number(info, "mem_total_replication_buffers"),
        }
    ]


_BYTES = ("used", "limit", "peak", "resident", "host", "client_buffers", "replication_buffers")
memory = Probe(
    name="cache-memory",
    title="Memory of the cache",
    read=_memory,
    source="INFO memory",
    units={"use": "%"} | dict.fromkeys(_BYTES, "bytes"),
)
"""Use against maxmemory as the eviction counts it (without replication buffers); host memory as the server sees it."""

COUNTERS = {
    "evicted": "evicted_keys",
    "expired": "expired_keys",
    "rejected_connections": "rejected_connections",
    "evicted_clients": "evicted_clients",
    "hits": "keyspace_hits",
    "misses": "keyspace_misses",
    "commands": "total_commands_processed",
}


def traffic(window_seconds: float = 10.0) -> Probe:
    """Counters over ``window_seconds``, as differences of two samples; never since the start.

    ``restarted`` is true when the server was started anew or its counters were reset in between: the
    differences are None then. ``writes_refused`` are answers OOM (memory full, nothing to evict).
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        before, since = _sample(target.cache), time.monotonic()
        time.sleep(window_seconds)
        after, seconds = _sample(target.cache), time.monotonic() - since
        restarted = before["run"] != after["run"] or any(after[name] < before[name] for name in before if name != "run")
        row = {name: None if restarted else after[name] - before[name] for name in before if name != "run"}
        hits, misses = row["hits"], row["misses"]
        lookups = None if hits is None or misses is None else hits + misses
        return [
            {"window": round(seconds, 2), "restarted": restarted}
            | row
            | {"lookups": lookups, "hit_ratio": _percent(hits, lookups)}
        ]

    return Probe(
        name="cache-traffic",
        title=f"Traffic of the cache in {window_seconds:g} s",
        read=read,
        source=f"INFO server · INFO stats · INFO errorstats, twice, {window_seconds:g} s apart",
        units={"window": "s", "hit_ratio": "%"},
    )


def _sample(cache: ReadOnlyCache) -> dict[str, Any]:
    info = cache.info("server", "stats", "errorstats")
    counters = {name: _number(info, field) or 0 for name, field in COUNTERS.items()}
    refused = info.get("errorstat_OOM", "count=0").partition("=")[2]
    return {"run": info.get("run_id"), **counters, "writes_refused": int(refused)}


def _persistence(target: ReadTarget) -> list[dict[str, Any]]:
    cache = target.cache
    info = cache.info("persistence", "stats")
    try:
        snapshots = bool(cache.setting("save"))
    except CacheUnreachable as error:
        if error.kind not in ("forbidden", "unknown-command"):
            raise
        snapshots = None
    clock, saved = int(cache.ask("TIME")[0]), int(info["rdb_last_save_time"])
    return [
        {
            "snapshots_on": snapshots,
            "append_only_on": info["aof_enabled"] == "1",
            "last_snapshot": info["rdb_last_bgsave_status"],
            "since_snapshot": clock - saved,
            "unsaved_changes": _number(info, "rdb_changes_since_last_save"),
            "last_append": info["aof_last_write_status"],
            "last_rewrite": info["aof_last_bgrewrite_status"],
            "snapshots_since_start": _number(info, "rdb_saves"),
            "copied_while_saving": _number(info, "rdb_last_cow_size"),
            "fork": round((_number(info, "latest_fork_usec") or 0) / 1000, 3),
        }
    ]


persistence = Probe(
    name="cache-persistence",
    title="What is written to disk",
    read=_persistence,
    source="INFO persistence · CONFIG GET save",
    units={"since_snapshot": "s", "copied_while_saving": "bytes", "fork": "ms"},
)
"""Snapshots (RDB) and append-only file. ``snapshots_on`` is None where CONFIG is forbidden (managed services)."""


def _clients(target: ReadTarget) -> list[dict[str, Any]]:
    cache = target.cache
    info = cache.info("clients", "stats")
    connected, limit = int(info["connected_clients"]), _number(info, "maxclients")
    if limit is None:
        limit = int(cache.setting("maxclients") or 0) or None
    return [
        {
            "connected": connected,
            "limit": limit,
            "use": _percent(connected, limit),
            "blocked": _number(info, "blocked_clients"),
            "paused": info.get("paused_actions", "none"),
            "paused_for": _number(info, "paused_timeout_milliseconds"),
            "rejected_since_start": _number(info, "rejected_connections"),
            "most_connections": _holders(cache),
        }
    ]


def _holders(cache: ReadOnlyCache) -> str:
    """Return who holds most connections, by name and user, without the part of a name that is a number."""
    try:
        lines = str(cache.ask("CLIENT", "LIST")).splitlines()
    except CacheUnreachable as error:
        return f"not shown ({error.kind})"
    facts = [dict(word.partition("=")[::2] for word in line.split(" ")) for line in lines if line]
    names = (re.sub(r"[0-9]+", "#", fact.get("name") or "unnamed") for fact in facts)
    counted = Counter(f"{name} ({fact.get('user', '?')})" for name, fact in zip(names, facts, strict=True))
    return ", ".join(f"{number} × {name}" for name, number in counted.most_common(5))


clients = Probe(
    name="cache-clients",
    title="Connections to the cache",
    read=_clients,
    source="INFO clients · CLIENT LIST",
    units={"use": "%", "paused_for": "ms"},
)
"""Connections against maxclients, who holds them, and whether someone paused the clients (CLIENT PAUSE)."""


def _replication(target: ReadTarget) -> list[dict[str, Any]]:
    info = target.cache.info("replication")
    if info["role"] != "master":
        down = _number(info, "master_link_down_since_seconds")
        return [
            {
                "role": "replica",
                "peer": f"{info.get('master_host')}:{info.get('master_port')}",
                "state": "online" if info.get("master_link_status") == "up" else "link down",
                "silent": down if down is not None else _number(info, "master_last_io_seconds_ago"),
                "behind": None,
            }
        ]
    sent = int(info["master_repl_offset"])
    lines = (info[name] for name in sorted(info) if re.fullmatch(r"slave\d+", name))
    replicas = [dict(part.partition("=")[::2] for part in line.split(",")) for line in lines]
    return [
        {
            "role": "primary",
            "peer": f"{replica['ip']}:{replica['port']}",
            "state": replica["state"],
            "silent": int(replica["lag"]),
            "behind": max(0, sent - int(replica["offset"])),
        }
        for replica in replicas
    ] or [{"role": "primary", "peer": None, "state": "no replica", "silent": None, "behind": None}]


replication = Probe(
    name="cache-replication",
    title="Replication",
    read=_replication,
    source="INFO replication",
    units={"silent": "s", "behind": "bytes"},
)
"""One row a link, or the one row ``no replica``; ``silent`` is how long nothing came over the link."""
