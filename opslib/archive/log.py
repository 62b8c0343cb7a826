"""The archive's log: one small text file per entry, numbered without gaps, each naming the one before it.

An entry's ``#`` lines are for people; its other lines are in the format of ``sha256sum`` with paths
relative to the archive's folder, so that ``sha256sum -c`` checks them there. Each entry has a signature
beside it that ``ssh-keygen -Y verify`` reads. An entry exists from when it has its name; its signature is
there by then. A signature after the last entry is what a crash left: the next entry replaces it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opslib import files
from opslib.archive import keys
from opslib.errors import ArchiveError
from opslib.model import now

if TYPE_CHECKING:
    from opslib.sshsig import Signer

VERSION = "# opslib archive entry 1"
EVENTS = ("open", "close", "heartbeat", "redact", "key", "note")
"""The closed list of what an entry may announce."""

LARGEST = 16 * 1024
"""No entry has more bytes; a larger file in an entry's place is damage."""

LAST = 999_999
LOCK, INDEXED = ".lock", ".index"
"""Who appends holds the lock of the one (:meth:`Log.newest`), who writes pages that of the other (``index_newest``)."""

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z(?:-[a-z0-9]+)+", re.ASCII)
_NAME = re.compile(r"([0-9]{6})\.entry", re.ASCII)
_ENTRY = re.compile(
    re.escape(VERSION) + r"\n"
    r"# seq (?P<seq>[1-9][0-9]{0,5})\n"
    r"# event (?P<event>[a-z]{1,20})\n"
    r"# run (?P<run>-|[0-9A-Za-z-]{1,150})\n"
    r"# time (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)\n"
    r"(?:# state (?P<state>interrupted|quarantined)\n)?"
    r"(?:# text (?P<text>[ -~]{1,400})\n)?"
    r"(?P<sums>(?:[0-9a-f]{64}  [0-9A-Za-z./-]{1,250}\n){0,2})"
    r"# sum (?P<sum>[0-9a-f]{64})\n",
    re.ASCII,
)


@dataclass(frozen=True)
class Entry:
    """One entry. ``sums`` pairs a SHA-256 with the path, relative to the archive, of the file that has it."""

    seq: int
    event: str
    run: str
    time: str
    state: str = ""
    text: str = ""
    sums: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        """Return the entry's bytes; the last line is the SHA-256 of those before it, against chance damage."""
        lines = [VERSION, f"# seq {self.seq}", f"# event {self.event}", f"# run {self.run}", f"# time {self.time}"]
        lines += [f"# state {self.state}"] if self.state else []
        lines += [f"# text {self.text}"] if self.text else []
        lines += [f"{sha}  {path}" for sha, path in self.sums]
        body = "".join(f"{line}\n" for line in lines).encode("ascii")
        return body + f"# sum {hashlib.sha256(body).hexdigest()}\n".encode()

    @property
    def file(self) -> str:
        """What the entry names besides its predecessor: a run.json, a manifest, or nothing."""
        return self.sums[-1][1] if self.event in ("open", "close") and self.sums else ""

    @property
    def sha256(self) -> str:
        """The SHA-256 that the entry gives for :attr:`file`."""
        return self.sums[-1][0] if self.file else ""


def name_of(seq: int) -> str:
    """Return an entry's path relative to the archive."""
    return f"log/{seq:06d}.entry"


def signature_of(seq: int) -> str:
    """Return the path of an entry's signature relative to the archive."""
    return f"{name_of(seq)}.sig"


def parse(data: bytes) -> Entry:
    """Return the entry in ``data``; raises ValueError, with the reason, for all but an entry's exact form."""
    match = _ENTRY.fullmatch(data.decode("ascii", errors="replace"))
    if match is None:
        raise ValueError("does not have the form of an entry")
    sums = tuple((line[:64], line[66:]) for line in match["sums"].splitlines())
    entry = Entry(
        int(match["seq"]), match["event"], match["run"], match["time"], match["state"] or "", match["text"] or "", sums
    )
    if entry.encode() != data:
        raise ValueError("does not have the checksum that its last line gives")
    if fault := _fault(entry):
        raise ValueError(fault)
    return entry


