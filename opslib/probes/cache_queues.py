"""Work that waits in Redis or Valkey: a BullMQ queue, and the consumer groups of streams.

Layouts as in BullMQ's key names (docs.bullmq.io, "wait", "active", "delayed" … of ``bull:<queue>:``) and the
manual of streams (valkey.io/topics/streams-intro). What a job or an entry carries is never read.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.cache_keys import Walk
from opslib.systems.cache import CacheUnreachable, ReadOnlyCache, shown
from opslib.systems.target import ReadTarget


def queue(name: str = "bull:llm-processing") -> Probe:
    """Sizes and oldest jobs of one BullMQ queue (``name`` is its key prefix); ages in seconds by the server's clock.

    Reads lengths, ids at the queue's ends and a job's times, never what a job carries. A queue of which
    no key exists is UNKNOWN: an idle queue keeps its ``meta`` key.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        cache = target.cache
        parts = ("wait", "paused", "active", "prioritized", "delayed", "failed", "completed", "waiting-children")
        if not cache.ask("EXISTS", *(f"{name}:{part}" for part in (*parts, "meta", "id", "events"))):
            raise Unreachable(
                f"No key of a queue {name} exists on this server.",
                "Was it never used here, or does the application write to another server or prefix?",
            )
        clock = int(cache.ask("TIME")[0])
        lengths = [("LLEN" if part in parts[:3] else "ZCARD", f"{name}:{part}") for part in parts]
        sizes = dict(zip(parts, cache.ask_many(lengths), strict=True))
        held = _oldest(cache, name, "active")
        return [
            {
                "queue": name,
                "waiting": sizes["wait"] + sizes["prioritized"],
                "oldest_waiting": _age(clock, _time_of(cache, name, _oldest(cache, name, "wait"), "timestamp")),
                "active": sizes["active"],
                "oldest_active": _age(clock, _time_of(cache, name, held, "processedOn")),
                "oldest_active_locked": bool(cache.ask("EXISTS", f"{name}:{held}:lock")) if held else None,
                "delayed": sizes["delayed"],
                "delayed_overdue": _overdue(cache, name, clock),
                "paused": sizes["paused"],
                "waiting_children": sizes["waiting-children"],
                "failed": sizes["failed"],
                "failed_last_hour": cache.ask("ZCOUNT", f"{name}:failed", (clock - 3600) * 1000, "+inf"),
                "completed": sizes["completed"],
            }
        ]

    return Probe(
        name="cache-queue",
        title=f"Queue {name}",
        read=read,
        source=f"LLEN {name}:wait · LINDEX {name}:wait -1 · HGET {name}:<job> timestamp · ZCARD {name}:failed …",
        units={"oldest_waiting": "s", "oldest_active": "s", "delayed_overdue": "s"},
    )


def _oldest(cache: ReadOnlyCache, name: str, part: str) -> str | None:
    """Return the job at a list's end; BullMQ 4 keeps a marker ``0:<delay>`` there beside the jobs."""
    ends = cache.ask_many([("LINDEX", f"{name}:{part}", -1), ("LINDEX", f"{name}:{part}", -2)])
    return next((str(job) for job in ends if job is not None and not str(job).startswith("0:")), None)


def _time_of(cache: ReadOnlyCache, name: str, job: str | None, field: str) -> float | None:
    stamp = cache.ask("HGET", f"{name}:{job}", field) if job else None
    return float(stamp) / 1000 if stamp else None


def _age(clock: float, since: float | None) -> float | None:
    return None if since is None else round(max(0.0, clock - since), 1)


def _overdue(cache: ReadOnlyCache, name: str, clock: float) -> float | None:
    """Return for how long the next delayed job is due; its score is its time in ms times 4096 plus a counter."""
    first = cache.ask("ZRANGE", f"{name}:delayed", 0, 0, "WITHSCORES")
    return _age(clock, float(first[1]) / 4096 / 1000) if first else None


def streams(seconds: float = 5.0) -> Probe:
    """Every stream's consumer groups in the address's database: entries nobody has read, and read but not confirmed.

    ``oldest_pending`` is the age of the oldest entry that was delivered and not acknowledged. Raises
    Unreachable when ``seconds`` were too short to look at all keys.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        cache, rows = target.cache, list[dict[str, Any]]()
        clock = int(cache.ask("TIME")[0])
        walk = Walk(cache, seconds, type_name="stream")
        for batch in walk.batches():
            rows += [row for key in batch for row in _groups(cache, key, clock)]
        if not walk.whole:
            raise Unreachable(f"Not all keys could be looked at within {seconds:g} s.", "Give it more seconds.")
        return sorted(rows, key=lambda row: -(row["oldest_pending"] or 0))

    return Probe(
        name="cache-streams",
        title="Streams and their consumer groups",
        read=read,
        source="SCAN 0 TYPE stream … · XINFO GROUPS <key> · XPENDING <key> <group>",
        units={"oldest_pending": "s"},
    )


def _groups(cache: ReadOnlyCache, key: bytes, clock: int) -> list[dict[str, Any]]:
    try:
        groups = [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in cache.ask("XINFO", "GROUPS", key)]
        pending = cache.ask_many([("XPENDING", key, group["name"]) for group in groups])
    except CacheUnreachable as error:
        if error.kind in ("wrong-type", "other"):  # the stream went, or became another thing, meanwhile
            return []
        raise
    return [
        {
            "stream": shown(key),
            "group": shown(str(group["name"]).encode()),
            "consumers": group["consumers"],
            "unread": group.get("lag"),
            "pending": group["pending"],
            "oldest_pending": _age(clock, int(str(oldest[1]).partition("-")[0]) / 1000) if oldest[1] else None,
        }
        for group, oldest in zip(groups, pending, strict=True)
    ]
