"""Which backup is meant, and every reason against it that can be known without downloading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import opslib.actions.backups_dump as dumps
from opslib.actions.backups_folder import UNTOUCHED
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.model import now
from opslib.probes.backups_manifest import Manifest, Piece
from opslib.probes.backups_standing import Backup, standing
from opslib.systems.object_store import Missing
from opslib.systems.target import ReadTarget

LATEST = "latest"
"""Word for the newest backup that was proven by a restore."""

FOREIGN = (
    "whoever wrote the dump and its checksum file: functions that it defines may run, by its views, indexes and checks,"
    " with all rights of DATABASE_URL's role, in other databases of the server as well"
)
BUCKET = "whoever may write in the bucket: manifest and proof are not signed"

CHECKSUM_BYTES = 64 * 1024


@dataclass(frozen=True)
class Candidate:
    """One version of one object with the SHA-256 that it must have, and its manifest if it has one."""

    key: str
    version: str
    size: int
    sha256: str
    taken_at: datetime
    manifest: Manifest | None
    proven: bool

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Its pieces beside the object itself."""
        return self.manifest.pieces if self.manifest else ()

    @property
    def bytes(self) -> int:
        """Size of all that has to be downloaded."""
        return self.size + sum(piece.size for piece in self.pieces)

    def shown(self) -> Mapping[str, Any]:
        """Return what a plan shows of it."""
        said: dict[str, Any] = {"bytes": self.bytes, "sha256": self.sha256, "taken at": to_json(self.taken_at)}
        if self.manifest is None:
            return {**said, "manifest": "none: checksum file only; compared by its tables' rows", "trusted": FOREIGN}
        if self.pieces:
            said["pieces"] = len(self.pieces)
        contents, said["taken of"] = self.manifest.contents, self.manifest.origin.server
        return {**said, "trusted": BUCKET, "proven": self.proven, "tables": len(contents.tables), "rows": contents.rows}

    def unequal(self, tables: Mapping[str, int]) -> list[str]:
        """Return in words which of the manifest's tables the dump has other rows of."""
        if self.manifest is None:
            return []
        expected = {name: table.rows or 0 for name, table in self.manifest.contents.tables.items() if table.rows}
        names = sorted(name for name in {*expected, *tables} if expected.get(name, 0) != tables.get(name, 0))
        return [
            f"{name} has {tables.get(name, 0)} rows, its manifest says {expected.get(name, 0)}" for name in names[:5]
        ]


def choose(target: ReadTarget, backup: str, max_age_hours: float, live: str) -> Candidate:
    """Return the backup that ``backup`` means: ``latest``, a backup's name, or an object's key.

    Raises Refused when there is none, or it is empty, of another database, without core tables or rows,
    without a checksum, or older than ``max_age_hours``.
    """
    chosen = _ours(target, backup, live) or _foreign(target, backup)
    if not chosen.size:
        raise Refused(f"{chosen.key} is empty (0 bytes).", f"{UNTOUCHED} Choose another backup.")
    if chosen.manifest:
        _fits(chosen.key, chosen.manifest, live, target.settings.core_tables)
    hours = (now() - chosen.taken_at).total_seconds() / 3600
    if hours > max_age_hours:
        raise Refused(
            f"{chosen.key} is of {to_json(chosen.taken_at)}: {hours:.1f} h old, {max_age_hours:g} h are allowed.",
            f"{UNTOUCHED} Choose a younger backup, or allow its age with max_age_hours.",
        )
    return chosen


def _ours(target: ReadTarget, name: str, live: str) -> Candidate | None:
    known = standing(target.backups, target.settings.backup_prefix)
    if name == LATEST:
        proven = [item for item in known.backups if item.proven]
        found = next((item for item in proven if _of(item, live)), proven[0] if proven else None)
        if found is None:
            raise Refused(
                f"No backup below {target.settings.backup_prefix} is proven.",
                f"{UNTOUCHED} Prove one (runbooks/back-up-database), or name a backup to take it unproven.",
            )
    else:
        found = next((item for item in known.backups if name in (item.name, _key(item))), None)
    return _candidate(found) if found else None


def _of(item: Backup, database: str) -> bool:
    return item.manifest is not None and item.manifest.origin.database == database


def _key(item: Backup) -> str:
    return item.manifest.dump.key if item.manifest else ""


def _candidate(item: Backup) -> Candidate:
    if item.fault or item.manifest is None:
        raise Refused(f"The backup {item.name} is broken: {item.fault}.", f"{UNTOUCHED} Choose another backup.")
    dump = item.manifest.dump
    return Candidate(
        dump.key,
        dump.version,
        dump.size,
        dump.sha256,
        item.moment or item.manifest.origin.taken_at,
        item.manifest,
        item.proven,
    )


def _foreign(target: ReadTarget, key: str) -> Candidate:
    store = target.backups
    head = store.head(key)
    if head is None:
        raise Refused(
            f"There is no backup {key} in s3://{store.bucket}.",
            f"{UNTOUCHED} See diagnostics/backups for what is there.",
        )
    if not head.size:
        raise Refused(f"{key} is empty (0 bytes).", f"{UNTOUCHED} Choose another backup.")
    try:
        sha256 = dumps.checksum(store.read(f"{key}.sha256", CHECKSUM_BYTES), key)
    except Missing:
        raise Refused(
            f"{key} has neither a manifest nor a checksum file {key}.sha256.",
            f"{UNTOUCHED} Without one nobody can tell whether it is what was stored.",
        ) from None
    except ValueError as error:
        raise Refused(f"{key}.sha256 {error}.", f"{UNTOUCHED} Choose another backup.") from None
    return Candidate(key, head.version, head.size, sha256, head.modified, None, False)


def _fits(key: str, manifest: Manifest, live: str, core: tuple[str, ...]) -> None:
    if manifest.origin.database != live:
        raise Refused(
            f"{key} was taken of {manifest.origin.database}, this is {live}.", f"{UNTOUCHED} Choose another backup."
        )
    missing = [name for name in core if name not in manifest.contents.tables]
    if missing:
        raise Refused(f"{key} lacks {', '.join(missing)}.", f"{UNTOUCHED} It is no backup of this system.")
    if not manifest.contents.rows:
        raise Refused(f"The manifest of {key} has no rows at all.", f"{UNTOUCHED} Choose another backup.")
