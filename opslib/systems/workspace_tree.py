"""What a commit would put on this machine, and what stands there now: pure rules, and a walk that starts nothing.

git's own way to tell what is changed may start programs that the checkout's configuration names (fsmonitor, filters).
Here every file is hashed as git names it, and compared with the commit.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from opslib.systems.checkout import Entry

LINK, FILE, PROGRAM, MODULE = "120000", "100644", "100755", "160000"
MOST_FILES = 50_000
MOST_BYTES = 2 * 1024**3
MOST_FOUND = 200_000
"""Files that are looked at in a folder."""
LONGEST_NAME, LONGEST_PATH = 255, 2_000
"""Bytes of one name, and of a whole path below the checkout."""
OURS = (".git", "node_modules")
"""Folders that are no part of a comparison: git's own, and what npm makes again."""
_PIECE = 1024 * 1024


def obstacle(entries: list[Entry], links: Mapping[str, bytes]) -> str | None:
    """Return why a commit is not put on this machine, or None. ``links`` has the targets by object's id."""
    if len(entries) > MOST_FILES or sum(entry.size for entry in entries) > MOST_BYTES:
        return f"has more than {MOST_FILES} files or {MOST_BYTES // 1024**3} GiB"
    for entry in entries:
        if fault := _fault(entry, links):
            return f"has {entry.path[:80]!a}, {fault}"
    return None


def _fault(entry: Entry, links: Mapping[str, bytes]) -> str | None:
    raw = os.fsencode(entry.path)
    if len(raw) > LONGEST_PATH or max(map(len, raw.split(b"/"))) > LONGEST_NAME:
        return "whose name is too long for a file system"
    if not entry.path.isprintable():
        return "a name that cannot be printed"
    if entry.path.split("/")[0] == "node_modules" or entry.path == ".env.local":
        return "which is made here and is no part of a repository"
    if entry.mode == LINK and leads_out(entry.path, links.get(entry.identity, b"/")):
        return "a link that leads out of the checkout"
    return None if entry.mode in (LINK, FILE, PROGRAM, MODULE) else f"of the odd mode {entry.mode}"


def leads_out(path: str, target: bytes) -> bool:
    """Tell whether a link at ``path`` may lead out of the tree, over other links of the tree as well.

    Steps up come first and stay within; after a name none follows: that name may be a link itself.
    """
    parts = target.split(b"/")
    names = [part for part in parts if part not in (b"", b".", b"..")]
    ups = [part for part in parts if part == b".."]
    depth = len(posixpath.dirname(path).split("/")) if "/" in path else 0
    return target[:1] in (b"/", b"") or b"\0" in target or len(ups) > depth or parts[: len(ups)] != ups or not names


def strangers(folder: Path, entries: Iterable[Entry], allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return what in ``folder`` is not as the commit has it, by path; ``allowed`` names files that may stand there."""
    wanted = {entry.path: entry for entry in entries if entry.mode != MODULE}
    modules = {entry.path for entry in entries if entry.mode == MODULE}
    found = dict(islice(_walk(folder), MOST_FOUND))
    if len(found) == MOST_FOUND:
        return [f"{MOST_FOUND} files or more"]
    odd = [path for path in found if path not in wanted and path not in allowed and path not in modules]
    odd += [path for path in wanted if path not in found]
    odd += [path for path, entry in wanted.items() if path in found and not _same(folder / path, found[path], entry)]
    return sorted(odd)


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    left = [""]
    while left:
        here = left.pop()
        with os.scandir(folder / here) as names:
            for name in names:
                path = f"{here}{name.name}"
                if not here and name.name in OURS:
                    continue
                if name.is_dir(follow_symlinks=False):
                    left.append(f"{path}/")
                else:
                    yield path, name.stat(follow_symlinks=False)


def _same(path: Path, found: os.stat_result, entry: Entry) -> bool:
    if entry.mode == LINK:
        return stat.S_ISLNK(found.st_mode) and named(os.fsencode(path.readlink()), entry) == entry.identity
    if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size:
        return False
    if bool(found.st_mode & 0o100) != (entry.mode == PROGRAM):
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        digest = _begun(entry, entry.size)
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest() == entry.identity


def named(data: bytes, entry: Entry) -> str:
    """Return the object's id that ``data`` has as a file, by the same digest as the entry's."""
    digest = _begun(entry, len(data))
    digest.update(data)
    return digest.hexdigest()


def _begun(entry: Entry, size: int) -> hashlib._Hash:
    # git names objects by SHA-1, or by SHA-256 where a repository was made so.
    digest = hashlib.sha1(usedforsecurity=False) if len(entry.identity) == 40 else hashlib.sha256()
    digest.update(f"blob {size}\0".encode())
    return digest
