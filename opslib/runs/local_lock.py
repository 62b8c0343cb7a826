"""One machine's locks: a file each, held with flock, which ends with its process whatever ends that.

The folder is shared by all users of the machine; the file's text says who holds it, for display only.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from opslib.errors import Refused
from opslib.systems.lease_store import boot

LARGEST = 4096
"""A lock's text has at most so many bytes."""

SHARED = Path("/run/lock")
LAST = Path("/tmp")  # noqa: S108 - not $TMPDIR: that differs from user to user, and then locks nobody out


def shared_folder(shared: Path = SHARED) -> Path:
    """Return the folder of this machine's locks: ``OPS_LOCKS``, else ``/run/lock/opslib``, else ``/tmp/opslib-locks``.

    Which of the two depends on the machine alone, never on who asks.
    """
    if said := os.environ.get("OPS_LOCKS"):
        return Path(said)
    return shared / "opslib" if _open_to_all(shared) else LAST / "opslib-locks"


def prepare(folder: Path) -> None:
    """Create the folder for all users of the machine; raises Refused where locks in it could be taken away."""
    try:
        folder.mkdir(parents=True)
        # The process's umask must not decide who else can lock.
        folder.chmod(0o1777)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(folder, str(error.strerror)) from error
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise _unusable(folder, "it is no folder")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise _unusable(folder, "anybody may remove another's files in it")


class LocalLock:
    """A lock of this machine that is held; made by :func:`take`."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    @property
    def proof(self) -> str:
        """The file's identity. While a holder lives, no other file of this machine has it; empty where none is sure."""
        said = os.fstat(self._handle)
        return f"{boot()}:{said.st_dev}:{said.st_ino}" if boot() else ""

    @property
    def held(self) -> bool:
        """Whether the name still stands for the locked file: a file without a name locks nobody out."""
        try:
            return os.path.samestat(self.path.lstat(), os.fstat(self._handle))
        except OSError:
            return False

    def text(self) -> dict[str, str]:
        """Return what the last holder wrote."""
        return _text(self._handle)

    def write(self, text: Mapping[str, str]) -> None:
        """Say who holds it. A disk that takes nothing does no harm: the lock holds without."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(dict(text)).encode()[:LARGEST], 0)

    def close(self) -> None:
        """Let the lock go; the file stays."""
        handle, self._handle = self._handle, -1
        # Nothing is open under that number when it was let go before.
        with suppress(OSError):
            os.close(handle)


def take(path: Path) -> LocalLock | dict[str, str]:
    """Take the lock on ``path`` now, or return what its holder wrote; raises Refused where it cannot be had."""
    while True:
        try:
            handle = _open(path)
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = _text(handle)
            os.close(handle)
            return said
        lock = LocalLock(path, handle)
        if lock.held:
            return lock
        lock.close()


def _open(path: Path) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        # Without O_CREAT first: Linux forbids that on another user's file in a sticky folder (fs.protected_regular).
        try:
            return _plain(_existing(path, flags))
        except FileNotFoundError:
            pass
        with suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
            os.fchmod(handle, 0o666)
            return handle


def _existing(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        # Its creator may not have opened it to all yet; to lock it, reading is enough.
        return os.open(path, os.O_RDONLY | flags)


def _plain(handle: int) -> int:
    said = os.fstat(handle)
    if not stat.S_ISREG(said.st_mode) or said.st_nlink > 1:
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file with one name")
    return handle


def _text(handle: int) -> dict[str, str]:
    """Return a lock's text; anybody may have written it, so whatever is no text of ours is left out."""
    try:
        said = json.loads(os.pread(handle, LARGEST, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    return {name: word for name, word in said.items() if isinstance(word, str)}


def _open_to_all(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH and mode & stat.S_ISVTX)


def _unusable(path: Path, why: str) -> Refused:
    return Refused(
        f"The lock {path} cannot be used: {why}.",
        "Nothing was changed. Give a folder that all operators of this machine share in OPS_LOCKS.",
    )
