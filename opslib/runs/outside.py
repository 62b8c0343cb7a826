"""What people say to a run from outside it, by small files beside its lock: stop, or go on after a pause."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from opslib import files

Word = Literal["stop", "confirm"]
LARGEST = 1000


def say(archive: Path, run: str, word: Word, by: str) -> None:
    """Tell the run to stop, or that its question is answered; ``by`` says who. Raises ArchiveError when it cannot."""
    path = _path(archive, run, word)
    files.write(path, by.encode()[:LARGEST], path.with_name(f".{path.name}.part"))


def said(archive: Path, run: str, word: Word) -> str:
    """Return who said it, or nothing."""
    try:
        text = files.read_plain(_path(archive, run, word), LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(char for char in text if char.isprintable()) or "somebody"


def forget(archive: Path, run: str, word: Word) -> None:
    """Remove what was said, once it was heard."""
    _path(archive, run, word).unlink(missing_ok=True)


def _path(archive: Path, run: str, word: Word) -> Path:
    return archive / "running" / f"{run}.{word}"
