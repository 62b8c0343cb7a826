"""Whether the code is still what a standing process has imported: its files, its packages, their lock.

The system tells of changes in the folders (inotify(7)); only then is each file looked at, as that takes longer than the
rest of a request. Where it cannot tell, they are looked at each time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import opslib
from opslib.headless.origin import CODE
from opslib.places import ROOT

CHANGES = 0xFCE
"""Written, moved, made, deleted, given other rights; of a folder or of what is in it."""

Signature = tuple[tuple[str, int, int, int], ...]


class Code:
    """The code as it was when this was made: before it was imported."""

    def __init__(self) -> None:
        self._package = str(Path(str(opslib.__file__)).resolve().parent)
        self._beside = (str(ROOT / "uv.lock"), sysconfig.get_path("purelib"), sys.executable)
        self._watch = self._watching()
        self._signature = self.signature()

    def changed(self) -> bool:
        """Return whether it is another by now."""
        if self._watch >= 0:
            try:
                os.read(self._watch, 65536)
            except BlockingIOError:
                return False
        return self.signature() != self._signature

    def close(self) -> None:
        """Look no more."""
        if self._watch >= 0:
            os.close(self._watch)
            self._watch = -1

    def signature(self) -> Signature:
        """Return what changes when the files do."""
        paths = [f"{at}/{name}" for at, _, names in os.walk(self._package) for name in names if name.endswith(CODE)]
        found = []
        for path in sorted([*paths, *self._beside]):
            with suppress(FileNotFoundError):
                seen = os.stat(path)  # noqa: PTH116 - hundreds
                found.append((path, seen.st_ino, seen.st_size, seen.st_ctime_ns))
        return tuple(found)

    def _watching(self) -> int:
        """Return a handle on which changes are told; -1 where they cannot be."""
        system = ctypes.CDLL(None)
        handle = int(system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if handle < 0:
            return -1
        folders = [at for at, _, _ in os.walk(self._package) if not at.endswith("__pycache__")]
        folders += [self._beside[1], *map(os.path.dirname, (self._beside[0], self._beside[2]))]
        if any(system.inotify_add_watch(handle, os.fsencode(folder), CHANGES) < 0 for folder in folders):
            os.close(handle)
            return -1
        return handle
