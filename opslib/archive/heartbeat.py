"""Entries at regular times that say only that the archive was there, so that silence shows.

Without them, a quiet week and a week that was cut out look alike. From the first heartbeat on, an archive
may not be silent for longer than a day, and not longer than an hour around production runs.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from opslib import files
from opslib.archive import anchor, log, summary, timestamp
from opslib.archive.anchor import Published, few
from opslib.archive.store import Archive
from opslib.archive.timestamp import Stamp
from opslib.archive.verify_run import Finding
from opslib.errors import OpsError
from opslib.settings import Settings

SLACK = timedelta(minutes=5)
"""A scheduler may be late by so much without a finding."""


@dataclass(frozen=True)
class Beat:
    """One heartbeat: its entry, what went with it, and what could not be done, in words."""

    entry: log.Entry
    stamp: Stamp | None
    published: Published | None
    faults: tuple[str, ...]


def beat(archive: Archive, settings: Settings) -> Beat:
    """Append a heartbeat; before it have the newest entry stamped, after it publish the head, where described.

    A silent authority or store is told in ``faults`` and keeps no heartbeat from being written. Raises
    ArchiveError when the entry itself cannot be.
    """
    stamp: Stamp | None = None
    published: Published | None = None
    faults: list[str] = []
    text = ""
    if settings.timestamp_url and archive.log.newest():
        try:
            stamp = timestamp.stamp(archive.folder, settings)
            text = timestamp.naming(stamp)
        except OpsError as error:
            faults.append(str(error))
            text = "no time stamp could be had"
    entry = archive.append("heartbeat", text)
    if settings.anchor_bucket:
        try:
            published = anchor.publish(archive.folder, settings)
        except OpsError as error:
            faults.append(str(error))
    return Beat(entry, stamp, published, tuple(faults))


@dataclass(frozen=True)
class Silence:
    """A time without an entry that was longer than ``allowed``; ``after`` is the entry before it.

    ``lasting``: it goes on. ``strict``: around runs on production.
    """

    after: log.Entry
    begin: datetime
    end: datetime
    allowed: timedelta
    lasting: bool
    strict: bool

    @property
    def hours(self) -> float:
        """How long it was, or is so far."""
        return (self.end - self.begin) / timedelta(hours=1)

    def __str__(self) -> str:
        limit = f"{self.allowed / timedelta(hours=1):g} h are allowed{' around production runs' * self.strict}"
        return f"is followed by {self.hours:.1f} h of silence{' up to now' * self.lasting}; {limit}"


def gaps(
    entries: Sequence[log.Entry],
    moment: datetime,
    production: Container[str] = (),
    hours: float = 24,
    production_hours: float = 1,
) -> tuple[Finding, ...]:
    """Return a warning for each of the :func:`silences`; and one where there is no heartbeat at all."""
    if not any(entry.event == "heartbeat" for entry in entries):
        return (Finding("warning", "log", "holds no heartbeat, so that silence in it proves nothing"),)
    found = silences(entries, moment, production, hours, production_hours)
    return tuple(few([Finding("warning", log.name_of(one.after.seq), str(one)) for one in found]))


def silences(
    entries: Sequence[log.Entry],
    moment: datetime,
    production: Container[str] = (),
    hours: float = 24,
    production_hours: float = 1,
) -> list[Silence]:
    """Return each silence up to ``moment`` that is longer than allowed since the first heartbeat, oldest first.

    ``production``: ids of the runs on production; while one is open, and for ``hours`` after one's last
    entry, silence may last ``production_hours`` only. Entries out of order in time are for others to tell.
    """
    ordered = sorted(entries, key=lambda entry: entry.seq)
    first = next((index for index, entry in enumerate(ordered) if entry.event == "heartbeat"), len(ordered))
    found = []
    busy: set[str] = set()
    strict_until: datetime | None = None
    for index, entry in enumerate(ordered):
        begin = datetime.fromisoformat(entry.time)
        if entry.run in production:
            strict_until = begin + timedelta(hours=hours)
            (busy.add if log.state_after(entry) == "open" else busy.discard)(entry.run)
        if index < first:
            continue
        last = index + 1 == len(ordered)
        end = moment if last else datetime.fromisoformat(ordered[index + 1].time)
        strict = bool(busy) or (strict_until is not None and begin < strict_until)
        allowed = timedelta(hours=production_hours if strict else hours)
        if end - begin > allowed + SLACK:
            found.append(Silence(entry, begin, end, allowed, last, strict))
    return found


def production(folder: Path, entries: Sequence[log.Entry]) -> frozenset[str]:
    """Return the ids of the registered runs whose run.json names the production environment."""
    found = set()
    for entry in entries:
        if log.state_after(entry) == "open":
            try:
                said = json.loads(files.read_plain(folder / entry.file, summary.LARGEST))
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(said, dict) and said.get("environment") == "production":
                found.add(entry.run)
    return frozenset(found)
