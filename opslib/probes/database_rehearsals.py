"""What a rehearsal of one migration found, kept on this machine: how long, which locks, and whether its way back works.

A record holds for exactly one file, one rollback file, and the migrations applied before them, on one target. It
lies in the state folder of the executor's user, beside the key that signs the archive; on another machine the
rehearsal is made again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from opslib import files
from opslib.canonical import canonical, digest
from opslib.errors import Refused
from opslib.probes.database_migration_files import File, Folder

LARGEST = 1_000_000
"""Bytes of one record at most."""

MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""Modes of table locks, the weakest first (PostgreSQL manual, "Explicit Locking")."""


class Rehearsal(BaseModel):
    """One migration as it ran on a restored copy. ``locks``: the strongest on each relation that was there before.

    ``differences``: what its rollback did not bring back; ``proven`` only when that was tried and nothing differs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    database: str
    version: str
    name: str
    before: tuple[str, ...]
    sha256: str
    rollback_sha256: str | None
    run: str
    rehearsed_at: datetime
    backup: str
    seconds: float
    locks: Mapping[str, str]
    without_security: tuple[str, ...]
    rollback_seconds: float | None
    differences: tuple[str, ...]
    proven: bool

    @property
    def key(self) -> str:
        """The name of its record."""
        return _key(self.environment, self.database, self.before, self.sha256, self.rollback_sha256)

    @property
    def way_back(self) -> str:
        """``proven``, or ``forward only`` with the reason."""
        return "proven" if self.proven else f"forward only: {'; '.join(self.differences[:3]) or 'not tried'}"


def strongest(locks: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the strongest mode on each relation; those that only read are left out."""
    found: dict[str, str] = {}
    for relation, mode in locks:
        if mode in MODES[1:] and MODES.index(mode) > MODES.index(found.get(relation, MODES[0])):
            found[relation] = mode
    return dict(sorted(found.items()))


def folder() -> Path:
    """Return where the records are: ``opslib/rehearsals`` in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state).absolute() / "opslib" / "rehearsals"


def keep(rehearsal: Rehearsal) -> None:
    """Write the record, in the place of an earlier one of the same migration; for its user's eyes only."""
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place / f"{rehearsal.key}.json"
    files.write(path, canonical(rehearsal.model_dump(mode="json")), path.with_suffix(".part"))


def find(environment: str, database: str, before: Sequence[str], file: File, rollback: File | None) -> Rehearsal | None:
    """Return what the newest rehearsal of exactly this found, or None; raises Refused for a record that is none."""
    key = _key(environment, database, before, file.sha256, rollback.sha256 if rollback else None)
    path = folder() / f"{key}.json"
    try:
        found = Rehearsal.model_validate_json(files.read_plain(path, LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise Refused(f"{path} is no record of a rehearsal.", "Remove it, then rehearse again.") from error
    if found.key != key:
        raise Refused(f"{path} is the record of another rehearsal.", "Remove it, then rehearse again.")
    return found


def found(
    environment: str, database: str, applied: Sequence[str], chosen: Sequence[File], folder_: Folder
) -> list[Rehearsal | None]:
    """Return for each file, to be applied one after another after ``applied``, what its rehearsal found."""
    before, said = list(applied), []
    for file in chosen:
        said.append(find(environment, database, before, file, folder_.rollbacks.get(file.version)))
        before.append(file.version)
    return said


def _key(environment: str, database: str, before: Sequence[str], sha256: str, rollback: str | None) -> str:
    return digest([environment, database, list(before), sha256, rollback])[:40]
