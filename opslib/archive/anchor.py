"""Heads published off the machine, so that a cut tail or a rewrite shows even to the holder of every key here.

A published head is a copy of one log entry and its signature in another account's locked bucket, under the
name ``heads/<archive>/<number>-<sha256>``; ``<archive>`` is the SHA-256 of the archive's first entry. It
proves itself: the entry must have the name's digest and number, and a known key must have signed it. Each
entry names the one before it, so one head vouches for all entries up to it. The first entry introduces the
archive's first key; entries that add further keys are published below ``keys/<archive>/``, so that the
store alone says which keys are known, whatever became of the archive.

Whoever has the publishing credentials alone can add objects, never change or remove one. What they add is
told, and trusted only where it proves itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from opslib import files, sshsig
from opslib.archive import keys, log
from opslib.archive.verify_run import Finding, shown
from opslib.errors import ArchiveError, Refused
from opslib.settings import Settings
from opslib.systems.anchor_store import AnchorStore, Exists, Stored

SIGNATURE = b"-----BEGIN SSH SIGNATURE-----"
"""Where the entry ends and its signature begins."""

HINT = "running/.published"
"""Up to which entry this was looked through for keys to publish; without it, it is looked through whole."""

MOST = 1000
"""So many copies that do not fit the archive are read; more are a finding of their own."""

TOLD = 20
_NAME = re.compile(r"(?:heads|keys)/(?P<archive>[0-9a-f]{64})/(?P<seq>[0-9]{6})-(?P<sha256>[0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class Published:
    """One head and where it was published (an ``s3://`` address)."""

    seq: int
    sha256: str
    where: str


@dataclass(frozen=True)
class Head:
    """One trusted published head; ``at`` is when, by the store's clock."""

    seq: int
    sha256: str
    at: datetime


@dataclass(frozen=True)
class Heads:
    """What the store holds of one archive: heads by number, and what about it is worth telling."""

    archive: str
    heads: tuple[Head, ...]
    findings: tuple[Finding, ...]

    @property
    def anchored(self) -> tuple[tuple[int, str, str], ...]:
        """The heads as :func:`opslib.archive.verify.verify` takes them."""
        return tuple((head.seq, head.sha256, f"{head.at:%Y-%m-%dT%H:%M:%SZ}") for head in self.heads)


@dataclass(frozen=True)
class _Copy:
    """All versions of one published object, oldest first."""

    seq: int
    sha256: str
    rows: tuple[Stored, ...]

    @property
    def where(self) -> str:
        return f"published {self.seq:06d}-{self.sha256[:12]}"


def identity(folder: Path) -> str:
    """Return the archive's name in the store: the SHA-256 of its first entry; "" when that cannot be read."""
    return _sha256(folder, 1)


def publish(folder: Path, settings: Settings) -> Published:
    """Publish the archive's newest entry and return it; publishing the same again changes nothing.

    Raises OpsError when it cannot be known that the store holds it; the archive itself stays as it is.
    """
    if not log.Log(folder).newest():
        raise ArchiveError(f"The archive {folder} has no entry to publish.", "Run something first.")
    with _told(folder), files.locked(folder / log.LOCK):
        seq = log.Log(folder).newest()
        data = _signed(folder, seq)
    store = AnchorStore(settings)
    try:
        for key_seq in _new_keys(folder, seq):
            _put(store, "keys", folder, key_seq, _signed(folder, key_seq))
        where = _put(store, "heads", folder, seq, data)
    finally:
        store.close()
    files.write_hint(folder / HINT, str(seq))
    return Published(seq, hashlib.sha256(_split(data)[0]).hexdigest(), where)


def published(folder: Path, settings: Settings, trusted: Iterable[str] = (), most: int = MOST) -> Heads:
    """Return what the store holds of the archive in ``folder``; raises OpsError when it cannot be asked.

    A copy whose name fits the archive's own entry needs no further proof. Any other must prove itself; at
    most ``most`` of those are read. ``trusted``: fingerprints of keys that an auditor knows besides those
    that the store knows. In an archive whose first entry introduces no key, the form alone can be checked.
    """
    store = AnchorStore(settings)
    try:
        archive = identity(folder)
        rows = store.history(f"heads/{archive}/") if archive else []
        copies, findings = _copies(rows)
        if not copies:
            return Heads(archive, (), (*findings, _nothing(store, archive)))
        known = _known(store, folder, archive, trusted)
        heads: list[Head] = []
        asked = 0
        for copy in copies:
            fits = copy.sha256 == _sha256(folder, copy.seq)
            asked += not fits
            at = copy.rows[0].modified if fits else _proven(store, copy, known) if asked <= most else None
            if at is not None:
                heads.append(Head(copy.seq, copy.sha256, at))
            elif asked <= most:
                findings.append(Finding("warning", copy.where, "does not prove itself and is not trusted"))
        unread = [Finding("error", "published", f"{asked - most} copies that do not fit were not looked at")]
        return Heads(archive, tuple(heads), (*few(findings), *(unread if asked > most else ()), *_forked(heads)))
    finally:
        store.close()


def _copies(rows: Sequence[Stored]) -> tuple[list[_Copy], list[Finding]]:
    copies: list[_Copy] = []
    findings: list[Finding] = []
    for key, group in groupby(rows, key=lambda row: row.key):
        match = _NAME.fullmatch(key)
        if match is None:
            findings.append(Finding("warning", "published", f"{shown(key)} is no head's name"))
            continue
        copy = _Copy(int(match["seq"]), match["sha256"], tuple(group))
        copies.append(copy)
        if len(copy.rows) > 1:
            findings.append(Finding("warning", copy.where, f"was put {len(copy.rows)} times; every version is kept"))
    return copies, findings


def _proven(store: AnchorStore, copy: _Copy, known: frozenset[str]) -> datetime | None:
    """Return when the first version of a copy that proves itself was published; None when none does."""
    found = next(_entries(store, copy, known), None)
    return found[1] if found else None


def _entries(store: AnchorStore, copy: _Copy, known: frozenset[str]) -> Iterator[tuple[log.Entry, datetime]]:
    """Yield the entry and time of each of a copy's versions that has the name's digest and a known key's signature."""
    for row in copy.rows[:TOLD]:
        try:
            data, signature = _split(store.content(row))
            entry = log.parse(data)
            if known:
                fits = sshsig.fingerprint(sshsig.verify(data, signature, keys.NAMESPACE)) in known
            if (not known or fits) and hashlib.sha256(data).hexdigest() == copy.sha256 and entry.seq == copy.seq:
                yield entry, row.modified
        except (ValueError, Refused):
            continue


def _known(store: AnchorStore, folder: Path, archive: str, trusted: Iterable[str]) -> frozenset[str]:
    """Return the fingerprints of the keys that may sign: the first entry's, and those that known ones added."""
    known = set(trusted)
    with suppress(OSError, ValueError):
        first = log.parse(files.read_plain(folder / log.name_of(1), log.LARGEST))
        known.add(keys.parse(first.text).fingerprint)
    if not known:
        return frozenset()
    copies, _ = _copies(store.history(f"keys/{archive}/"))
    for copy in copies[:MOST]:
        for entry, _ in _entries(store, copy, frozenset(known)):
            with suppress(ValueError):
                known.add(keys.parse(entry.text if entry.event == "key" else "").fingerprint)
    return frozenset(known)


def _forked(heads: Sequence[Head]) -> Iterator[Finding]:
    for seq, group in groupby(sorted(heads, key=lambda head: head.seq), key=lambda head: head.seq):
        if (several := len({head.sha256 for head in group})) > 1:
            said = f"forked: {several} entries of this number were published, each with its proof"
            yield Finding("error", log.name_of(seq), said)


def _nothing(store: AnchorStore, archive: str) -> Finding:
    others = {match["archive"] for row in store.versions("heads/") if (match := _NAME.fullmatch(row.key))}
    said = f"s3://{store.bucket} holds no head of this archive ({archive[:12] or 'its first entry cannot be read'})"
    if others := others - {archive}:
        said += f", but of {', '.join(sorted(name[:12] for name in others)[:TOLD])}: is this the archive it was?"
    return Finding("error", "published", said)


def few(findings: Sequence[Finding]) -> list[Finding]:
    """Return the first findings and how many more there are: whoever can publish could write any number."""
    more = len(findings) - TOLD
    rest = [Finding("warning", "published", f"{more} more of this kind")] if more > 0 else []
    return [*findings[:TOLD], *rest]


def _put(store: AnchorStore, what: str, folder: Path, seq: int, data: bytes) -> str:
    key = f"{what}/{identity(folder)}/{seq:06d}-{hashlib.sha256(_split(data)[0]).hexdigest()}"
    try:
        store.put_new(key, data)
    except Exists:
        if not any(store.content(row) == data for row in store.versions(key) if row.key == key):
            raise ArchiveError(
                f"s3://{store.bucket}/{key} exists and holds something else.",
                "Somebody else has the publishing credentials: find out who, and change them.",
            ) from None
    return f"s3://{store.bucket}/{key}"


def _new_keys(folder: Path, last: int) -> list[int]:
    """Return the numbers of the entries that add or revoke keys, as far as they may not be published yet."""
    since = 0
    with suppress(OSError, ValueError):
        since = int(files.read_plain(folder / HINT, 100))
    since = since if 0 < since <= last else 0
    marked = b"\n# event key\n"
    with _told(folder):
        paths = ((seq, folder / log.name_of(seq)) for seq in range(since + 1, last + 1))
        return [seq for seq, path in paths if marked in files.read_plain(path, log.LARGEST)]


def _signed(folder: Path, seq: int) -> bytes:
    """Return an entry's bytes and its signature's, where it has one."""
    with _told(folder):
        data = files.read_plain(folder / log.name_of(seq), log.LARGEST)
        log.parse(data)
        signature = folder / log.signature_of(seq)
        return data + (files.read_plain(signature, log.LARGEST) if signature.is_file() else b"")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        said = f"An entry of {folder} cannot be published: {error}."
        raise ArchiveError(said, "See `ops archive verify`.") from error


def _split(data: bytes) -> tuple[bytes, bytes]:
    entry, begin, rest = data.partition(SIGNATURE)
    return entry, begin + rest


def _sha256(folder: Path, seq: int) -> str:
    try:
        return hashlib.sha256(files.read_plain(folder / log.name_of(seq), log.LARGEST)).hexdigest()
    except OSError:
        return ""
