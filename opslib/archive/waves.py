"""A wave's files in the archive: what was asked, once; each further attempt; and what came of it so far.

``<archive>/waves/<id>/`` holds ``wave.json`` (never changed), ``NNN-2.json`` for the second attempt at a member, and
``outcome.json``, whose SHA-256 the archive's log gets with each pass. The members' runs are runs like any other, whose
ids stand here before they begin: so what was done is read from the archive, and nothing is done twice.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive import seal
from opslib.archive.store import Archive
from opslib.errors import ArchiveError, Refused, UsageError

FOLDER = "waves"
LARGEST = 16 * 1024 * 1024
MOST = 10_000
"""A wave has at most so many members."""
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-wave-[0-9a-f]{6}", re.ASCII)


@dataclass(frozen=True)
class Member:
    """One run of a wave: its number, the environment, the parameters as texts, and the id that its run gets first."""

    number: int
    environment: str
    parameters: tuple[str, ...]
    run: str

    @property
    def name(self) -> str:
        """The member as it is shown: where, and what is its own."""
        return " ".join((self.environment, *self.parameters))


@dataclass(frozen=True)
class Wave:
    """What was asked: a notebook over members, how many at a time, and after how many errors nothing more begins."""

    id: str
    notebook: str
    notebook_sha256: str
    mode: str
    ramp: tuple[str, ...]
    stop_at: str
    by_queue: bool
    asked_by: str
    asked_at: str
    members: tuple[Member, ...]

    def batches(self) -> list[tuple[Member, ...]]:
        """Return the members in the order in which they begin: one, then as the ramp says, its last size repeated."""
        found, left, sizes = [self.members[:1]], list(self.members[1:]), list(self.ramp)
        size = 1
        while left:
            word = sizes.pop(0) if len(sizes) > 1 else (sizes[0] if sizes else "")
            size = share(word, len(self.members)) if word else size * 2
            found.append(tuple(left[:size]))
            del left[:size]
        return found

    def most_errors(self, stop_at: str = "") -> int:
        """Return how many errors end it, or would with another limit."""
        return share(stop_at or self.stop_at, len(self.members))


def share(text: str, of: int) -> int:
    """Return a number that is written as it is or in percent of ``of``, rounded up; at least 1."""
    number = int(text.removesuffix("%"))
    return max(1, -(-of * number // 100) if text.endswith("%") else number)


class Record:
    """The files of one wave."""

    def __init__(self, archive: Path, name: str) -> None:
        self.archive, self.name = archive, name
        self.folder = archive / FOLDER / name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the wave: one process goes on with it at a time. Raises Refused where another one does."""
        lock = files.try_lock(self.folder / ".lock")
        if lock is None:
            raise Refused(f"{self.name} goes on in another process.", f"See: ops wave show {self.name}")
        try:
            yield
        finally:
            os.close(lock)

    def begin(self, wave: Wave) -> None:
        """Write what was asked; raises ArchiveError."""
        files.make_folder(self.folder)
        said = {**vars(wave), "members": [vars(one) for one in wave.members]}
        self._write("wave.json", said)

    def wave(self) -> Wave:
        """Return what was asked; raises ArchiveError where that cannot be read."""
        try:
            said = json.loads(files.read_plain(self.folder / "wave.json", LARGEST))
            members = tuple(Member(**{**one, "parameters": tuple(one["parameters"])}) for one in said["members"])
            return Wave(**{**said, "ramp": tuple(said["ramp"]), "members": members})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArchiveError(f"{self.name} cannot be read: {error}.", "Look at its folder in the archive.") from error

    def attempts(self, member: Member) -> list[str]:
        """Return the ids of a member's runs, the first one first."""
        found, number = [member.run], 2
        while said := self._read(f"{member.number:03d}-{number}.json"):
            found.append(str(said["run"]))
            number += 1
        return found

    def again(self, member: Member, run: str) -> None:
        """Record that a member is tried again as ``run``, before that begins; raises ArchiveError."""
        self._write(f"{member.number:03d}-{len(self.attempts(member)) + 1}.json", {"run": run})

    def outcome(self) -> Mapping[str, Any]:
        """Return what was recorded of the last pass; empty before its end."""
        return self._read("outcome.json")

    def end(self, outcome: Mapping[str, Any], said: str) -> None:
        """Record what came of it so far, here and with its SHA-256 in the archive's log; raises ArchiveError."""
        self._write("outcome.json", outcome)
        sha = seal.sha256(self.folder / "outcome.json")
        Archive(self.archive).append("note", f"{self.name}: {said}; outcome.json {sha}")

    def _read(self, name: str) -> Mapping[str, Any]:
        try:
            said = json.loads(files.read_plain(self.folder / name, LARGEST))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _write(self, name: str, said: Mapping[str, Any]) -> None:
        files.write_json(self.folder / name, said)


def names(archive: Path) -> list[str]:
    """Return the waves of an archive, newest first."""
    folder = archive / FOLDER
    found = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - an archive may have thousands
    return sorted(filter(NAME.fullmatch, found), reverse=True)


def find(archive: Path, given: str) -> Record:
    """Return the only wave whose id begins with, or ends in, what was given; raises UsageError."""
    fits = [name for name in names(archive) if given and (name.startswith(given) or name.endswith(f"-{given}"))]
    if len(fits) != 1:
        raise UsageError(f"{len(fits) or 'No'} waves fit {given!r}.", "See: ops wave list")
    return Record(archive, fits[0])
