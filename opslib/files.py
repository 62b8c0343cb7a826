"""Writing so that a name always stands for a whole file, and locks that end with their process."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from opslib.errors import ArchiveError

_PIECE = 64 * 1024
"""Bytes that a first read asks for: most files are smaller."""


def make_folder(path: Path) -> None:
    """Create ``path`` and its parents where missing, each with mode 0700, and flush their names to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush the names in a folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_flushed: dict[tuple[int, int], tuple[int, int]] = {}
_MOST_FLUSHED = 4096


def flush(handle: int) -> None:
    """Flush a file's content to the disk, unless this process did so since it was last written; raises OSError."""
    found = os.fstat(handle)
    if _flushed.get((found.st_dev, found.st_ino)) != (found.st_size, found.st_mtime_ns):
        os.fsync(handle)


def note_flushed(handle: int) -> None:
    """Note that a file's content has just been flushed, and that it is written no more by who calls this."""
    if len(_flushed) >= _MOST_FLUSHED:
        _flushed.clear()
    found = os.fstat(handle)
    _flushed[found.st_dev, found.st_ino] = found.st_size, found.st_mtime_ns


def write(path: Path, data: bytes, part: Path, mode: int = 0o600, *, named: bool = True) -> None:
    """Give ``path`` the content ``data``, wholly or not at all, and on the disk before returning.

    ``part`` is the temporary name, on the same file system and used by this caller alone. Without ``named`` the content
    is on the disk, and its name comes there with the next flush of the folder. Raises ArchiveError when any step fails;
    ``path`` is then what it was before.
    """
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            os.fchmod(handle, mode)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
            note_flushed(handle)
        finally:
            os.close(handle)
        part.replace(path)
        if named:
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise ArchiveError(f"{path} could not be written: {error.strerror}.", "Free space, then try again.") from error


def write_hint(path: Path, text: str) -> None:
    """Give ``path`` a text that can be lost or torn without harm: not flushed, and no error when it fails."""
    with suppress(OSError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)


def write_json(path: Path, value: Any, *, named: bool = True) -> None:
    """Give ``path`` the JSON of ``value``, readable by people, as :func:`write` does; raises ArchiveError."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    write(path, text.encode(), path.with_name(f".{path.name}.part"), named=named)


def open_plain(path: Path | str) -> int:
    """Open a plain file for reading and return its handle; raises OSError for links, pipes and folders.

    Never waits: a pipe put in a file's place would otherwise hold its reader for ever.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no plain file")
    return handle


def read_plain(path: Path | str, most: int) -> bytes:
    """Return the content of a plain file of at most ``most`` bytes; raises OSError otherwise."""
    handle = open_plain(path)
    try:
        data = piece = os.read(handle, min(_PIECE, most + 1))
        while piece and len(data) <= most:
            piece = os.read(handle, min(max(_PIECE, len(data)), most + 1 - len(data)))
            data += piece
    finally:
        os.close(handle)
    if len(data) > most:
        raise OSError(f"{path} is larger than {most} bytes")
    return data


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock on ``path`` (created when missing); waits for whoever has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def create_locked(path: Path, part: Path, data: bytes = b"") -> int | None:
    """Create ``path`` with its lock held from its first moment and return the handle; None when it exists.

    ``part`` is a temporary name of this caller's own: nobody who looks for ``path`` can lock it first. With ``data``,
    that is its content from its first moment, and on the disk before returning.
    """
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if data:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        os.link(part, path)
        if data:
            sync_folder(path.parent)
    except FileExistsError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    finally:
        part.unlink()
    return handle


def try_lock(path: Path) -> int | None:
    """Return a handle that holds the lock on ``path`` (created when missing), or None when another has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
        # Its holder may have removed the file while we waited: a lock on a file without a name locks nobody out.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(handle).st_ino:
                return handle
        os.close(handle)


def lock_folder(path: Path) -> int:
    """Return a handle that holds the lock on the folder ``path``; raises OSError when another has it, or for a link."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
