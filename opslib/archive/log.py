"""The archive's log: one small text file per entry, numbered without gaps, each naming the one before it.

An entry's ``#`` lines are for people; its other lines are in the format of ``sha256sum`` with paths
relative to the archive's folder, so that ``sha256sum -c`` checks them there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opslib import files
from opslib.errors import ArchiveError
from opslib.model import now

VERSION = "# opslib archive entry 1"
EVENTS = ("open", "close", "heartbeat", "redact", "key", "note")
"""The closed list of what an entry may announce."""

LARGEST = 16 * 1024
"""No entry has more bytes; a larger file in an entry's place is damage."""

LAST = 999_999
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
    if {"interrupted": "close", "quarantined": "note"}.get(entry.state, entry.event) != entry.event:
        return f"has the state {entry.state}, which no {entry.event} has"
    return ""


class Log:
    """The entries in ``<archive>/log``. Appending is safe from many processes at once."""

    def __init__(self, folder: Path) -> None:
        self.archive = folder
        self.folder = folder / "log"

    def append(
        self, event: str, run: str, *, file: tuple[str, str] | None = None, state: str = "", text: str = ""
    ) -> Entry:
        """Write the next entry and return it; ``file`` is the (SHA-256, path) that it vouches for.

        Raises ArchiveError when it is not on the disk; no entry has its number then.
        """
        with files.locked(self.archive / ".lock"):
            return self.append_locked(event, run, file=file, state=state, text=text)

    def append_locked(
        self, event: str, run: str, *, file: tuple[str, str] | None = None, state: str = "", text: str = ""
    ) -> Entry:
        """Do as :meth:`append` for a caller that holds the lock on ``<archive>/.lock``."""
        last = max(self.numbers(), default=0)
        if last >= LAST:
            raise ArchiveError(f"The log of {self.archive} is full ({LAST} entries).", "Start a new archive.")
        sums = [(self._sha256(last), name_of(last))] if last else []
        sums += [file] if file else []
        time = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        entry = Entry(last + 1, event, run, time, state, _plain(text), tuple(sums))
        data = entry.encode()
        parse(data)
        files.write(self.archive / name_of(entry.seq), data, self.archive / "running" / ".log.part")
        return entry

    def numbers(self) -> Iterator[int]:
        """Yield the numbers that entries have, in no order."""
        if self.folder.is_dir():
            # Names alone: path objects would triple the time of appending to a long log.
            for name in os.listdir(self.folder):  # noqa: PTH208
                if match := _NAME.fullmatch(name):
                    yield int(match[1])

    def newest_first(self) -> Iterator[Entry]:
        """Yield the entries that can be read, newest first; damage is for the verifier to tell."""
        for seq in sorted(self.numbers(), reverse=True):
            try:
                yield parse(files.read_plain(self.archive / name_of(seq), LARGEST))
            except (OSError, ValueError):
                continue

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

    def _sha256(self, seq: int) -> str:
        try:
            return hashlib.sha256(files.read_plain(self.archive / name_of(seq), LARGEST)).hexdigest()
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
