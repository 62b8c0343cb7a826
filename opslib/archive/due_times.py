"""What became of each due time of a schedule: small files in the archive, created once and never changed.

``<archive>/schedules/<name>/`` holds, each named by a moment in UTC:

``….since``  from here on the schedule is due by the expression in it; an empty one: no longer at all
``….claim``  somebody took this due time, and by which run; its process holds the file's lock as long as it lives
``….end``    how that ended: it ran, was skipped, or could not start

Who creates the claim has the due time, and nobody else ever: two schedulers run each once. The run itself is an entry
of the archive like any other; these files are no part of a seal, and of what was missed the log has a note.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive.going import held
from opslib.errors import ArchiveError

FOLDER = "schedules"
LARGEST = 16 * 1024
STAMP = "%Y%m%dT%H%M%SZ"
MISSED = "missed"
"""In a claim: nobody started this due time, and it is too late."""
RUN = "run"
"""In a claim: the run that it names was to be started."""
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)\.(since|claim|end)", re.ASCII)


@dataclass(frozen=True)
class Force:
    """From ``since`` on a schedule is due by this expression in this zone; an empty expression: not at all."""

    since: datetime
    cron: str
    zone: str


class Records:
    """The files of one schedule. Reading never creates anything; what cannot be read counts as empty."""

    def __init__(self, archive: Path, name: str) -> None:
        self.folder = archive / FOLDER / name
        self.name = name

    def force(self) -> tuple[Force, ...]:
        """Return since when which expression is in force, earliest first."""
        found = []
        for moment in self._moments("since"):
            said = self._read(moment, "since")
            found.append(Force(moment, str(said.get("cron", "")), str(said.get("zone", "UTC"))))
        return tuple(found)

    def put_in_force(self, since: datetime, cron: str, zone: str) -> bool:
        """Record that an expression is in force from a moment on; False when it was already, or nothing ended.

        Raises ArchiveError when that could not be written.
        """
        last = self.force()[-1:]
        if [(one.cron, one.zone) for one in last] == [(cron, zone)] or not (last or cron):
            return False
        self._write(self._path(since, "since"), {"schedule": self.name, "cron": cron, "zone": zone})
        return True

    def claim(self, due: datetime, said: Mapping[str, Any]) -> int | None:
        """Take a due time for oneself; None where somebody has it. Close the handle when what it was taken for is over.

        Raises ArchiveError when that could not be written; the due time is then still free.
        """
        path = self._path(due, "claim")
        try:
            files.make_folder(self.folder)
            part = self.folder / f".{path.name}.{os.getpid()}.{id(said)}"
            return files.create_locked(path, part, self._data({"schedule": self.name, "due": _iso(due), **said}))
        except OSError as error:
            raise ArchiveError(
                f"{path} could not be written: {error.strerror}.", "Free space, then try again."
            ) from error

    def end(self, due: datetime, said: Mapping[str, Any]) -> None:
        """Record how a due time ended; only who holds its claim may. Raises ArchiveError when it is not written."""
        self._write(self._path(due, "end"), {"schedule": self.name, "due": _iso(due), **said})

    def claimed(self) -> tuple[datetime, ...]:
        """Return the due times that were claimed, missed ones among them, earliest first."""
        return self._moments("claim")

    def said(self, due: datetime) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return what the claim and the end of a due time say; empty where there is none."""
        return self._read(due, "claim"), self._read(due, "end")

    def held(self, due: datetime) -> bool:
        """Say whether the process that claimed a due time still lives."""
        return held(self._path(due, "claim"))

    def _moments(self, kind: str) -> tuple[datetime, ...]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - a schedule may have thousands
        except OSError:
            return ()
        stamps = (found[1] for name in names if (found := _NAME.fullmatch(name)) and found[2] == kind)
        return tuple(sorted(datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) for stamp in stamps))

    def _path(self, moment: datetime, kind: str) -> Path:
        return self.folder / f"{moment.astimezone(UTC):{STAMP}}.{kind}"

    def _read(self, moment: datetime, kind: str) -> Mapping[str, Any]:
        try:
            said = json.loads(files.read_plain(self._path(moment, kind), LARGEST))
        except (OSError, ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def _write(self, path: Path, said: Mapping[str, Any]) -> None:
        try:
            files.make_folder(self.folder)
        except OSError as error:
            raise ArchiveError(f"{self.folder} cannot be made: {error.strerror}.", "Look at the archive.") from error
        files.write(path, self._data(said), path.with_name(f".{path.name}.{os.getpid()}.part"))

    def _data(self, said: Mapping[str, Any]) -> bytes:
        return (json.dumps(said, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