def _fault(entry: Entry) -> str:
    """Return how the parts of an entry contradict one another, or nothing."""
    if entry.event not in EVENTS:
        return f"has the unknown event {entry.event}"
    if entry.run == "-" and entry.event not in ("heartbeat", "key", "note"):
        return f"is of event {entry.event} and names no run"
    if entry.run != "-" and not RUN_ID.fullmatch(entry.run):
        return "names no valid run"
    named = {"open": f"runs/{entry.run}/run.json", "close": f"runs/{entry.run}/MANIFEST.sha256"}.get(entry.event)
    expected = ([name_of(entry.seq - 1)] if entry.seq > 1 else []) + ([named] if named else [])
    if [path for _, path in entry.sums] != expected:
        return "does not name exactly its predecessor and its run's file"
    if entry.event == "key" and entry.run != "-":
        return "is of event key and names a run"
    if {"interrupted": "close", "quarantined": "note"}.get(entry.state, entry.event) != entry.event:
        return f"has the state {entry.state}, which no {entry.event} has"
    return ""


class Log:
    """The entries in ``<archive>/log``. Appending is safe from many processes at once.

    ``key`` is the file of the key that signs; without it, the host's own (:func:`opslib.archive.keys.load`).
    """

    def __init__(self, folder: Path, key: Path | None = None) -> None:
        self.archive = folder
        self.folder = folder / "log"
        self._key = key
        self._loaded: Signer | None = None

    def append(
        self, event: str, run: str, *, file: tuple[str, str] | None = None, state: str = "", text: str = ""
    ) -> Entry:
        """Write the next entry and return it; ``file`` is the (SHA-256, path) that it vouches for.

        Raises ArchiveError when it is not on the disk; no entry has its number then.
        """
        with files.locked(self.archive / LOCK):
            return self.append_locked(event, run, file=file, state=state, text=text)

    def append_locked(
        self, event: str, run: str, *, file: tuple[str, str] | None, state: str = "", text: str = ""
    ) -> Entry:
        """Do as :meth:`append` for a caller that holds the lock on ``<archive>/.lock``."""
        last = self._introduced(self.newest())
        return self._write(last, event, run, file, state, _plain(text))

    def _write(
        self, last: int, event: str, run: str, file: tuple[str, str] | None = None, state: str = "", text: str = ""
    ) -> Entry:
        if last >= LAST:
            raise ArchiveError(f"The log of {self.archive} is full ({LAST} entries).", "Start a new archive.")
        sums = [(hashlib.sha256(self._data(last)).hexdigest(), name_of(last))] if last else []
        sums += [file] if file else []
        time = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        entry = Entry(last + 1, event, run, time, state, text, tuple(sums))
        data = entry.encode()
        parse(data)
        part = self.archive / "running" / ".log.part"
        files.write(self.archive / signature_of(entry.seq), self.signer.sign(data, keys.NAMESPACE), part)
        files.write(self.archive / name_of(entry.seq), data, part)
        with suppress(OSError):
            files.write_hint(self.archive / LOCK, f"{entry.seq} {self.folder.stat().st_mtime_ns}")
        if event == "key":
            self.list_keys()
        return entry

    @property
    def signer(self) -> Signer:
        """The key that signs here; raises ArchiveError when it cannot be used."""
        if self._loaded is None:
            self._loaded = keys.load(self.archive, self._key)
        return self._loaded

    def _introduced(self, last: int) -> int:
        """See to it that the log has an entry that adds this host's key, and return the last entry's number.

        Raises ArchiveError when an entry revokes the key.
        """
        own = keys.own(self.signer)
        # What a crash between a key's entry and the list leaves is made good before anything follows it.
        if last and b"\n# event key\n" in self._data(last):
            self.list_keys()
        lines = self._listed()
        if not any(own.public in line for line in lines):
            lines = self.list_keys()
        if keys.Change(own.fingerprint).line in lines:
            raise ArchiveError(
                f"The archive {self.archive} says that this host's key {own.fingerprint} is revoked.",
                "Make another one (ssh-keygen -t ed25519 -N ''), have it introduced, and name it in OPS_ARCHIVE_KEY.",
            )
        if any(own.public in line for line in lines):
            return last
        return self._write(last, "key", "-", text=own.text).seq

    def _listed(self) -> list[str]:
        try:
            return files.read_plain(self.archive / keys.SIGNERS, 1_000_000).decode("ascii", "replace").splitlines()
        except OSError:
            return []

    def list_keys(self) -> list[str]:
        """Write the archive's allowed_signers as the log has it, and return its lines; reads the whole log."""
        changes = []
        for entry in self.newest_first():
            if entry.event == "key":
                with suppress(ValueError):
                    changes.append(keys.parse(entry.text))
        data = keys.listed(changes[::-1])
        if changes and data.decode().splitlines() != self._listed():
            files.write(self.archive / keys.SIGNERS, data, self.archive / "running" / ".log.part")
        return data.decode().splitlines()

    def newest(self) -> int:
        """Return the newest entry's number, 0 when there is none.

        Listing a long log for each entry would make a run pay for all before it. So the last append left a
        hint, which counts as long as nothing came into the folder or went since.
        """
        with suppress(OSError, ValueError):
            seq, changed = files.read_plain(self.archive / LOCK, 100).split()
            fits = int(changed) == self.folder.stat().st_mtime_ns and (self.archive / name_of(int(seq))).is_file()
            # Folder times are coarse: an entry whose process was killed before the hint may have come in the same tick.
            if fits and not (self.archive / name_of(int(seq) + 1)).exists():
                return int(seq)
        return max(self.numbers(), default=0)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers that entries have, in no order."""
        if self.folder.is_dir():
            # Names alone: path objects would triple the time of appending to a long log.
            for name in os.listdir(self.folder):  # noqa: PTH208
                if match := _NAME.fullmatch(name):
                    yield int(match[1])

    def newest_first(self) -> Iterator[Entry]:
        """Yield the entries that can be read, newest first; damage is for the verifier to tell."""
        yield from filter(None, map(self.read, sorted(self.numbers(), reverse=True)))

    def read(self, seq: int) -> Entry | None:
        """Return one entry; None when it cannot be read."""
        try:
            return parse(files.read_plain(f"{self.archive}/{name_of(seq)}", LARGEST))
        except (OSError, ValueError):
            return None

    def sha256(self, seq: int) -> str:
        """Return an entry's SHA-256, empty where there is none: it tells whether the log is the one that was read."""
        try:
            return hashlib.sha256(files.read_plain(self.archive / name_of(seq), LARGEST)).hexdigest()
        except OSError:
            return ""

    def state(self, run: str) -> str:
        """Return "open", "closed", "quarantined" or "" (never registered)."""
        for entry in self.newest_first():
            if entry.run == run and (found := state_after(entry)):
                return found
        return ""

    def open_runs(self) -> tuple[str, ...]:
        """Return the runs that are registered and neither closed nor quarantined; reads the whole log."""
        seen: dict[str, str] = {}
        for entry in self.newest_first():
            if found := state_after(entry):
                seen.setdefault(entry.run, found)
        return tuple(sorted(run for run, state in seen.items() if state == "open"))

    def _data(self, seq: int) -> bytes:
        try:
            return files.read_plain(self.archive / name_of(seq), LARGEST)
        except OSError as error:
            raise ArchiveError(
                f"The newest entry {name_of(seq)} of {self.archive} cannot be read.",
                "Nothing can be chained to it; look at `ops archive verify`.",
            ) from error


def state_after(entry: Entry) -> str:
    """Return what an entry makes of its run: "open", "closed", "quarantined", or "" when it changes nothing."""
    if entry.event == "note":
        return "quarantined" if entry.state == "quarantined" else ""
    return {"open": "open", "close": "closed"}.get(entry.event, "")


def _plain(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:400]
