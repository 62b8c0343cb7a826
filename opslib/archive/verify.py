"""Verifying an archive: every finding at once, whatever the damage, and what cannot be found said in words."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from opslib import files
from opslib.archive import keys, log, verify_runs
from opslib.archive.log import Entry
from opslib.archive.signatures import Keyring
from opslib.archive.verify_ledger import Ledger
from opslib.archive.verify_progress import Progress
from opslib.archive.verify_report import VerifyReport, coverage
from opslib.archive.verify_run import shown

_KNOWN = re.compile(
    r"log|runs|quarantine|running|approvals|words|sign-offs|schedules|timestamps|allowed_signers|verify\.sh|index(-[0-9]{4})?\.html"
    r"|search\.sqlite(-journal)?|\.lock|\.index(\.rows)?|\.DS_Store|lost\+found",
    re.ASCII,
)
HEAD = re.compile(r"([1-9][0-9]{0,5}):([0-9a-f]{64})", re.ASCII)
"""A head as it is printed and noted: sequence number and SHA-256 of an entry."""

Anchor = tuple[int, str, object]
"""A published head: sequence number and SHA-256 of an entry, and when it was published."""

_NAME = re.compile(r"([0-9]{6})\.entry(|\.sig)", re.ASCII)


def verify(
    folder: Path,
    noted: str | None = None,
    signers: Path | None = None,
    anchored: Sequence[Anchor] = (),
    progress: Progress | None = None,
) -> VerifyReport:
    """Check everything in the archive ``folder`` against its log. Writes nothing.

    ``noted`` is a head (``seq:sha256``) that somebody wrote down elsewhere, ``anchored`` are heads that were
    published: the archive must still hold those very entries, so nothing up to them was cut or rewritten.
    ``progress`` says which runs a verification that was broken off has read already.
    ``signers`` is a file for ``ssh-keygen -Y verify`` from elsewhere; every key that signed must be in it.
    Raises UsageError when that file cannot be used, and nothing whatever the archive holds.
    """
    ledger = Ledger(keyring=Keyring(None if signers is None else keys.read_signers(signers)), progress=progress)
    sealed: list[str] = []
    held = 0
    try:
        _verify(Path(folder), ledger, sealed)
        held = _outside(noted, anchored, ledger)
    except Exception as error:
        # The last resort: damage that nobody thought of is a finding too.
        ledger.error(shown(str(folder)), f"could not be verified further ({type(error).__name__})")
    open_runs = tuple(run for run in ledger.opened if run not in ledger.closed and run not in ledger.quarantined)
    return VerifyReport(
        tuple(sorted(set(ledger.findings), key=lambda finding: (finding.severity, finding.where))),
        ledger.entries,
        ledger.files,
        ledger.head,
        tuple(sealed),
        open_runs,
        tuple(ledger.quarantined),
        f"{ledger.keyring.statement} {coverage(held, max(ledger.hashes, default=0))}",
        tuple(ledger.fates.removed),
        progress.statement if progress else "",
    )


def _verify(folder: Path, ledger: Ledger, sealed: list[str]) -> None:
    with _resting(folder):
        # Folders before log: a run gets its folder first, so a run that starts now is no stray.
        places = {name: _names(folder / name, ledger) for name in ("runs", "quarantine")}
        numbers, signatures = _numbers(folder, ledger)
        listed = _listed(folder)
    _root(folder, ledger)
    if not numbers:
        ledger.error("log", "holds no entry, so there is nothing to hold the runs against")
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    if missing:
        ledger.error(log.name_of(missing[0]), f"is missing ({len(missing)} missing in all)")
    with verify_runs.reading(folder, ledger, places) as runs:
        for seq in numbers:
            if closed := _entry(folder, seq, ledger):
                runs.closed(closed)
        ledger.findings += ledger.keyring.end(numbers, signatures, listed)
        sealed += runs.check()
    for name, found in places.items():
        for stray in found - ledger.opened.keys():
            ledger.error(f"{name}/{shown(stray)}", "is not in the log")


def _listed(folder: Path) -> bytes | None:
    try:
        return files.read_plain(folder / keys.SIGNERS, 1_000_000)
    except FileNotFoundError:
        return b""
    except OSError:
        return None


def _root(folder: Path, ledger: Ledger) -> None:
    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        if not _KNOWN.fullmatch(name):
            ledger.warn(shown(name), "does not belong to an archive; nothing covers it")
    try:
        script = files.read_plain(folder / "verify.sh", 1_000_000)
    except OSError:
        script = b""
    if script != Path(__file__).with_name("verify.sh").read_bytes():
        ledger.warn("verify.sh", "is not the script of this version; the next run that starts brings it")


def _numbers(folder: Path, ledger: Ledger) -> tuple[list[int], list[int]]:
    """Return the numbers of the entries and of the signatures, in order."""
    found: dict[str, list[int]] = {"": [], ".sig": []}
    for name in _names(folder / "log", ledger):
        match = _NAME.fullmatch(name)
        if match is None or match[1] == "000000":
            ledger.error(f"log/{shown(name)}", "is no entry's name")
        else:
            found[match[2]].append(int(match[1]))
    return sorted(found[""]), sorted(found[".sig"])


def _entry(folder: Path, seq: int, ledger: Ledger) -> str:
    """Check one entry, and return the run that it closes, if it does."""
    name = log.name_of(seq)
    try:
        data = files.read_plain(f"{folder}/{name}", log.LARGEST)
    except OSError:
        ledger.error(name, "is no plain, readable file of an entry's size")
        return ""
    ledger.hashes[seq] = hashlib.sha256(data).hexdigest()
    entry: Entry | None = None
    try:
        entry = log.parse(data)
    except ValueError as error:
        ledger.error(name, str(error))
    ledger.findings += ledger.keyring.entry(folder, seq, data, entry)
    if entry is None:
        return ""
    ledger.entries += 1
    ledger.head = f"{seq}:{ledger.hashes[seq]}"
    if entry.seq != seq:
        ledger.error(name, f"says that it is entry {entry.seq}")
    elif seq > 1 and entry.sums[0][0] != ledger.hashes.get(seq - 1):
        ledger.error(name, f"names another predecessor than {log.name_of(seq - 1)}")
    if entry.time < ledger.time:
        ledger.warn(name, f"is dated {entry.time}, before its predecessor: a clock went backwards")
    ledger.time = max(entry.time, ledger.time)
    _state(entry, name, ledger)
    for fault in ledger.fates.entry(entry):
        ledger.error(name, fault)
    return entry.run if ledger.closed.get(entry.run) is entry else ""


def _state(entry: Entry, name: str, ledger: Ledger) -> None:
    run, after = entry.run, log.state_after(entry)
    if not after:
        return
    if after == "open":
        if run in ledger.opened:
            ledger.error(name, f"opens {run} a second time")
        ledger.opened.setdefault(run, entry)
    elif run not in ledger.opened:
        ledger.error(name, f"ends {run}, which was never opened")
    elif run in ledger.closed or run in ledger.quarantined:
        ledger.error(name, f"ends {run} a second time")
    else:
        (ledger.closed if after == "closed" else ledger.quarantined)[run] = entry


def _outside(noted: str | None, anchored: Sequence[Anchor], ledger: Ledger) -> int:
    """Hold the archive against the heads kept outside; returns the number of the newest that it holds, or 0."""
    heads = [(seq, sha256, f"published ({at})") for seq, sha256, at in anchored]
    if noted is not None:
        match = HEAD.fullmatch(noted)
        if match is None:
            ledger.error("head", "the noted head does not have the form seq:sha256")
        else:
            heads.append((int(match[1]), match[2], "noted"))
    for seq, sha256, how in heads:
        if ledger.hashes.get(seq) != sha256:
            ledger.error("head", f"entry {seq} is not the one that was {how}: the archive was cut or rewritten")
    return max((seq for seq, sha256, _ in heads if ledger.hashes.get(seq) == sha256), default=0)


def _names(folder: Path, ledger: Ledger) -> set[str]:
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(folder)
        return set(os.listdir(folder))  # noqa: PTH208
    except OSError:
        ledger.error(folder.name, "is missing or no folder")
        return set()


@contextmanager
def _resting(folder: Path) -> Iterator[None]:
    """Keep new entries away for a moment, where that is possible; a copy on a read-only disk rests anyway."""
    handle = -1
    try:
        handle = files.open_plain(folder / ".lock")
        for _ in range(100):
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
    except OSError:
        pass
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)
