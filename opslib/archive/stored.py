"""An archive held against its store: what is here and not there, there and not here, and what differs.

What the archive's log and manifests name is compared with every version that the store has, name by name, in one pass
over both in the same order, so that no size needs more memory. The log here is what is believed: verify it first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from opslib import files
from opslib.archive import log, pull, push, seal, timestamp
from opslib.archive.holds import Fates, fates
from opslib.archive.log import Entry, Log
from opslib.archive.verify_run import Finding, shown
from opslib.errors import ArchiveError
from opslib.model import now
from opslib.settings import Settings
from opslib.systems.sealed_store import Kept, SealedStore, Several

AT_ONCE = 8
BATCH = 256
TOLD = 20
"""So many findings of one kind are told one by one."""


@dataclass(frozen=True)
class Item:
    """One file that the log vouches for: its path in the archive, its SHA-256, and the run that it is of."""

    path: str
    sha256: str
    run: str = ""


@dataclass(frozen=True)
class StoreReport:
    """What the comparison found. ``runs`` are whole in the store, ``removed`` of them are only there."""

    where: str
    objects: int
    runs: int
    removed: int
    locked_until: datetime | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    def __str__(self) -> str:
        until = f"{self.locked_until:%Y-%m-%d}" if self.locked_until else "never"
        lines = [str(finding) for finding in self.findings]
        lines += [
            f"{self.where}: {self.objects} objects, {self.runs} runs whole, {self.removed} of them only there; "
            f"all locked until {until}",
            "OK: the store holds what the log names" if self.ok else "FAILED: see the errors above",
        ]
        return "\n".join(lines)


def compare(folder: Path, settings: Settings, *, read: bool = False) -> StoreReport:
    """Hold the archive in ``folder`` against its store; raises OpsError when the store cannot be asked.

    Each object's SHA-256 is the service's own word; with ``read``, every byte is read back and hashed here.
    """
    prefix = push.prefix_of(folder)
    store = SealedStore(settings)
    try:
        store.demand_locks()
        return _Comparing(folder, store, prefix, read, settings.store_days).report()
    finally:
        store.close()


@dataclass
class _Comparing:
    """One comparison: what was seen so far."""

    folder: Path
    store: SealedStore
    prefix: str
    read: bool
    days: int
    known: Fates = field(default_factory=Fates)
    objects: int = 0
    locked_until: datetime | None = None
    findings: list[Finding] = field(default_factory=list)
    unstored: set[int] = field(default_factory=set)
    stored_last: int = 0
    lacking: set[str] = field(default_factory=set)

    def report(self) -> StoreReport:
        self.known = fates(Log(self.folder))
        pairs = paired(self._items(), self.store.objects(self.prefix), self.prefix)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while batch := list(islice(pairs, BATCH)):
                for (item, there), (found, kept) in zip(batch, pool.map(self._judged, batch), strict=True):
                    self._take(item, there, found, kept)
        behind = sorted(seq for seq in self.unstored if seq > self.stored_last)
        if behind:
            said = f"is the first of {len(behind)} entries that are not in the store yet: ops archive push"
            self.findings.append(Finding("warning", log.name_of(behind[0]), said))
        for seq in sorted(self.unstored.difference(behind)):
            said = "is not in the store, and later ones are: ops archive push --whole says why"
            self.findings.append(Finding("error", log.name_of(seq), said))
        whole = set(self.known.closed) - self.lacking
        where = f"s3://{self.store.bucket}/{self.prefix}"
        told = tuple(few(self.findings))
        return StoreReport(
            where, self.objects, len(whole), len(whole & self.known.removed.keys()), self.locked_until, told
        )

    def _items(self) -> Iterator[Item]:
        """Yield what the log vouches for, in the order of names in the store."""
        stamps = []
        for seq in sorted(Log(self.folder).numbers()):
            for path in (log.name_of(seq), log.signature_of(seq)):
                if (item := self._here(path)) is not None:
                    yield item
            stamps.append(timestamp.name_of(seq))
        # A slash comes behind a hyphen there, so a run that applies a plan comes before the one that made it.
        for run in sorted(self.known.closed, key=lambda run: f"{run}/"):
            yield from self._of_run(self.known.closed[run])
        yield from filter(None, map(self._here, stamps))

    def _here(self, path: str) -> Item | None:
        try:
            return Item(path, hashlib.sha256(files.read_plain(f"{self.folder}/{path}", timestamp.LARGEST)).hexdigest())
        except OSError:
            return None

    def _of_run(self, closed: Entry) -> Iterator[Item]:
        where = f"runs/{closed.run}"
        try:
            data = files.read_plain(self.folder / where / seal.MANIFEST, seal.LARGEST)
        except OSError:
            data = b""
        try:
            if hashlib.sha256(data).hexdigest() != closed.sha256:
                data = pull.manifest(self.store, self.prefix, closed)
            names = {**seal.parse(data), seal.MANIFEST: closed.sha256}
        except (ArchiveError, ValueError):
            names = {seal.MANIFEST: closed.sha256}
        yield from (Item(f"{where}/{path}", names[path], closed.run) for path in sorted(names))

    def _judged(self, pair: tuple[Item | None, Several | None]) -> tuple[list[Finding], Kept | None]:
        item, there = pair
        if item is None or there is None or not there.versions:
            return [], None
        for number, row in enumerate(there.versions):
            kept = self.store.kept(row)
            if kept is not None and self.read:
                sha = hashlib.sha256()
                for chunk in self.store.stream(row.key, row.version):
                    sha.update(chunk)
                kept = replace(kept, sha256=sha.hexdigest())
            if kept is not None and kept.sha256 == item.sha256:
                return list(self._about(item, there, number, kept)), kept
        said = f"differs in the store: none of its {len(there.versions)} versions is what the log names"
        return [Finding("error", item.path, said)], None

    def _about(self, item: Item, there: Several, number: int, kept: Kept) -> Iterator[Finding]:
        if len(there.versions) > 1:
            said = (
                f"was put {len(there.versions)} times; version {there.versions[number].version} is what the log names"
            )
            yield Finding("warning", item.path, said)
        if there.hidden:
            yield Finding("warning", item.path, "is hidden by a deletion marker in the store; its version is there")
        if kept.locked_until is None:
            yield Finding("error", item.path, "is not locked in the store")
        elif kept.locked_until < now():
            yield Finding("warning", item.path, f"is no longer locked in the store, since {kept.locked_until:%Y-%m-%d}")
        if item.run and kept.held != (item.run in self.known.held):
            word = "on" if kept.held else "not on"
            yield Finding("warning", item.path, f"has a legal hold {word} in the store, and the log says otherwise")

    def _take(self, item: Item | None, there: Several | None, found: list[Finding], kept: Kept | None) -> None:
        self.findings += found
        if item is None:
            self._stranger(there.key.removeprefix(self.prefix) if there else "")
            return
        entry = item.path.startswith("log/")
        if kept is not None and kept.locked_until is not None:
            self.objects += 1
            self.locked_until = min(self.locked_until or kept.locked_until, kept.locked_until)
            self.stored_last = max(self.stored_last, int(item.path[4:10]) if entry else 0)
        elif there is None or not there.versions:
            self._absent(item)
        if kept is None and item.run:
            self.lacking.add(item.run)

    def _absent(self, item: Item) -> None:
        if item.path.startswith("log/"):
            self.unstored |= {int(item.path[4:10])} if item.path.endswith(".entry") else set()
        elif not item.run:
            self.findings.append(
                Finding("warning", item.path, "is here and not in the store: ops archive push --whole")
            )
        elif item.run in self.known.removed:
            over = datetime.fromisoformat(self.known.closed[item.run].time) + timedelta(days=self.days) < now()
            # A rule of the bucket may let go what nothing locks any more.
            said = f"is nowhere any more, and its lock in the store {'was over' if over else 'was to last'}"
            self.findings.append(Finding("warning" if over else "error", item.path, said))
        elif self.known.closed[item.run].seq not in self.unstored:
            self.findings.append(Finding("error", item.path, "is here and not in the store"))

    def _stranger(self, path: str) -> None:
        if path.startswith("log/"):
            said = "is in the store and not here: the log here was cut, or somebody else has the store's credentials"
            self.findings.append(Finding("error", shown(path), said))
        elif path.partition("/")[2].partition("/")[0] in self.known.closed:
            self.findings.append(Finding("warning", shown(path), "is in the store and in no manifest"))
        else:
            self.findings.append(Finding("error", shown(path), "is in the store and of no sealed run of the log here"))


def paired(
    items: Iterable[Item], objects: Iterable[Several], prefix: str
) -> Iterator[tuple[Item | None, Several | None]]:
    """Yield each item with its object, both ordered by name; None for what the other side does not have."""
    left, right = iter(items), iter(objects)
    item, there = next(left, None), next(right, None)
    while item is not None or there is not None:
        mine = (prefix + item.path).encode() if item else None
        other = there.key.encode() if there else None
        if other is None or (mine is not None and mine < other):
            yield item, None
            item = next(left, None)
        elif mine is None or other < mine:
            yield None, there
            there = next(right, None)
        else:
            yield item, there
            item, there = next(left, None), next(right, None)


def few(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings of each kind and severity, errors first, and how many more there are of it."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        # What differs between findings of one kind are numbers and names of versions.
        kinds.setdefault((one.severity, one.what[:20]), []).append(one)
    for _, found in sorted(kinds.items()):
        yield from found[:TOLD]
        if (more := len(found) - TOLD) > 0:
            yield Finding(found[0].severity, "store", f"{more} more: {found[0].what}")
