"""What rows were before they were set back, kept in the run's own folder: the only thing that an undo can go by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files
from opslib.errors import Refused
from opslib.redaction import Redactor
from opslib.systems.filing import Filing

ROWS = "rows.json"
MOST_BYTES = 512 * 1024 * 1024
ROOM = 32 * 1024 * 1024
"""Bytes that stay free for the run's own record."""


@dataclass(frozen=True)
class Kept:
    """Rows by key: (text before, text after). ``before`` None: it was not there."""

    table: str
    rows: Mapping[str, tuple[str | None, str]]

    @property
    def changed(self) -> dict[str, tuple[str, str]]:
        """Those that were there before."""
        return {key: (before, after) for key, (before, after) in self.rows.items() if before is not None}

    @property
    def put(self) -> dict[str, str]:
        """Those that were not."""
        return {key: after for key, (before, after) in self.rows.items() if before is None}


def keep(place: Filing, kept: Kept, redactor: Redactor) -> str:
    """Write it to the disk and return the manifest's SHA-256; to be called before the rows are changed.

    Raises Refused where a row holds what looks like a credential, which no archive may keep, or there is no room for
    them; ArchiveError where they can't be written.
    """
    lines = "\n".join(line for pair in kept.rows.values() for line in pair if line is not None)
    if redactor.leaks(lines.encode()) or next(iter(redactor.suspicious(lines)), None) is not None:
        raise Refused(
            f"A row of {kept.table} holds what looks like a credential: the run's folder may not keep it for an undo.",
            "Bring those rows back by hand, from the recovered copy.",
        )
    data = json.dumps({"table": kept.table, "rows": kept.rows}).encode()
    if place.free < ROOM + 2 * len(data):
        raise Refused(f"The rows of before are {len(data)} bytes, and {place.free} are free.", "Free space first.")
    place.begin()
    with place.new(ROWS) as out:
        out.write(data)
    said: dict[str, Any] = {"file": ROWS, "sha256": hashlib.sha256(data).hexdigest(), "rows": len(kept.rows)}
    return place.finish(json.dumps(said).encode())


def found(place: Filing, manifest: str) -> Kept:
    """Return what the manifest with this SHA-256 names; raises Refused where it is not there, or not the same."""
    there = place.found(manifest)
    if there is None:
        raise Refused("The rows of before are not in the archive.", "Look into the run's folder, evidence/.")
    return _read(*there)


def last(place: Filing) -> tuple[str, Kept] | None:
    """Return manifest's SHA-256 and rows that this step left in a run of the work, or None; raises Refused."""
    folder = place.finished()
    if folder is None:
        return None
    data = files.read_plain(folder / "manifest.json", MOST_BYTES)
    return hashlib.sha256(data).hexdigest(), _read(folder, data)


def _read(folder: Path, manifest: bytes) -> Kept:
    said = json.loads(manifest)
    data = files.read_plain(folder / ROWS, MOST_BYTES)
    if hashlib.sha256(data).hexdigest() != said["sha256"]:
        raise Refused(f"{folder / ROWS} is not what was kept.", "Verify the archive: ops verify.")
    known = json.loads(data)
    return Kept(known["table"], {key: (pair[0], pair[1]) for key, pair in known["rows"].items()})
