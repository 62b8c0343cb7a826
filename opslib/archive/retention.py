"""How long runs stay on this machine, and their removal from it once their copy in the store was read back.

A removal is an entry of the signed log, written before the folder goes: whatever ends it half-way, the next one takes
the rest away. Nothing is removed that is under legal hold, younger than its retention, part of a work of which another
run must stay, or not whole and locked in the store.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from opslib import files
from opslib.archive import holds, log, pull, push, summary
from opslib.archive.holds import Fates, fates
from opslib.archive.log import Entry
from opslib.archive.store import Archive
from opslib.canonical import digest
from opslib.errors import ArchiveError, OpsError, Refused
from opslib.model import now
from opslib.runs.steps import work_of
from opslib.settings import Settings
from opslib.settings_archive import Kind
from opslib.systems.sealed_store import SealedStore

LEFT: Final = timedelta(days=90)
"""So much longer the only copy of a run must be locked when its folder goes."""
_GONE = ".removed"


@dataclass(frozen=True)
class Due:
    """A run whose retention is over: since when it is sealed, its age and its retention in days."""

    run: str
    kind: Kind
    sealed: str
    days: int
    kept_days: int


@dataclass(frozen=True)
class RetentionPlan:
    """What would be removed, oldest first, and what is old enough and stays all the same, with the reason."""

    environment: str
    due: tuple[Due, ...]
    staying: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """What names exactly this plan."""
        return digest([self.environment, [[one.run, one.kind, one.kept_days] for one in self.due]])


@dataclass(frozen=True)
class Removed:
    """Which runs' folders went, and which did not, each with the reason in words."""

    runs: tuple[str, ...]
    faults: tuple[str, ...]


def kind_of(notebook: str) -> Kind:
    """Return what a run of a notebook is kept for; one that nobody knows is kept the longest."""
    words: Mapping[str, Kind] = {"diagnostics": "diagnostics", "reviews": "reviews", "routines": "reviews"}
    return words.get(notebook.partition("/")[0], "changing")


def plan(folder: Path, settings: Settings, moment: datetime) -> RetentionPlan:
    """Return what of an environment's runs the retention of its description lets go; nothing is changed or asked.

    Ages count to the last midnight (UTC), so that a plan stays the same for a day.
    """
    return _planned(folder, settings, moment, fates(Archive(folder).log))


def remove(
    archive: Archive, settings: Settings, agreed: str, by: str, progress: Callable[[str], None] | None = None
) -> Removed:
    """Remove what the plan with the digest ``agreed`` names, run by run; raises Refused when it is another one by now.

    Each run's copy is first read back from the store, every byte, and must be locked for longer than 90 days more.
    """
    known = fates(archive.log)
    _finish(archive.folder, known)
    planned = _planned(archive.folder, settings, now(), known)
    if planned.digest != agreed:
        raise Refused(
            f"The plan is not the one with the digest {agreed[:64]!a}: what may be removed changed since.",
            "Look at the plan again: ops archive retain",
        )
    prefix, store = push.prefix_of(archive.folder), SealedStore(settings)
    done: list[str] = []
    faults: list[str] = []
    try:
        store.demand_locks()
        for number, due in enumerate(planned.due, 1):
            fault = _unproven(store, prefix, known.closed[due.run]) or _let_go(archive, due, by, known)
            if fault:
                faults.append(f"{due.run} stays: {fault}")
            else:
                done.append(due.run)
            if progress:
                progress(f"retain: {number} of {len(planned.due)} runs, {len(done)} removed")
    finally:
        store.close()
        if done:
            archive.index()
    return Removed(tuple(done), tuple(faults))


def _planned(folder: Path, settings: Settings, moment: datetime, known: Fates) -> RetentionPlan:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    young: dict[str, str] = {}
    old: list[Due] = []
    for run in Archive(folder).ids():
        told = summary.read(folder, run)
        if told.environment and told.environment != settings.environment:
            continue
        due = _due(run, known.closed.get(run), settings, kind_of(told.notebook), midnight)
        if due is None or not told.environment:
            young[work_of(run)] = run
        elif run not in known.removed:
            old.append(due)
    due_ = [one for one in old if not _stays(one.run, known, young)]
    staying = [(one.run, why) for one in old if (why := _stays(one.run, known, young))]
    return RetentionPlan(settings.environment, tuple(due_), tuple(staying))


def _due(run: str, closed: Entry | None, settings: Settings, kind: Kind, moment: datetime) -> Due | None:
    if closed is None:
        return None
    age = moment - datetime.fromisoformat(closed.time)
    kept = math.ceil(settings.kept_years(kind) * 365.25)
    return Due(run, kind, closed.time[:10], age.days, kept) if age >= timedelta(days=kept) else None


def _stays(run: str, known: Fates, young: Mapping[str, str]) -> str:
    if why := known.held.get(run):
        return f"under legal hold: {why}"
    if other := young.get(work_of(run)):
        return f"{other}, of the same work, is younger, open, or cannot be read"
    return ""


def _unproven(store: SealedStore, prefix: str, closed: Entry) -> str:
    """Return why a run's copy in the store is no proof; every byte of it is read."""
    try:
        for path, _, row in pull.content(store, prefix, closed):
            kept = store.kept(row)
            until = kept.locked_until if kept else None
            if until is None or until < now() + LEFT:
                return f"{path} is locked in the store until {until:%Y-%m-%d}" if until else f"{path} is not locked"
    except OpsError as error:
        return error.message
    return ""


def _let_go(archive: Archive, due: Due, by: str, known: Fates) -> str:
    """Write the entry that removes a run and take its folder away; returns why it stays, where it does."""
    folder = archive.folder
    with files.locked(folder / log.LOCK):
        # Somebody may have put it under hold since the log was read.
        for entry in _since(archive, known):
            list(known.entry(entry))
        if why := known.held.get(due.run):
            return f"under legal hold: {why}"
        entry = archive.log.append_locked("redact", due.run, file=None, text=holds.removed(due.kept_days, due.kind, by))
        list(known.entry(entry))
    _take_away(folder, due.run)
    return ""


def _since(archive: Archive, known: Fates) -> Iterator[Entry]:
    for seq in range(known.last + 1, archive.log.newest() + 1):
        if (entry := archive.log.read(seq)) is None:
            raise ArchiveError(f"{log.name_of(seq)} cannot be read.", "See ops archive verify; nothing was removed.")
        yield entry


def _take_away(folder: Path, run: str) -> None:
    # Under a name that is nothing's first: no half of a run is ever seen in its place.
    away = folder / "running" / f".{run}{_GONE}"
    (folder / "runs" / run).replace(away)
    files.sync_folder(folder / "runs")
    shutil.rmtree(away)


def _finish(folder: Path, known: Fates) -> None:
    """Take away what an earlier removal left when it was ended half-way."""
    for run in known.removed:
        if (folder / "runs" / run).is_dir():
            _take_away(folder, run)
    for left in (folder / "running").glob(f".*{_GONE}"):
        shutil.rmtree(left)
