"""What is stored in Redis or Valkey: the key families, and what an eviction may take of them.

Only SCAN, MEMORY USAGE and RANDOMKEY leave the server's hit and miss counters alone; TTL, TYPE, LLEN and
the like count as look-ups. The walks over all keys therefore use the first two, and ask the others of a
few keys only (measured on Valkey 9.1 with INFO stats before and after).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opslib.model import Probe
from opslib.systems.cache import ReadOnlyCache, shown
from opslib.systems.target import ReadTarget

BIG_KEY_NAMED = 1024 * 1024
"""Keys from this size on (bytes) are named; smaller ones stay unnamed, since names may hold user ids."""
MOST_FAMILIES = 24
MOST_ASKED = 200
"""Protected keys whose time to live is asked; each is a look-up in the server's statistics."""


def family(key: str, prefixes: tuple[str, ...]) -> str:
    """Return the family of ``key``: the longest of ``prefixes`` it begins with, else its first name and a colon.

    First names that look like an id (four digits or more, odd characters) are not repeated.
    """
    if known := [prefix for prefix in prefixes if key.startswith(prefix)]:
        return max(known, key=len)
    first, colon, _ = key.partition(":")
    if not colon:
        return "(no prefix)"
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,31}", first) and len(re.findall(r"\d", first)) < 4
    return f"{first}:" if plain else "(other)"


@dataclass
class Walk:
    """A walk over all keys under a time budget; tells afterwards how much of them it saw."""

    cache: ReadOnlyCache
    seconds: float
    type_name: str | None = None
    seen: int = 0
    whole: bool = False

    def batches(self) -> Iterator[list[bytes]]:
        """Yield the keys in batches until all are seen or the time is up."""
        self.total = int(self.cache.ask("DBSIZE"))
        end = time.monotonic() + self.seconds
        for batch in self.cache.scan(type_name=self.type_name):
            self.seen += len(batch)
            yield batch
            if time.monotonic() > end:
                return
        self.whole = True

    @property
    def coverage(self) -> float:
        """Percent of the keys that were looked at; 100 only when the walk came to its end."""
        return 100.0 if self.whole else round(min(99.9, 100 * self.seen / max(self.total, 1)), 1)


@dataclass
class _Tally:
    keys: int = 0
    size: int = 0
    largest: int = 0
    largest_key: bytes = b""

    def add(self, key: bytes, size: int) -> None:
        self.keys, self.size = self.keys + 1, self.size + size
        if size > self.largest:
            self.largest, self.largest_key = size, key

    def join(self, other: _Tally) -> None:
        self.keys, self.size = self.keys + other.keys, self.size + other.size
        if other.largest > self.largest:
            self.largest, self.largest_key = other.largest, other.largest_key


def census(seconds: float = 20.0) -> Probe:
    """Memory by key family, for at most ``seconds``: SCAN with pipelined MEMORY USAGE (an estimate for collections).

    Rows: a family each, largest first, then what the server itself takes (and, when the time was too
    short, what was not looked at). ``coverage`` says how much of the keys was looked at.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        prefixes = (target.settings.cache_prefix, *target.settings.protected_prefixes)
        walk, tallies = Walk(target.cache, seconds), dict[str, _Tally]()
        for batch in walk.batches():
            sizes = target.cache.ask_many([("MEMORY", "USAGE", key) for key in batch])
            for key, size in zip(batch, sizes, strict=True):
                if size is not None:  # None: the key went between SCAN and MEMORY USAGE
                    name = family(key.decode("utf-8", "backslashreplace"), prefixes)
                    tallies.setdefault(name, _Tally()).add(key, int(size))
        memory = target.cache.info("memory")
        used, limit = int(memory["used_memory"]), int(memory["maxmemory"])
        common = {"coverage": walk.coverage, "used": used, "limit": limit}
        protected = set(target.settings.protected_prefixes)
        rows = [_family_row(name, tally, name in protected, used) | common for name, tally in _largest(tallies)]
        rest = max(0, used - sum(row["bytes"] for row in rows))
        last = "(server itself)" if walk.whole else "(not looked at, and server itself)"
        return [*rows, _family_row(last, _Tally(size=rest), False, used) | {"keys": None} | common]

    return Probe(
        name="cache-census",
        title="Memory by key family",
        read=read,
        source="SCAN 0 COUNT 1000 … · MEMORY USAGE <key> · INFO memory",
        units={
            "bytes": "bytes",
            "share": "%",
            "largest": "bytes",
            "coverage": "%",
            "used": "bytes",
            "limit": "bytes",
        },
    )


def _largest(tallies: dict[str, _Tally]) -> list[tuple[str, _Tally]]:
    ordered = sorted(tallies.items(), key=lambda item: -item[1].size)
    kept, rest = ordered[:MOST_FAMILIES], ordered[MOST_FAMILIES:]
    if rest:
        others = _Tally()
        for _, tally in rest:
            others.join(tally)
        kept.append((f"({len(rest)} smaller families)", others))
    return kept


def _family_row(name: str, tally: _Tally, protected: bool, used: int) -> dict[str, Any]:
    big = tally.largest >= BIG_KEY_NAMED
    return {
        "family": name,
        "protected": protected,
        "keys": tally.keys,
        "bytes": tally.size,
        "share": round(100 * tally.size / used, 1) if used else None,
        "largest": tally.largest or None,
        "largest_key": shown(tally.largest_key) if big else None,
    }


def policy(seconds: float = 5.0) -> Probe:
    """The eviction policy beside what it may take: protected keys, and keys without a time to live.

    Counts of keys are of all databases (INFO keyspace), since an eviction takes from all; protected
    families are looked for by SCAN in the address's own database, for at most ``seconds``.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        memory, keyspace = target.cache.info("memory"), target.cache.info("keyspace")
        used, limit = int(memory["used_memory"]), int(memory["maxmemory"])
        keys, expiring = _keyspace(keyspace)
        walk, found, sample = Walk(target.cache, seconds), dict[str, int](), list[bytes]()
        marks = tuple((prefix, prefix.encode()) for prefix in target.settings.protected_prefixes)
        for batch in walk.batches():
            for prefix, mark in marks:
                mine = [key for key in batch if key.startswith(mark)]
                sample += mine[: max(0, MOST_ASKED // len(marks) - found.get(prefix, 0))]
                found[prefix] = found.get(prefix, 0) + len(mine)
        left = target.cache.ask_many([("PTTL", key) for key in sample])
        return [
            {
                "policy": memory["maxmemory_policy"],
                "limit": limit,
                "use": round(100 * used / limit, 1) if limit else None,
                "keys": keys,
                "keys_without_expiry": keys - expiring,
                "protected_keys": sum(found.values()),
                "protected_families": ", ".join(prefix for prefix, number in found.items() if number),
                "protected_asked": len(sample),
                "protected_expiring": sum(1 for answer in left if int(answer) >= 0),
                "coverage": walk.coverage,
            }
        ]

    return Probe(
        name="cache-policy",
        title="Eviction policy and what it may take",
        read=read,
        source="INFO memory · INFO keyspace · SCAN 0 COUNT 1000 … · PTTL <some protected keys>",
        units={"limit": "bytes", "use": "%", "coverage": "%"},
    )


def _keyspace(keyspace: dict[str, str]) -> tuple[int, int]:
    """Return the number of keys and of keys with a time to live, over all databases (``db0:keys=…,expires=…``)."""
    rows = [dict(part.partition("=")[::2] for part in text.split(",")) for text in keyspace.values()]
    return sum(int(row["keys"]) for row in rows), sum(int(row["expires"]) for row in rows)
