"""Sealing a run's folder: the secrets gate, and the manifest that names every file with its SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opslib import files
from opslib.archive import seal_secrets
from opslib.errors import ArchiveError
from opslib.redaction import Redactor

MANIFEST = "MANIFEST.sha256"
LARGEST = 16 * 1024 * 1024
"""No manifest has more bytes."""

NAME = re.compile(r"(?:[A-Za-z0-9_.+=@,~][A-Za-z0-9_.+=@,~-]*/)*[A-Za-z0-9_.+=@,~][A-Za-z0-9_.+=@,~-]*", re.ASCII)
"""Names that every tool prints and reads alike; a path of such names has no other spelling."""

_OVERLAP = 64 * 1024
_PIECE = 256 * 1024
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n", re.ASCII)


@dataclass(frozen=True)
class Scan:
    """What one pass over a run's files found: SHA-256 by path, and the paths in which a secret stands.

    With what only looks like one, the path is followed by rule and place: ``plan.json (OpenAI key in [0].plan)``.
    """

    sums: dict[str, str]
    leaking: tuple[str, ...]

    def manifest(self) -> bytes:
        """Return the manifest: every file but the manifest itself, sorted by path, in sha256sum's format."""
        return "".join(f"{sha}  {path}\n" for path, sha in sorted(self.sums.items())).encode("ascii")


def good_name(path: str) -> bool:
    """Say whether a path inside a run may stand in a manifest."""
    return bool(NAME.fullmatch(path)) and not {".", ".."} & set(path.split("/"))


def walk(folder: Path, below: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (path relative to ``folder``, directory entry) of everything in it; follows no link."""
    with os.scandir(folder / below) as entries:
        for entry in sorted(entries, key=lambda found: found.name):
            path = f"{below}{entry.name}"
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                yield from walk(folder, f"{path}/")


def scan(
    folder: Path, redactor: Redactor, *, largest: int = seal_secrets.LARGEST, window: int = 8 * 1024 * 1024
) -> Scan:
    """Read every file of a run once: digest, secrets gate, and a flush to the disk.

    A file of more than ``largest`` bytes is searched as it is, ``window`` bytes at a time. Raises ArchiveError
    for what a run may not hold: links, pipes, or names that tools spell differently.
    """
    sums: dict[str, str] = {}
    leaking: dict[str, str] = {}
    try:
        for path, entry in walk(folder):
            if entry.is_dir(follow_symlinks=False) or path == MANIFEST:
                continue
            if not entry.is_file(follow_symlinks=False) or not good_name(path):
                raise ArchiveError(
                    f"{str(folder / path)!r} is a link, no plain file, or has a name that a manifest cannot hold.",
                    "Remove or rename it, then close the run again.",
                )
            sums[path], said = _read(folder / path, redactor, largest, window)
            if said is not None:
                leaking[path] = f"{path} ({said})" if said else path
    except OSError as error:
        raise ArchiveError(f"The run {folder} cannot be read: {error}.", "Close the run again.") from error
    # One look through all names; only where there is something, a look at each.
    if redactor.leaks("\x07\n ".join(sums).encode()):
        leaking |= {path: path for path in sums if redactor.leaks(path.encode())}
    return Scan(sums, tuple(leaking[path] for path in sums if path in leaking))


def parse(data: bytes) -> dict[str, str]:
    """Return SHA-256 by path of a manifest; raises ValueError for all but the exact form that is written."""
    text = data.decode("ascii", errors="replace")
    sums = {match[2]: match[1] for match in _LINE.finditer(text)}
    if not data.isascii() or Scan(sums, ()).manifest() != data:
        raise ValueError("is no manifest: not sorted, or lines of another form")
    for path in sums:
        if not good_name(path) or path == MANIFEST:
            raise ValueError("names a file that a manifest cannot hold")
    return sums


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a plain file, read piece by piece; raises OSError for anything else."""
    sha, handle = hashlib.sha256(), files.open_plain(path)
    try:
        while piece := os.read(handle, _PIECE):
            sha.update(piece)
    finally:
        os.close(handle)
    return sha.hexdigest()


def _read(path: Path, redactor: Redactor, largest: int, window: int) -> tuple[str, str | None]:
    """Return a file's SHA-256 and what it gives away, as :func:`seal_secrets.stands` says it."""
    sha, tail, said, whole = hashlib.sha256(), b"", None, path.stat().st_size <= largest
    with os.fdopen(files.open_plain(path), "rb") as file:
        while data := file.read(-1 if whole else window):
            sha.update(data)
            # The overlap finds a secret that lies across two windows.
            found = seal_secrets.stands(path.name if whole else "", tail + data, redactor)
            said = found if said is None or found == "" else said
            tail = data[-_OVERLAP:]
        files.flush(file.fileno())
    return sha.hexdigest(), said
