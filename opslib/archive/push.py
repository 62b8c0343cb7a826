"""Sealed runs put into the locked store, file by file, and behind them the entries of the log that vouch for them.

Every object has the name that its file has in the archive, below ``sealed/<archive>/``; ``<archive>`` is the SHA-256 of
the archive's first entry. A run's close entry is put after all of its files were listed there, so what the store holds
of the log says how far it came: a push that broke off is gone on with by the next, and puts nothing twice. Only what a
manifest names is read, and it is held against the manifest's SHA-256 before it leaves; quarantine is never looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from opslib import files
from opslib.archive import anchor, log, seal, timestamp
from opslib.archive.holds import Fates
from opslib.archive.log import Entry, Log
from opslib.archive.verify_run import shown
from opslib.errors import ArchiveError
from opslib.settings import Settings
from opslib.systems.sealed_store import Exists, SealedStore, Several

HINT = "running/.pushed"
"""Up to which entry nothing is lacking in the store; without it, what the store holds of the log is listed whole."""

LARGEST = 1024 * 1024 * 1024
"""No file that is stored has more bytes: each is held in memory while it is put."""

WINDOW = 64
AT_ONCE = 8
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """What the store holds now: up to which entry, what was added, and what could not be stored, in words."""

    archive: str
    seq: int
    runs: int
    objects: int
    faults: tuple[str, ...]


@dataclass
class Lacking:
    """What the store lacks of an archive: the numbers of its entries, oldest first, and what these say of runs.

    Nothing up to entry ``since`` was looked at: an earlier push left it complete.
    """

    since: int
    last: int
    entries: dict[int, Entry] = field(default_factory=dict)
    fates: Fates = field(default_factory=Fates)
    unreadable: list[int] = field(default_factory=list)


def prefix_of(folder: Path) -> str:
    """Return where in a store this archive lies; raises ArchiveError when it has no first entry."""
    if not (archive := anchor.identity(folder)):
        raise ArchiveError(f"The archive {folder} has no entry to store.", "Run something first.")
    return f"sealed/{archive}/"


def push(folder: Path, settings: Settings, *, whole: bool = False, progress: Progress | None = None) -> Pushed:
    """Store what the store does not hold yet of the archive in ``folder``; raises OpsError when it cannot go on.

    Nothing is taken for stored that the store does not say it has. With ``whole``, every object is looked at anew.
    """
    prefix = prefix_of(folder)
    store = SealedStore(settings)
    try:
        store.demand_locks()
        with files.locked(folder / log.LOCK):
            last = Log(folder).newest()
        found = lacking(folder, store, prefix, last, whole=whole)
        work = _Pushing(folder, store, prefix, found)
        work.all(progress)
        if not work.faults:
            files.write_hint(folder / HINT, str(last))
        return Pushed(prefix.split("/")[1], last, work.runs, work.objects, tuple(work.faults))
    except OSError as error:
        raise ArchiveError(f"The archive {folder} cannot be read: {error}.", "See `ops archive verify`.") from error
    finally:
        store.close()


def lacking(folder: Path, store: SealedStore, prefix: str, last: int, *, whole: bool = False) -> Lacking:
    """Return what the store lacks up to entry ``last``: one listing of names behind the hint."""
    since = 0 if whole else _hint(folder, last)
    behind = f"{prefix}{log.signature_of(since)}" if since else ""
    there = set() if whole else {one.key for one in store.objects(f"{prefix}log/", behind) if one.versions}
    found = Lacking(since, last)
    own = Log(folder)
    for seq in range(since + 1, last + 1):
        entry = own.read(seq)
        if entry is None:
            found.unreadable.append(seq)
            continue
        list(found.fates.entry(entry))
        if f"{prefix}{log.name_of(seq)}" not in there:
            found.entries[seq] = entry
    return found


def set_hold(store: SealedStore, prefix: str, run: str, on: bool) -> int:
    """Put the legal hold on every version of a run's objects, or take it away; returns how many there are."""
    rows = [row for one in store.objects(f"{prefix}runs/{run}/") for row in one.versions]
    for row in rows:
        store.hold(row, on)
    return len(rows)


