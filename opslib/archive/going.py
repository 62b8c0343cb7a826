"""Which runs go on: the process of a run holds a lock beside the archive's log, which ends with it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from opslib.archive.log import RUN_ID


def going(archive: Path) -> tuple[str, ...]:
    """Return the ids of the runs whose process is there; of one that others may not look at, that is assumed.

    What is open and not among these was broken off: the next start, or ops resume, closes it.
    """
    folder = archive / "running"
    names = sorted(filter(RUN_ID.fullmatch, os.listdir(folder))) if folder.is_dir() else []  # noqa: PTH208
    return tuple(name for name in names if held(folder / name))


def held(path: Path) -> bool:
    """Say whether a process holds the lock on a file; of one that others may not look at, that is assumed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        # Shared: two who look at once are not taken for the run.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
