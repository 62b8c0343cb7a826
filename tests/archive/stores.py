"""Stores of sealed runs for the tests, one for each, and an archive to be put there."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opslib import sshsig
from opslib.archive import keys, log, push, stored
from opslib.archive.store import Archive
from opslib.errors import ArchiveError
from opslib.redaction import Redactor
from opslib.settings import Settings
from opslib.systems.sealed_store import SealedStore

from . import build


@contextmanager
def bucket(target: Settings) -> Iterator[Settings]:
    """Yield the target with a new store of its own."""
    other = target.model_copy(update={"store_bucket": f"sealed-{secrets.token_hex(8)}", "store_days": 120})
    store = SealedStore(other)
    store.call("create_bucket", ObjectLockEnabledForBucket=True)
    store.close()
    yield other


def archive(folder: Path) -> Archive:
    """Return an archive with two sealed runs, one in quarantine, and one that is open; the stores keep them apart."""
    shutil.copytree(_sealed().name, folder, symlinks=True)
    one = Archive(folder)
    one.open(build.asked(4))
    return one


@cache
def _sealed() -> tempfile.TemporaryDirectory[str]:
    """All of it that has ended, made once for the tests of a process, which copy it."""
    made = tempfile.TemporaryDirectory(prefix="ops-sealed-")
    one = Archive(Path(made.name))
    build.sealed(one, 1)
    build.sealed(one, 2, "CRITICAL")
    leaking = build.asked(3)
    place = one.open(leaking)
    build.fill(place)
    (place / "evidence" / "leak.txt").write_text(build.SECRET.reveal())
    with pytest.raises(ArchiveError):
        one.close(leaking["run"], Redactor([build.SECRET]))
    return made


def aged(archive: Archive, days: int) -> None:
    """Date every entry so many days back, chained and signed anew, as if all of it had been so long ago."""
    before, signer = "", sshsig.Signer(keys.path())
    for seq in sorted(archive.log.numbers()):
        path = archive.folder / log.name_of(seq)
        entry = log.parse(path.read_bytes())
        time = f"{datetime.fromisoformat(entry.time) - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}"
        sums = ((before, entry.sums[0][1]), *entry.sums[1:]) if before else entry.sums
        data = log.Entry(**{**entry.__dict__, "time": time, "sums": sums}).encode()
        path.write_bytes(data)
        (archive.folder / log.signature_of(seq)).write_bytes(signer.sign(data, keys.NAMESPACE))
        before = hashlib.sha256(data).hexdigest()


def names(store: SealedStore, archive: Archive) -> dict[str, int]:
    """Return how many versions each object has, by its path in the archive."""
    prefix = push.prefix_of(archive.folder)
    return {one.key.removeprefix(prefix): len(one.versions) for one in store.objects(prefix)}


def here(archive: Archive) -> set[str]:
    """Return the paths of the log and of sealed runs' files."""
    folder = archive.folder
    sealed = [path.parent for path in (folder / "runs").glob("*/MANIFEST.sha256")]
    found = [path for place in (folder / "log", *sealed) for path in place.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)) for path in found}


def told(report: stored.StoreReport) -> list[str]:
    """Return the findings as text."""
    return [str(finding) for finding in report.findings]


def led(settings: Settings, port: int) -> Settings:
    """Return the target with its store at another port of loopback."""
    return settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{port}"})


def port_of(settings: Settings) -> int:
    """Return the port of the target's store."""
    return urlsplit(str(settings.aws_endpoint_url)).port or 0
