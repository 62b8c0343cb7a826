"""Who was told what, and when: one folder for each destination, lines that are added and never changed.

``<archive>/told/<destination>/<year>-<month>.jsonl`` holds a JSON object a line: ``begun`` before a notice is sent,
``told`` or ``failed`` after that. A ``begun`` without an end is what a crash left: nobody knows whether it was sent.
One process at a time may tell a destination; its lock ends with it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.canonical import to_json
from opslib.errors import ArchiveError

FOLDER = "told"
LARGEST = 64 * 1024 * 1024
"""No month of a destination is read further."""
PAUSE = 0.1


class Told:
    """What one destination was told. Reading creates nothing; a line that cannot be read counts as none."""

    def __init__(self, archive: Path, destination: str) -> None:
        self.folder, self.destination = archive / FOLDER / destination, destination

    @contextmanager
    def held(self, seconds: float, pause: Callable[[float], None] = time.sleep) -> Iterator[bool]:
        """Hold the right to tell, waited for at most ``seconds``; yields whether it was got.

        Raises ArchiveError where the folder cannot be made.
        """
        try:
            files.make_folder(self.folder)
            handle, until = None, time.monotonic() + seconds
            while (handle := files.try_lock(self.folder / "lock")) is None and time.monotonic() < until:
                pause(PAUSE)
        except OSError as error:
            raise ArchiveError(f"{self.folder} cannot be used: {error.strerror}.", "Look at the archive.") from error
        try:
            yield handle is not None
        finally:
            if handle is not None:
                os.close(handle)

    def lines(self) -> list[Mapping[str, Any]]:
        """Return all lines, earliest first."""
        found: list[Mapping[str, Any]] = []
        for path in sorted(self.folder.glob("[0-9]*.jsonl")):
            with suppress(OSError):
                for line in files.read_plain(path, LARGEST).split(b"\n"):
                    with suppress(ValueError, RecursionError):
                        said = json.loads(line)
                        found += [said] if isinstance(said, dict) else []
        return found

    def add(self, moment: datetime, **said: Any) -> None:
        """Add a line, on the disk before this returns; raises ArchiveError. Only who holds the destination may."""
        path = self.folder / f"{moment:%Y-%m}.jsonl"
        line = json.dumps({"at": to_json(moment), **to_json(said)}, ensure_ascii=False, sort_keys=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(handle).st_size
                # A crash may have left half a line, which must not swallow this one.
                torn = size and os.pread(handle, 1, size - 1) != b"\n"
                rest = memoryview((("\n" if torn else "") + line + "\n").encode())
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            if not size:
                files.sync_folder(self.folder)
        except OSError as error:
            raise ArchiveError(
                f"{path} could not be written: {error.strerror}.", "Free space; it is told again then."
            ) from error
