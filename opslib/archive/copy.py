"""Copies of the archive in the store of its heads, and an archive fetched back from there to an empty folder.

Everything is a tar file that any tar unpacks, below ``copies/<archive>/``. ``log/000001-000124-<sha256>.tar``,
named after its own digest, holds the entries of that stretch with their signatures and time stamps and the
run.json of each run that they open; ``runs/<run>-<sha256>.tar``, named after the digest of its manifest, a
closed run. What is fetched is not believed: it is an archive to be verified against the published heads.
Quarantine is never copied.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from opslib import files
from opslib.archive import anchor, log, seal, timestamp
from opslib.archive.log import Entry, Log
from opslib.archive.verify_run import shown
from opslib.errors import ArchiveError, Refused
from opslib.settings import Settings
from opslib.systems.anchor_store import AnchorStore, Exists, Stored

SCRIPT = "verify.sh"
LARGEST = 1024 * 1024 * 1024
"""No tar file has more bytes: each is held in memory."""

_STRETCH = re.compile(r"log/[0-9]{6}-[0-9]{6}-([0-9a-f]{64})\.tar", re.ASCII)
_LOG = re.compile(r"log/[0-9]{6}\.entry(\.sig)?|timestamps/[0-9]{6}\.tsr", re.ASCII)


@dataclass(frozen=True)
class Copied:
    """What the store holds now: the archive's name there, its newest entry, and how many objects were added."""

    archive: str
    seq: int
    added: int


@dataclass(frozen=True)
class Fetched:
    """What was brought back, and which objects could not be used, in words."""

    entries: int
    runs: int
    faults: tuple[str, ...]


def copy(folder: Path, settings: Settings) -> Copied:
    """Add to the store what it does not hold yet of the archive in ``folder``; raises OpsError when it cannot be.

    A run is copied once it is closed. Copying again after a failure goes on where it ended.
    """
    archive = anchor.identity(folder)
    if not archive:
        raise ArchiveError(f"The archive {folder} has no entry to copy.", "Run something first.")
    store = AnchorStore(settings)
    try:
        prefix = f"copies/{archive}/"
        with files.locked(folder / log.LOCK):
            last = Log(folder).newest()
        rows = store.history(prefix)
        there = {row.key for row in rows}
        entries = [entry for entry in _entries(folder) if entry.seq <= last]
        runs = {run: entry.sha256 for run, entry in _ends(entries).items() if entry.event == "close"}
        # Runs come before the entries that close them: nobody can know their names by then.
        lacking = {name: run for run, sha in runs.items() if (name := f"{prefix}runs/{run}-{sha}.tar") not in there}
        for name, run in lacking.items():
            _put(store, name, _tar(folder, _below(folder, f"runs/{run}")))
        covered = _covered(store, rows, folder)
        first = next((seq for seq in range(1, last + 1) if seq not in covered), 0)
        if first:
            data = _tar(folder, _stretch(folder, [entry for entry in entries if entry.seq >= first]))
            _put(store, f"{prefix}log/{first:06d}-{last:06d}-{hashlib.sha256(data).hexdigest()}.tar", data)
        return Copied(archive, last, len(lacking) + bool(first))
    except OSError as error:
        raise ArchiveError(f"The archive {folder} cannot be copied: {error}.", "See `ops archive verify`.") from error
    finally:
        store.close()


def fetch(archive: str, settings: Settings, to: Path) -> Fetched:
    """Bring the archive of that name back to ``to``, which must be empty or not there; raises OpsError.

    A copy that does not have its name's digest is left out, and a file that is there is not written again.
    Verify what was fetched, with the published heads, before it is used.
    """
    if to.exists() and any(to.iterdir()):
        raise Refused(f"{to} is not empty.", "Choose a folder that is empty or does not exist yet.")
    store = AnchorStore(settings)
    faults: list[str] = []
    try:
        prefix = f"copies/{archive}/"
        rows = store.history(prefix)
        if not rows:
            raise ArchiveError(f"s3://{store.bucket} holds no copy of {shown(archive)}.", "Look at its copies/ there.")
        for name in ("log", "runs", "quarantine"):
            files.make_folder(to / name)
        stretches = list(_stretches(store, rows, faults))
        for found in stretches:
            _write(to, {name: data for name, data in found.items() if _LOG.fullmatch(name)})
        ends = _ends(_entries(to))
        opened = {f"runs/{run}/run.json" for run, entry in ends.items() if entry.event != "note"}
        for found in stretches:
            _write(to, {name: data for name, data in found.items() if name in opened})
        closed = {run: entry.sha256 for run, entry in ends.items() if entry.event == "close"}
        for run, sha in closed.items():
            copies = [row for row in rows if row.key == f"{prefix}runs/{run}-{sha}.tar"]
            _write(to, _run(store, run, sha, copies, faults))
        files.make_folder(to / "running")
        Log(to).list_keys()
        # The script of this program, not one that was fetched: it is what the archive is checked with.
        files.write(to / SCRIPT, Path(__file__).with_name(SCRIPT).read_bytes(), to / "running" / SCRIPT, mode=0o700)
        # Without it, the next start knows that nobody holds the runs that were open.
        (to / "running").rmdir()
        os.sync()
        return Fetched(Log(to).newest(), len(closed), tuple(faults))
    finally:
        store.close()


