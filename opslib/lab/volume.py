"""The disk under the lab's database as a volume of a size of its own, where a fault gives it one.

Nothing is mounted: that needs rights which an ordinary user has not. What is used is really used, byte for byte; only
the size is chosen, and stands in a file beside the data folder.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

FILE = "volume"


def give(data: Path, size_bytes: int) -> None:
    """Let the volume under ``data`` have that size."""
    _file(data).write_text(f"{size_bytes}\n", encoding="utf-8")


def take_away(data: Path) -> None:
    """Let it be this machine's disk again."""
    _file(data).unlink(missing_ok=True)


def size(data: Path) -> int | None:
    """Return the volume's size in bytes, or None where ``data`` lies on this machine's disk as it is."""
    try:
        return int(_file(data).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def used(data: Path) -> int:
    """Return the bytes that the files below ``data`` take on the disk; one that goes meanwhile counts as gone."""
    total = 0
    for path in data.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


def _file(data: Path) -> Path:
    return data.parent / FILE
