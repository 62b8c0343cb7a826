"""A run's private folder for sockets and its kernel's files; what killed runners left of theirs is swept away."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from opslib import files

PREFIX = "ops-run-"
YOUNG = 60.0
"""Seconds in which a folder that is not locked yet may be one that is just being made."""

SOCKET = 107
"""So many bytes may a socket's path have on Linux (unix(7)); a kernel whose path is longer waits for ever."""
ROOM = 24
"""Bytes that a run's own sockets have behind the folder's name: ``/kernel/at-5`` and less."""


class Private:
    """A folder of this user alone, locked for as long as this process has it; :meth:`remove` ends it.

    Behind its name is ``room`` for a socket's, in bytes.
    """

    def __init__(self, room: int = ROOM) -> None:
        within = parent(room)
        _sweep(within)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
        self._lock = files.lock_folder(self.path)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def parent(room: int = ROOM) -> Path:
    """Return where such folders are made: that of temporary files, or ``/tmp`` where its name is too long."""
    usual = Path(tempfile.gettempdir()).absolute()
    made = len(os.fsencode(usual / f"{PREFIX}12345678"))
    return usual if made + room <= SOCKET else Path("/tmp")  # noqa: S108


def _sweep(within: Path) -> None:
    for path in within.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or not _ours(found.st_uid) or time.time() - found.st_mtime < YOUNG:
                continue
            lock = files.lock_folder(path)
            try:
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _ours(uid: int) -> bool:
    # The folder may have been given to the user that the notebook ran as; only root can tell those from strangers'.
    return uid == os.getuid() or os.getuid() == 0
