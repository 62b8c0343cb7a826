"""Files of exported logs on this machine: which there are, of which stream and day, and the SHA-256 of each.

An export lies below one folder: as CloudWatch writes it (``<task>/<stream>/000000.gz``), or as JSON lines. A day in a
path (``2026-11-29`` or ``2026/11/29``) parts it by time. Nothing outside the folder is followed to.

Source: CloudWatch Logs User Guide, "Export log data to Amazon S3" (names of objects, aws-logs-write-test).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opslib.errors import Refused

READ = (".gz", ".jsonl", ".json", ".log")
IGNORED = "aws-logs-write-test"
MOST_FILES = 200_000
CHUNK = 4 * 1024 * 1024
MARGIN = timedelta(days=1)
"""A day in a path may be of another zone than UTC, and a line may come late."""
_PLAIN = re.compile(r"[A-Za-z0-9_.=@+,:%-]+(/[A-Za-z0-9_.=@+,:%-]+)*", re.ASCII)
_DAY = re.compile(r"(20[0-9]{2})([-/])([0-9]{2})\2([0-9]{2})(?![0-9])", re.ASCII)


@dataclass(frozen=True)
class LogFile:
    """A file of an export: ``name`` is its path below the folder."""

    name: str
    stream: str
    bytes: int
    identity: tuple[int, int, int, int]
    """Inode, bytes, moments of the last change: what stays the same while nobody writes to it."""


def listed(folder: Path) -> list[LogFile]:
    """Return the files of logs below ``folder``, by name.

    Raises Refused for a folder that is not there, a file that is no plain one, has a name that a program could take
    for a pattern, or is of a kind that nobody can read: what is left out silently would be missing.
    """
    if not folder.is_dir():
        raise Refused(f"There is no folder {folder}.", "Copy the export there, or name another one.")
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        if links := [name for name in folders if (Path(place) / name).is_symlink()]:
            raise Refused(f"{links[0]} is a link, not a folder.", "Copy what it leads to.")
        for name in sorted(names):
            if name == IGNORED:
                continue
            found.append(_file(folder, Path(place) / name))
            if len(found) > MOST_FILES:
                raise Refused(f"There are more than {MOST_FILES} files.", "Ask a part of the export.")
    return found


def _file(folder: Path, path: Path) -> LogFile:
    name = path.relative_to(folder).as_posix()
    if not _PLAIN.fullmatch(name):
        raise Refused("A file's name holds signs that a program could take for a pattern.", f"Rename {name!r}.")
    if not name.endswith(READ):
        raise Refused(f"{name} is of no kind that is read.", f"Those are {', '.join(READ)}: take it away.")
    return LogFile(name, path.parent.name, path.lstat().st_size, identity(path))


def identity(path: Path) -> tuple[int, int, int, int]:
    """Return what stays the same while nobody writes to a file; raises Refused where it is no plain file."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path.name} is not a plain file.", "Copy what it leads to.")
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def within(files: Sequence[LogFile], begin: datetime, end: datetime) -> list[LogFile]:
    """Return those whose path does not say that they are of another time than from ``begin`` to ``end``."""
    return [one for one in files if (day := _day(one.name)) is None or begin - MARGIN * 2 < day < end + MARGIN]


def _day(name: str) -> datetime | None:
    found = list(_DAY.finditer(name))
    try:
        return datetime(int(found[-1][1]), int(found[-1][3]), int(found[-1][4]), tzinfo=UTC) if found else None
    except ValueError:
        return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece; raises Refused where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            while piece := file.read(CHUNK):
                digest.update(piece)
    except OSError as error:
        raise Refused(f"{path.name} cannot be read: {error.strerror}.", "Look at its rights and at the disk.") from None
    return digest.hexdigest()
