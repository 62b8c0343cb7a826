"""What of the write-ahead log and of base backups stands in the bucket, for point-in-time recovery.

Below ``OPS_CONTINUOUS_PREFIX``: ``base/<name>/`` with PostgreSQL's own ``backup_manifest``, put last, and
``wal/<piece>.gz`` under the names that PostgreSQL gives, with the moment at which a piece was full. Nothing else is
believed: a gap of one piece ends every recovery there, whatever lies behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.systems.object_store import CHUNK, Store, Stored
from opslib.systems.target import ReadTarget

MANIFEST = "backup_manifest"
LARGEST = 64 * CHUNK
"""A manifest has a line per file: a hundred thousand files are some 20 MB."""

PIECE_BYTES = 16 * 1024 * 1024
"""Of a piece of the log, unless the server was initialised otherwise (initdb --wal-segsize)."""

_PIECE = re.compile(r"(?P<timeline>[0-9A-F]{8})(?P<high>[0-9A-F]{8})(?P<low>[0-9A-F]{8})")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")


@dataclass(frozen=True)
class Chain:
    """The unbroken pieces from a base backup on: the last one's name, and the first that is missing behind it.

    ``missing`` is None where nothing lies behind the last piece.
    """

    last: str | None
    end_bytes: int | None
    missing: str | None
    pieces: int


def chain(names: Iterable[str], timeline: int, start_bytes: int, piece_bytes: int = PIECE_BYTES) -> Chain:
    """Return what can be applied without a gap, from ``start_bytes`` of ``timeline`` on.

    A later timeline counts only where its history is kept as well: without it a recovery does not find the fork.
    """
    names = list(names)
    known = {timeline} | {int(found[1], 16) for name in names if (found := _HISTORY.fullmatch(name))}
    kept: dict[int, str] = {}
    for name in sorted(names):  # the newest timeline of a piece wins: a recovery goes there
        found = _PIECE.fullmatch(name)
        if found and int(found["timeline"], 16) in known and int(found["timeline"], 16) >= timeline:
            kept[int(found["high"], 16) * (2**32 // piece_bytes) + int(found["low"], 16)] = name
    number = first = start_bytes // piece_bytes
    while number in kept:
        number += 1
    behind = any(other > number for other in kept)
    missing = _name(timeline, number, piece_bytes) if behind or number == first else None
    if number == first:
        return Chain(None, None, missing, 0)
    return Chain(kept[number - 1], number * piece_bytes, missing, number - first)


def _name(timeline: int, number: int, piece_bytes: int) -> str:
    each = 2**32 // piece_bytes
    return f"{timeline:08X}{number // each:08X}{number % each:08X}"


def position(lsn: str) -> int:
    """Return a position of the log as bytes from its beginning; raises ValueError for what is none."""
    high, low = lsn.split("/")
    return int(high, 16) * 2**32 + int(low, 16)


def _kept(target: ReadTarget) -> list[dict[str, Any]]:
    prefix = target.settings.continuous_prefix
    if prefix is None:
        return []
    store = target.backups
    bases = sorted(
        (item for item in store.list(f"{prefix}base/") if item.key.endswith(f"/{MANIFEST}")),
        key=lambda item: item.modified,
    )
    pieces = {item.key.removeprefix(f"{prefix}wal/").removesuffix(".gz"): item for item in store.list(f"{prefix}wal/")}
    row: dict[str, Any] = {"where": f"s3://{store.bucket}/{prefix}", "base_backups": len(bases), "pieces": len(pieces)}
    if not bases:
        return [row | dict.fromkeys(("base", "base_age_seconds", "last", "ended", "missing", "system_identifier"))]
    return [row | _newest(store, bases[-1], pieces)]


def _newest(store: Store, base: Stored, pieces: dict[str, Stored]) -> dict[str, Any]:
    said = _manifest(store, base)
    found = chain(pieces, said["timeline"], said["start_bytes"])
    ended = None if found.last is None else _ended(store, pieces[found.last])
    return {
        "base": base.key.split("/")[-2],
        "base_age_seconds": round((now() - base.modified).total_seconds(), 1),
        "system_identifier": said["system_identifier"],
        "timeline": said["timeline"],
        "start_bytes": said["start_bytes"],
        "last": found.last,
        "end_bytes": max(found.end_bytes or 0, said["end_bytes"]),
        # The base backup brings the log that it needs: without a piece behind it, its own end is the way back.
        "ended": ended or base.modified,
        "missing": found.missing,
    }


def _manifest(store: Store, base: Stored) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(store.read(base.key, LARGEST, base.version))
        first, last = said["WAL-Ranges"][0], said["WAL-Ranges"][-1]
        return {
            # Since version 17; before, nobody can tell whose base backup it is.
            "system_identifier": str(said["System-Identifier"]) if "System-Identifier" in said else None,
            "timeline": int(last["Timeline"]),
            "start_bytes": position(first["Start-LSN"]),
            "end_bytes": position(last["End-LSN"]),
        }
    except (ValueError, KeyError, TypeError, IndexError) as error:
        message = f"s3://{store.bucket}/{base.key} is no manifest of a base backup: {error!r}."
        raise Unreachable(message, "See who wrote it; take a base backup.", "other") from error


def _ended(store: Store, piece: Stored) -> datetime:
    head = store.head(piece.key, piece.version)
    said = head.metadata.get("ended") if head else None
    try:
        moment = datetime.fromisoformat(said) if said else piece.modified
    except ValueError:
        moment = piece.modified
    # Whoever keeps it may have a clock that is ahead; it can't have ended after it was here.
    return min(moment, piece.modified) if moment.tzinfo else piece.modified


kept_log = Probe(
    "database-kept-log",
    "Base backups and write-ahead log in the bucket",
    _kept,
    source="ListObjectVersions, GetObject of the newest backup_manifest, HeadObject of the last piece",
    units={"base_age_seconds": "s", "end_bytes": "bytes", "start_bytes": "bytes"},
)
"""One row, or none where the description says that no log is kept: the newest base backup, and how far the log goes.

``last`` is the last piece without a gap, ``ended`` when it was full, ``missing`` the piece that ends it.
"""