def _entries(folder: Path) -> list[Entry]:
    return sorted(Log(folder).newest_first(), key=lambda entry: entry.seq)


def _ends(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return the entry that each run's state comes from: it opens, closes or quarantines the run."""
    return {entry.run: entry for entry in entries if log.state_after(entry)}


def _stretch(folder: Path, entries: Sequence[Entry]) -> list[str]:
    """Return the paths that a stretch of the log holds, as far as they are there."""
    paths = [timestamp.name_of(entries[0].seq - 1)]
    for entry in entries:
        paths += [log.name_of(entry.seq), log.signature_of(entry.seq), timestamp.name_of(entry.seq)]
        paths += [entry.file] if entry.event == "open" else []
    return [path for path in paths if (folder / path).is_file()]


def _covered(store: AnchorStore, rows: Sequence[Stored], folder: Path) -> set[int]:
    """Return the numbers of the entries that the store holds as they are here."""
    covered = set()
    for found in _stretches(store, rows, []):
        for name, data in found.items():
            here = folder / name
            entry = name.endswith(".entry") and _LOG.fullmatch(name) and here.is_file()
            if entry and files.read_plain(here, log.LARGEST) == data:
                covered.add(int(name[4:10]))
    return covered


def _stretches(store: AnchorStore, rows: Sequence[Stored], faults: list[str]) -> Iterator[dict[str, bytes]]:
    """Yield the files of each stretch that has its name's digest, the first that was put first."""
    for row in sorted(rows, key=lambda row: row.modified):
        if match := _STRETCH.fullmatch(row.key.split("/", 2)[2]):
            data = store.read(row.key, LARGEST, row.version)
            found = _unpacked(data) if hashlib.sha256(data).hexdigest() == match[1] else {}
            if found:
                yield found
            else:
                faults.append(f"{shown(row.key)} cannot be used")


def _run(store: AnchorStore, run: str, sha: str, rows: Sequence[Stored], faults: list[str]) -> dict[str, bytes]:
    """Return a run's files from the first of its copies that has the manifest that the log names."""
    for row in rows:
        found = _unpacked(store.read(row.key, LARGEST, row.version))
        manifest = found.get(f"runs/{run}/{seal.MANIFEST}", b"")
        if hashlib.sha256(manifest).hexdigest() == sha:
            return {name: data for name, data in found.items() if name.startswith(f"runs/{run}/")}
        faults.append(f"{shown(row.key)} cannot be used")
    if not rows:
        faults.append(f"runs/{run} was not copied")
    return {}


def _unpacked(data: bytes) -> dict[str, bytes]:
    """Return the plain files of a tar file by name, without those whose names lead elsewhere; {} when it is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            plain = [member for member in tar if member.isreg() and seal.good_name(member.name)]
            opened = {member.name: tar.extractfile(member) for member in plain}
            return {name: content.read() for name, content in opened.items() if content}
    except (tarfile.TarError, OSError, ValueError):
        return {}


def _below(folder: Path, tree: str) -> list[str]:
    place = folder / tree
    if not place.is_dir() or place.is_symlink():
        return []
    return [f"{tree}/{path}" for path, entry in seal.walk(place) if entry.is_file(follow_symlinks=False)]


def _tar(folder: Path, paths: Sequence[str]) -> bytes:
    """Return a tar file that depends on names and contents alone, so that copying again gives the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            data = files.read_plain(folder / path, LARGEST)
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _put(store: AnchorStore, key: str, data: bytes) -> None:
    try:
        store.put_new(key, data)
    except Exists:
        rows = [row for row in store.history(key) if row.key == key]
        if store.read(key, LARGEST, rows[0].version) != data:
            raise ArchiveError(
                f"s3://{store.bucket}/{key} exists and holds something else.",
                "Verify the archive; if it holds, somebody else has the publishing credentials.",
            ) from None


def _write(to: Path, found: dict[str, bytes]) -> None:
    """Write the files that are not there yet."""
    for name, data in found.items():
        path = to / name
        if not os.path.lexists(path):
            # One by one: mkdir gives the mode to the last folder of a path only.
            for folder in reversed([above for above in path.parents if above.is_relative_to(to)]):
                folder.mkdir(mode=0o700, exist_ok=True)
            # Not flushed one by one: whatever ends this half-way, it is done again into another folder.
            path.write_bytes(data)
            path.chmod(0o600)
