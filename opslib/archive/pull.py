"""A sealed run brought back from the store: every byte held against the manifest that the log here names.

An object that was put over another one has several versions; the one with the SHA-256 that the log names counts,
whichever it is and whether or not a deletion marker hides it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from opslib import files
from opslib.archive import log, push, seal
from opslib.archive.holds import Fates, fates
from opslib.archive.log import Entry, Log
from opslib.errors import ArchiveError, Refused, UsageError
from opslib.runs.steps import work_of
from opslib.settings import Settings
from opslib.systems.object_store import Stored
from opslib.systems.sealed_store import SealedStore, Several


def find(known: Fates, given: str) -> Entry:
    """Return the close entry of the only sealed run with this id, this beginning or this last part.

    Raises UsageError when none or several fit, whether or not their folders are still here.
    """
    ids = list(known.closed)
    fits = [run for run in ids if run == given] or [run for run in ids if work_of(run).rsplit("-", 1)[-1] == given]
    fits = fits or [run for run in ids if run.startswith(given)]
    if not given or len(fits) != 1:
        several = f"{len(fits)} sealed runs" if fits else "No sealed run"
        raise UsageError(f"{several} in the log fit {given!r}.", "See: ops archive list; grep -h '^# run' log/*.entry")
    return known.closed[fits[0]]


def pull(folder: Path, given: str, settings: Settings, to: Path) -> tuple[str, int]:
    """Bring a run into ``to``, beside its entries of the log; returns its id and how many files it has.

    What is there already is not written again. Raises Refused where it is something else, ArchiveError where the store
    does not have what the log names. ``sha256sum -c`` of its manifest then holds, and its entries are signed.
    """
    if to.absolute().is_relative_to(folder.absolute()):
        raise Refused(f"{to} lies in the archive.", "Choose a folder elsewhere: an archive takes nothing back.")
    prefix, own = push.prefix_of(folder), Log(folder)
    closed = find(fates(own), given)
    store = SealedStore(settings)
    try:
        count = 0
        for path, data, _ in content(store, prefix, closed):
            _write(to / "runs" / closed.run / path, data)
            count += 1
    finally:
        store.close()
    # They are here for good, so they need not come from there.
    for entry in own.newest_first():
        if entry.run == closed.run:
            for name in (log.signature_of(entry.seq), log.name_of(entry.seq)):
                if (folder / name).is_file():
                    _write(to / name, files.read_plain(folder / name, log.LARGEST))
    return closed.run, count


def content(store: SealedStore, prefix: str, closed: Entry) -> Iterator[tuple[str, bytes, Stored]]:
    """Yield path, content and version of every file of a sealed run, its manifest last; each was read and fits.

    Raises ArchiveError where the store has no version that does.
    """
    where = f"{prefix}runs/{closed.run}/"
    there = {one.key: one for one in store.objects(where)}
    named, version = _fitting(store, there, where + seal.MANIFEST, closed.sha256)
    for path, sha256 in seal.parse(named).items():
        yield path, *_fitting(store, there, where + path, sha256)
    yield seal.MANIFEST, named, version


def manifest(store: SealedStore, prefix: str, closed: Entry) -> bytes:
    """Return the manifest of a sealed run from the store; raises ArchiveError where no version is the right one."""
    key = f"{prefix}runs/{closed.run}/{seal.MANIFEST}"
    return _fitting(store, {one.key: one for one in store.objects(key)}, key, closed.sha256)[0]


def _fitting(store: SealedStore, there: Mapping[str, Several], key: str, sha256: str) -> tuple[bytes, Stored]:
    rows = there[key].versions if key in there else ()
    for row in rows:
        data = store.read(key, push.LARGEST, row.version)
        if hashlib.sha256(data).hexdigest() == sha256:
            return data, row
    raise ArchiveError(
        f"s3://{store.bucket}/{key} has {len(rows)} versions, and none is what the log names.",
        "See: ops archive verify --store ENVIRONMENT",
    )


def _write(path: Path, data: bytes) -> None:
    try:
        if files.read_plain(path, push.LARGEST) == data:
            return
        raise Refused(f"{path} is there already and holds something else.", "Choose another folder.")
    except FileNotFoundError:
        files.make_folder(path.parent)
        files.write(path, data, path.with_name(f".{path.name}.part"))
