"""The run's journal: an append-only file of JSON lines, each naming the digest of the one before it.

A line is on the disk before what it announces is done. One that announces nothing to a target, such as a cell's
begin, is with the operating system by then and on the disk with the next line that is flushed: that it is missing after
a loss of power says nothing about an effect. The writer owns the file alone; readers accept a torn last line, whose act
never began.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files
from opslib.canonical import canonical, to_json
from opslib.errors import ArchiveError
from opslib.model import now
from opslib.redaction import Redactor

FIRST = "0" * 64


class Journal:
    """Writer of one run's journal. Thread-safe; a line is flushed to the disk before ``append`` returns."""

    def __init__(self, path: Path, redactor: Redactor, *, cell: Callable[[], str | None] = lambda: None) -> None:
        """Open ``path`` for appending (created with mode 0600); ``cell`` tells the current cell's id."""
        self.path = path
        self._redactor = redactor
        self._cell = cell
        self._lock = threading.Lock()
        self._seq, self._head = _last(path)
        self._unsure = self._flushed = False
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def head(self) -> str:
        """SHA-256 of the last line: names the whole journal so far."""
        return self._head

    def append(self, event: str, *, late: bool = False, **said: Any) -> int:
        """Write one event and return its sequence number; raises ArchiveError when it is not on the disk.

        One that is ``late`` comes there with the next one that is not: no intent and no outcome of a step.
        After a failed write or fsync the journal takes nothing more: what is on the disk is unknown then.
        """
        with self._lock:
            if self._file < 0:
                raise ArchiveError(self._shut_because, "Start a new run.")
            if self._unsure:
                self._seq, self._head = _last(self.path)
            # A signal's exception can come between any two lines of this: then the file says how far it came.
            self._unsure, self._flushed = True, False
            line = {
                "seq": self._seq + 1,
                "time": to_json(now()),
                "event": event,
                "cell": said.pop("cell", None) or self._cell(),
                "prev": self._head,
                **self._redactor.tree(to_json(said)),
            }
            data = canonical(line)
            try:
                _write(self._file, data + b"\n")
                if not late:
                    os.fsync(self._file)
                self._flushed = not late
            except OSError as error:
                self._shut(f"The journal {self.path} could not be written: {error}.")
                raise ArchiveError(self._shut_because, "Free space, then start a new run.") from error
            self._seq, self._head = self._seq + 1, hashlib.sha256(data).hexdigest()
            self._unsure = False
            return self._seq

    def close(self) -> None:
        """Close the file; later appends are refused."""
        with self._lock:
            self._shut(f"The journal {self.path} is closed.")

    def _shut(self, because: str) -> None:
        if self._file >= 0:
            if self._flushed:
                files.note_flushed(self._file)
            os.close(self._file)
            self._file, self._shut_because = -1, because


@dataclass(frozen=True)
class Line:
    """One journal line as read back: its number, event and the whole object."""

    seq: int
    event: str
    cell: str | None
    said: dict[str, Any]


def read(path: Path) -> Iterator[Line]:
    """Yield the lines of a journal in order, without checking the chain; a torn last line is left out."""
    for raw in path.read_bytes().split(b"\n")[:-1]:
        said = json.loads(raw)
        yield Line(said["seq"], said["event"], said.get("cell"), said)


def _last(path: Path) -> tuple[int, str]:
    if not path.exists():
        return 0, FIRST
    data = path.read_bytes()
    lines = data.split(b"\n")
    if lines[-1]:
        raise ArchiveError(f"The journal {path} ends in a torn line.", "Its run was interrupted; start a new one.")
    if len(lines) < 2:
        return 0, FIRST
    return int(json.loads(lines[-2])["seq"]), hashlib.sha256(lines[-2]).hexdigest()


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
