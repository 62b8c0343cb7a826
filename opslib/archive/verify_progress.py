"""How far a verification came, so that one that was broken off is gone on with instead of begun anew.

The log, its chain and its signatures are always read whole. What is left out the second time are the files of runs
that held the first time, as long as every file still has the place, size and times that it had then. What is trusted is
this user's own state folder, where the key that signs the archive lies as well: nothing of it lies in the archive, so
whoever can write there cannot make a run pass. It holds for a day, for this archive and this program alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from opslib import files
from opslib.archive import seal
from opslib.archive.anchor import identity
from opslib.archive.log import Entry
from opslib.errors import ArchiveError
from opslib.model import now

HOLDS: Final = timedelta(days=1)
FORM: Final = "opslib verification 1"
LARGEST: Final = 1024 * 1024 * 1024
EVERY: Final = 64
"""So many runs are read before what is known of them is written down."""


class Progress:
    """What one verification of an archive has read so far, in a file of this user's own.

    With ``resume`` the file of one that was broken off is gone on with. Raises ArchiveError where others could write
    there, or it lies in the archive. ``skipped`` counts the runs that were left out since ``began``.
    """

    def __init__(self, archive: Path, *, resume: bool = False, every: int = EVERY) -> None:
        self.began = now()
        self.skipped = 0
        self._archive = archive
        self._every = every
        self._waiting: list[str] = []
        self._path = _place(archive)
        self._known: dict[str, tuple[str, int]] = {}
        if resume:
            self._read()
        head = f"{FORM} {identity(archive)} {_program()} {self.began.isoformat()}"
        self._out: TextIOWrapper | None = self._path.open("a" if self._known else "w", encoding="ascii")
        os.chmod(self._path, 0o600)  # noqa: PTH101
        if not self._known:
            self._waiting = [head]
            self._write()

    def files_of(self, opened: Entry, closed: Entry) -> int | None:
        """Return how many files of a run were read, held, and are as they were; None when it is to be read."""
        sha256, count = self._known.get(closed.run, ("", 0))
        if not sha256 or sha256 != _as_it_is(self._archive, opened, closed):
            return None
        self.skipped += 1
        return count

    def mark(self, opened: Entry, closed: Entry) -> str:
        """Return what a run's files are like before they are read, for :meth:`held`."""
        return _as_it_is(self._archive, opened, closed)

    def held(self, closed: Entry, mark: str, count: int) -> None:
        """Note that a run's files were read and held; ``count`` is how many there are."""
        if mark:
            self._waiting.append(f"{closed.run} {mark} {count}")
        if len(self._waiting) >= self._every:
            self._write()

    def close(self, *, done: bool) -> None:
        """End it: what was broken off is kept for the next, what is ``done`` is not."""
        if self._out is not None:
            self._write()
            self._out.close()
            self._out = None
        if done:
            with suppress(OSError):
                self._path.unlink()

    @property
    def statement(self) -> str:
        """What was not read this time, in words; nothing where all was."""
        if not self.skipped:
            return ""
        return (
            f"CONTINUED: {self.skipped} runs were read by a part that began {self.began:%Y-%m-%d %H:%M} UTC; "
            "their files have the sizes and times that they had then."
        )

    def _write(self) -> None:
        # A disk that is full costs the way back to here, not the verification.
        with suppress(OSError):
            if self._out is not None:
                self._out.writelines(f"{line}\n" for line in self._waiting)
                self._out.flush()
        self._waiting = []

    def _read(self) -> None:
        try:
            lines = files.read_plain(self._path, LARGEST).decode("ascii", "replace").split("\n")[:-1]
            said = lines[0].rpartition(" ")
            began = datetime.fromisoformat(said[2])
            if said[0] != f"{FORM} {identity(self._archive)} {_program()}" or not now() - HOLDS < began <= now():
                return
            for line in lines[1:]:
                run, mark, count = line.split(" ")
                self._known[run] = (mark, int(count))
        except (OSError, ValueError, IndexError, TypeError):
            self._known = {}
            return
        self.began = began


def _place(archive: Path) -> Path:
    """Return where the progress of an archive's verification lies; raises ArchiveError where others could write it."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute()
    folder = state / "opslib" / "verified"
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(archive)):
        raise ArchiveError(f"{folder} lies in the archive.", "Set XDG_STATE_HOME to a folder elsewhere.")
    files.make_folder(folder)
    about = folder.stat()
    if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
        raise ArchiveError(f"Others can write to {folder}.", f"chmod 700 {folder}, or set XDG_STATE_HOME.")
    return folder / hashlib.sha256(os.path.realpath(archive).encode()).hexdigest()[:32]


def _as_it_is(archive: Path, opened: Entry, closed: Entry) -> str:
    """Return a digest of what the disk says of everything in a run's folder, and of what the log names.

    No content is read. A time of the last change cannot be set by who may write to a file; root can.
    """
    folder = archive / "runs" / closed.run
    sha = hashlib.sha256(f"{opened.sha256} {closed.sha256} {closed.state}".encode())
    try:
        for path, entry in seal.walk(folder):
            said = entry.stat(follow_symlinks=False)
            place = (said.st_dev, said.st_ino, said.st_mode, said.st_size, said.st_mtime_ns, said.st_ctime_ns)
            sha.update(f"{path} {place}\n".encode("utf-8", "surrogateescape"))
    except OSError:
        return ""
    return sha.hexdigest()


@cache
def _program() -> str:
    """Return a digest of what verifies: another version of it begins anew."""
    sha = hashlib.sha256(version("opslib").encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(path.read_bytes())
    return sha.hexdigest()