class _Pushing:
    """One push: what was added, and what could not be."""

    def __init__(self, folder: Path, store: SealedStore, prefix: str, found: Lacking) -> None:
        self.folder, self.store, self.prefix, self.found = folder, store, prefix, found
        self.runs = self.objects = 0
        self._counting = Lock()
        self.faults = [f"{log.name_of(seq)} cannot be read" for seq in found.unreadable]

    def all(self, progress: Progress | None) -> None:
        seqs = list(self.found.entries)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for begin in range(0, len(seqs), WINDOW):
                entries = [self.found.entries[seq] for seq in seqs[begin : begin + WINDOW]]
                closing = [one for one in entries if one.event == "close" and one.run not in self.found.fates.removed]
                told = dict(zip((one.seq for one in closing), pool.map(self._run, closing), strict=True))
                for faults in told.values():
                    self.faults += faults
                self.runs += sum(not faults for faults in told.values())
                list(pool.map(self._entry, [one for one in entries if not told.get(one.seq)]))
                if progress:
                    progress(f"store: entry {entries[-1].seq} of {self.found.last}, {self.objects} objects put")
        for run in sorted(self.found.fates.marked):
            set_hold(self.store, self.prefix, run, run in self.found.fates.held)

    def _run(self, closed: Entry) -> list[str]:
        """Put what a sealed run's manifest names, the manifest last, and list it; returns what is wrong with it."""
        where = f"runs/{closed.run}"
        try:
            manifest = files.read_plain(self.folder / where / seal.MANIFEST, seal.LARGEST)
            sums = seal.parse(manifest) if hashlib.sha256(manifest).hexdigest() == closed.sha256 else None
        except (OSError, ValueError):
            sums = None
        if sums is None:
            return [f"{where}/{seal.MANIFEST} is not what the log names: nothing of this run was stored"]
        held, faults = closed.run in self.found.fates.held, []
        for path, sha256 in {**sums, seal.MANIFEST: closed.sha256}.items():
            try:
                data = files.read_plain(self.folder / where / path, LARGEST)
            except OSError as error:
                faults.append(f"{where}/{path} cannot be stored ({error.strerror or 'it is too large or no file'})")
                continue
            if hashlib.sha256(data).hexdigest() != sha256:
                faults.append(f"{where}/{path} is not what the manifest names and was not stored")
            else:
                self._put(f"{where}/{path}", data, held)
        return faults or list(self._listed(where, set(sums) | {seal.MANIFEST}))

    def _listed(self, where: str, names: set[str]) -> Iterator[str]:
        """Read back which names a run has in the store, and yield what differs from its manifest's."""
        whole = f"{self.prefix}{where}/"
        there = {one.key.removeprefix(whole) for one in self.store.objects(whole) if one.versions}
        yield from (f"{where}/{name} was put and is not listed" for name in sorted(names - there))
        for name in sorted(there - names):
            self.faults.append(f"{where}/{shown(name)} is in the store and in no manifest")

    def _entry(self, entry: Entry) -> None:
        """Put an entry behind its signature, its time stamp, and that of the entry before, which may be younger."""
        stamps = (timestamp.name_of(entry.seq - 1), timestamp.name_of(entry.seq))
        for path in (*stamps, log.signature_of(entry.seq), log.name_of(entry.seq)):
            if path == log.name_of(entry.seq) or (self.folder / path).is_file():
                self._put(path, files.read_plain(self.folder / path, timestamp.LARGEST))

    def _put(self, path: str, data: bytes, held: bool = False) -> None:
        key = f"{self.prefix}{path}"
        try:
            self.store.put(key, data, held=held)
        except Exists:
            if self._is(key, hashlib.sha256(data).hexdigest()):
                return
            # Whoever has the key put something else first. It stays; beside it comes what the log names.
            self.store.put(key, data, held=held, over=True)
            self.faults.append(f"{path} was in the store with other content: find out who has the store's credentials")
        with self._counting:
            self.objects += 1

    def _is(self, key: str, sha256: str) -> bool:
        there = next((one for one in self.store.objects(key) if one.key == key), Several(key, ()))
        return holds(self.store, there, sha256) is not None


def holds(store: SealedStore, there: Several, sha256: str) -> int | None:
    """Return which version of an object (0: the first) has this SHA-256 by the service's word; None when none has."""
    for number, row in enumerate(there.versions):
        kept = store.kept(row)
        if kept is not None and kept.sha256 == sha256:
            return number
    return None


def _hint(folder: Path, last: int) -> int:
    with suppress(OSError, ValueError):
        since = int(files.read_plain(folder / HINT, 100))
        return since if 0 < since <= last else 0
    return 0
