"""The product's git repository: files as a commit has them, read from git's own objects.

The working tree and the index are not looked at, so whatever an operator has open or half changed there counts for
nothing, and nothing is checked out or put back. Source: git's manual (rev-parse, ls-tree, cat-file --batch, rev-list,
diff-tree).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opslib.errors import SettingsError, StepFailed, Unreachable
from opslib.systems import programs

SECONDS = 30.0
MOST_FILES = 1500
"""Files of one question; their names fit a pipe."""
MOST_BYTES = 16 * 1024 * 1024
MOST_TREE_FILES, BATCH = 20_000, 100
"""Files of a whole commit, and how many of them are asked for at once (each batch may have :data:`MOST_BYTES`)."""

KEPT_TREES, KEPT_BYTES = 8, 4 * 1024 * 1024
"""Lists of a commit's files, and bytes of files, that are kept: an object's id stands for its content."""

_ENTRY = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_LONG = re.compile(rb"(\d{6}) \w+ ([0-9a-f]{40,64}) +(\d+|-)\t(.+)", re.DOTALL)
_PLAIN_FILES = (b"100644", b"100755")


@dataclass(frozen=True)
class Entry:
    """One name of a commit's tree: ``mode`` as git writes it, object's id, bytes, path from the root."""

    mode: str
    identity: str
    size: int
    path: str


@dataclass(frozen=True)
class Made:
    """One commit of a branch's own line: when it was made, and the files that it changed, each with git's letter."""

    commit: str
    parent: str | None
    moment: datetime
    changes: tuple[tuple[str, str], ...]


class Checkout:
    """The repository in ``folder`` (a checkout, or a bare one)."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise SettingsError("OPS_CHECKOUT is not in the target description.", "Name the product's checkout.")
        inner = folder / ".git"
        self.folder = folder
        self._place = f"--git-dir={inner if inner.exists() else folder}"
        self._trees: dict[tuple[str, ...], dict[str, str]] = {}
        self._files: dict[str, bytes] = {}

    def commit(self, ref: str) -> str:
        """Return the commit that a branch, a tag or a commit's id names; raises Unreachable (missing) for none."""
        try:
            said = self._git(["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"])
        except StepFailed as error:
            raise Unreachable(
                f"{self.folder} has no commit {ref}: {error.message}", "Fetch there first (git fetch).", "missing"
            ) from None
        return said.decode().strip()

    def files(self, commit: str) -> dict[str, bytes]:
        """Return the files below ``supabase/`` at a commit, by their paths from the repository's root.

        Raises Unreachable where something there is neither a plain file nor a folder, or where it is too much.
        """
        found = self._listed(commit, "supabase/")
        if len(found) > MOST_FILES:
            raise Unreachable(
                f"{commit[:12]} has {len(found)} files below supabase/.", "That many are not read.", "large"
            )
        contents = self.contents(sorted(set(found.values())))
        return {path: contents[identity] for path, identity in sorted(found.items())}

    def entries(self, commit: str) -> list[Entry]:
        """Return all that a commit has, by path; nothing of it is read but names, kinds and sizes."""
        said = self._git(["ls-tree", "-r", "-l", "-z", "--full-tree", commit])
        found = [_LONG.fullmatch(line) for line in said.split(b"\0") if line]
        if not all(found):
            raise Unreachable("git lists what is no entry.", "Look at the repository: git fsck", "malformed")
        parts = [one.groups() for one in found if one]
        return [Entry(m.decode(), i.decode(), int(s) if s != b"-" else 0, os.fsdecode(p)) for m, i, s, p in parts]

    def changed(self, base: str, head: str) -> list[tuple[str, str]]:
        """Return the files that differ between two commits, each with git's letter (A, M, D, T)."""
        return _changes(self._git(["diff-tree", "-r", "-z", "--no-renames", "--name-status", base, head]))

    def history(self, commit: str, most: int) -> list[Made]:
        """Return the last ``most`` (at most 500) commits up to one, newest first, with what each changed."""
        asked = ["rev-list", "--first-parent", "--parents", "--timestamp", f"--max-count={most}", commit]
        lines = [line.split() for line in self._git(asked).decode().splitlines()][:500]
        # The whole line of a commit is its id and those that it is held against: of several parents the first.
        given = "".join(f"{' '.join(line[1:3])}\n" for line in lines).encode()
        said = self._git(["diff-tree", "--stdin", "--root", "-r", "-z", "--no-renames", "--name-status"], given)
        found: dict[str, list[tuple[str, str]]] = {line[1]: [] for line in lines}
        pieces, into = iter(said.split(b"\0")), list[tuple[str, str]]()
        for piece in filter(None, pieces):
            # Where a letter may stand, an id begins the next commit; a path always follows a letter.
            if len(piece) > 1:
                into = found[piece.decode("ascii", "replace").strip()]
            else:
                into.append((next(pieces).decode("utf-8", "replace"), piece.decode()))
        return [
            Made(line[1], next(iter(line[2:]), None), datetime.fromtimestamp(int(line[0]), UTC), tuple(found[line[1]]))
            for line in lines
        ]

    def staged(self) -> dict[str, tuple[str, str]]:
        """Return mode and object's id of what stands in the index, by path."""
        said = self._git(["ls-files", "-s", "-z"]).split(b"\0")
        lines = [line.partition(b"\t") for line in said if line]
        return {os.fsdecode(path): (head[:6].decode(), head.split(b" ")[1].decode()) for head, _, path in lines}

    def references(self) -> dict[str, str]:
        """Return what each branch, tag and stash points at."""
        said = self._git(["for-each-ref", "--format=%(refname) %(objectname)"]).decode(errors="replace")
        return dict(line.split(" ", 1) for line in said.splitlines())

    def origin(self) -> str | None:
        """Return the address that it was cloned from, as its configuration has it: it may hold a password."""
        try:
            return self._git(["config", "--local", "--get", "remote.origin.url"]).decode().strip()
        except StepFailed:
            return None

    def file(self, commit: str, path: str) -> bytes | None:
        """Return one file at a commit, or None where there is none; raises as :meth:`files`."""
        identity = self._listed(commit).get(path)
        return None if identity is None else self.contents([identity])[identity]

    def write(self, commit: str, folder: Path) -> int:
        """Write all files of a commit below ``folder``, which is empty, and return how many; raises as :meth:`files`.

        Nothing else of the repository is there: no history, no settings, nothing that was not committed.
        """
        found = self._listed(commit)
        if len(found) > MOST_TREE_FILES:
            raise Unreachable(f"{commit[:12]} has {len(found)} files.", "That many are not read.", "large")
        paths: dict[str, list[str]] = {}
        for path, identity in found.items():
            if any(part in ("", ".", "..", ".git") for part in path.split("/")):
                raise Unreachable(f"{path!r} at {commit[:12]} is no plain path.", "It is not written.", "odd")
            paths.setdefault(identity, []).append(path)
        identities = sorted(paths)
        for start in range(0, len(identities), BATCH):
            for identity, data in self.contents(identities[start : start + BATCH]).items():
                for path in paths[identity]:
                    place = folder / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
        return len(found)

    def _listed(self, commit: str, *below: str) -> Mapping[str, str]:
        found = self._trees.get((commit, *below))
        if found is None:
            found = self._read_tree(commit, *below)
            if len(self._trees) >= KEPT_TREES:
                self._trees.clear()
            self._trees[(commit, *below)] = found
        return found

    def _read_tree(self, commit: str, *below: str) -> dict[str, str]:
        listed = self._git(["ls-tree", "-r", "-z", "--full-tree", commit, *below]).split(b"\0")
        found: dict[str, str] = {}
        for line in filter(None, listed):
            mode, kind, identity, path = _matched(line)
            if kind != b"blob" or mode not in _PLAIN_FILES:
                raise Unreachable(f"{path!r} at {commit[:12]} is no plain file.", "Links are not deployed.", "odd")
            found[path] = identity
        return found

    def close(self) -> None:
        """Nothing stays open."""

    def contents(self, identities: list[str]) -> dict[str, bytes]:
        """Return files by their object's id, at most :data:`MOST_FILES`; raises Unreachable where one is missing."""
        known = {one: self._files[one] for one in identities if one in self._files}
        read = self._read([one for one in identities if one not in known])
        if sum(map(len, self._files.values())) + sum(map(len, read.values())) <= KEPT_BYTES:
            self._files |= read
        return known | read

    def _read(self, identities: list[str]) -> dict[str, bytes]:
        if not identities:
            return {}
        said = self._git(["cat-file", "--batch"], "".join(f"{one}\n" for one in identities).encode())
        found, at = dict[str, bytes](), 0
        for identity in identities:
            end = said.index(b"\n", at)
            name, kind, size = said[at:end].split(b" ")
            if (name, kind) != (identity.encode(), b"blob"):
                raise Unreachable(f"git has no object {identity}.", "Look at the repository: git fsck", "malformed")
            found[identity] = said[end + 1 : end + 1 + int(size)]
            at = end + 1 + int(size) + 1
        return found

    def _git(self, arguments: list[str], given: bytes = b"") -> bytes:
        try:
            return programs.answer("git", [self._place, *arguments], given, most=MOST_BYTES, seconds=SECONDS)
        except StepFailed:
            raise
        except OSError as error:
            raise Unreachable(f"{self.folder} cannot be read: {error.strerror}.", "Look at OPS_CHECKOUT.") from error


def _changes(said: bytes) -> list[tuple[str, str]]:
    parts = [part for part in said.split(b"\0") if part]
    return [(path.decode("utf-8", "replace"), how.decode()) for how, path in zip(parts[::2], parts[1::2], strict=True)]


def _matched(line: bytes) -> tuple[bytes, bytes, str, str]:
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        raise Unreachable("git lists what is no entry.", "Look at the repository: git fsck", "malformed")
    mode, kind, identity, path = entry.groups()
    return mode, kind, identity.decode(), path.decode("utf-8", "replace")
