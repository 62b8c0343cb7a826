"""What an archive takes, how old it is, for how long its room lasts; and its whole life as a picture wants it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opslib.archive.audited_log import silent
from opslib.archive.audited_look import STANDINGS, Look
from opslib.archive.log import LAST, Entry
from opslib.errors import OpsError, Unreachable
from opslib.probes.observability_audit import BACK

DAY = timedelta(days=1)
PARTS = 48
"""Columns of the picture."""


def room(look: Look) -> list[dict[str, Any]]:
    """Return a row of how long the room lasts, then one per part of the archive with its size and age."""
    parts = [_part(look.folder / name) for name in sorted(os.listdir(look.folder))]  # noqa: PTH208
    parts = [part for part in parts if part["files"]]
    try:
        free = shutil.disk_usage(look.folder).free
    except OSError as error:
        raise Unreachable(f"{look.folder} cannot be looked at: {error.strerror}.", "Look at its disk.") from error
    recent = [entry for entry in look.entries if look.moment - _at(entry) <= BACK]
    since = max((look.moment - _at(recent[0])) / DAY, 1.0) if recent else 1.0
    size = sum(part["size"] for part in parts)
    entries_a_day = len(recent) / since
    bytes_a_day = size / max(len(look.entries), 1) * entries_a_day
    lasts = [free / bytes_a_day] if bytes_a_day else []
    lasts += [(LAST - look.entries[-1].seq) / entries_a_day] if recent else []
    first = look.entries[0] if look.entries else None
    whole = {
        "kind": "room",
        "first_entry_at": first.time if first else None,
        "size": size,
        "size_a_day": round(bytes_a_day),
        "free": free,
        "entries_left": LAST - (look.entries[-1].seq if look.entries else 0),
        "lasts_days": round(min(lasts), 1) if lasts else None,
    }
    return [whole, *sorted(parts, key=lambda part: -part["size"])]


def _part(path: Path) -> dict[str, Any]:
    times: list[float] = []
    size = 0
    for found in _stats(path):
        size += found.st_size
        times.append(found.st_mtime)
    ends = [
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (min(times, default=0), max(times, default=0))
    ]
    return {"kind": "part", "part": path.name, "files": len(times), "size": size, "oldest": ends[0], "newest": ends[1]}


def _stats(path: Path) -> Iterator[os.stat_result]:
    """Yield what is known of each file; one that goes away meanwhile is left out."""
    try:
        if path.is_symlink() or not path.is_dir():
            yield path.lstat()
            return
        with os.scandir(path) as entries:
            found = [*entries]
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _stats(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False)
    except OSError:
        return


def days(look: Look) -> list[dict[str, Any]]:
    """Return a row per column, from the first entry until now, with its runs; then silences, keys, and what is held."""
    if not look.entries:
        return []
    first = _at(look.entries[0])
    step = max((look.moment - first) / PARTS, timedelta(seconds=1))
    counts: dict[int, Counter[str]] = {number: Counter() for number in range(PARTS)}
    for run in look.summaries:
        column = int((_at(look.runs[run].opened) - first) / step)
        counts[min(max(column, 0), PARTS - 1)][look.standing(run)] += 1
    rows: list[dict[str, Any]] = [
        {"kind": "runs", "from": first + number * step, **{word.replace(" ", "_"): found[word] for word in STANDINGS}}
        for number, found in counts.items()
    ]
    rows += [{"kind": "silence", "from": one.begin, "until": one.end} for one in silent(look)]
    rows += [{"kind": "key", "from": _at(entry)} for entry in look.entries if entry.event == "key"]
    if not isinstance(look.heads, OpsError) and look.heads.heads:
        newest = max(head.seq for head in look.heads.heads)
        upto = max((_at(entry) for entry in look.entries if entry.seq <= newest), default=first)
        rows.append({"kind": "published", "from": first, "until": upto, "entry": newest})
    return [*rows, {"kind": "span", "from": first, "until": first + step * PARTS}]


def _at(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.time)
