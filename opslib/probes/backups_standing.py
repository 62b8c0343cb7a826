"""Which backups stand in the bucket: by their manifests, never by object names or times of upload."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from opslib.probes.backups_manifest import DUMP, MANIFEST, PIECE, PROOF, ROWS, Dump, Manifest, Piece, Proof
from opslib.systems.object_store import Store, Stored

SKEW = timedelta(minutes=15)
"""So far the clocks of server and store may be apart; S3 itself refuses requests beyond it."""

READERS = 8
"""Manifests that are read at once; each is a small object, and an hour's backups of a month are 720."""


@dataclass(frozen=True)
class Backup:
    """One manifest in the bucket with what belongs to it; ``fault`` says why it is no usable backup, or None."""

    name: str
    manifest_object: Stored
    manifest: Manifest | None
    manifest_sha256: str
    dump_object: Stored | None
    proof_object: Stored | None
    proof: Proof | None
    fault: str | None
    piece_objects: tuple[Stored, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether exactly this dump was restored and found equal to exactly this manifest."""
        return (
            self.fault is None
            and self.proof is not None
            and self.manifest is not None
            and self.proof.manifest_sha256 == self.manifest_sha256
            and self.proof.dump_sha256 == self.manifest.dump.sha256
        )

    @property
    def moment(self) -> datetime | None:
        """The moment that it holds, by the saved server's clock; that of its upload where this lies before it.

        So that a clock that is far ahead, or a manifest that says so, makes no backup younger than it is.
        """
        if self.manifest is None:
            return None
        taken_at, stored_at = self.manifest.origin.taken_at, self.manifest_object.modified
        return stored_at if taken_at > stored_at + SKEW else taken_at

    @property
    def state(self) -> str:
        """``proven``, ``present`` or ``broken``."""
        return "broken" if self.fault else "proven" if self.proven else "present"

    @property
    def objects(self) -> tuple[Stored, ...]:
        """Its objects in the order of deletion: manifest, proof, dump, pieces.

        A backup whose manifest is gone is no backup any more; the other way round, a manifest would
        promise a dump that is not there.
        """
        own = (self.manifest_object, self.proof_object, self.dump_object, *self.piece_objects)
        return tuple(item for item in own if item)


@dataclass(frozen=True)
class Standing:
    """The bucket's backups, newest first by the moment that they hold, and dumps that have no manifest."""

    backups: tuple[Backup, ...]
    orphans: tuple[Stored, ...]

    @property
    def usable(self) -> tuple[Backup, ...]:
        """The backups without a fault, newest first."""
        return tuple(backup for backup in self.backups if backup.fault is None)

    def find(self, name: str) -> Backup | None:
        """Return the backup of that name, the newest usable one for ``newest``, or None."""
        if name == "newest":
            return next(iter(self.usable), None)
        return next((backup for backup in self.backups if backup.name == name), None)


def standing(store: Store, prefix: str) -> Standing:
    """Return what stands directly below ``prefix``; raises Unreachable when the bucket can't be listed or read.

    What stands in folders below it is another target's.
    """
    objects = {item.key: item for item in store.list(prefix) if "/" not in item.key.removeprefix(prefix)}
    names = [key for key in objects if key.endswith(MANIFEST)]
    with ThreadPoolExecutor(READERS) as pool:
        backups = list(pool.map(lambda key: _backup(store, objects, key), names))
    backups.sort(key=_moment, reverse=True)
    claimed = {part.key for backup in backups if backup.manifest for part in backup.manifest.parts}
    orphans = tuple(item for key, item in objects.items() if key.endswith((DUMP, PIECE, ROWS)) and key not in claimed)
    return Standing(tuple(backups), orphans)


def _moment(backup: Backup) -> float:
    return (backup.moment or backup.manifest_object.modified).timestamp()


def _backup(store: Store, objects: Mapping[str, Stored], key: str) -> Backup:
    base = key.removesuffix(MANIFEST)
    manifest, sha256, fault = None, "", None
    try:
        data = store.read(key, version=objects[key].version)
        sha256 = hashlib.sha256(data).hexdigest()
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        fault = f"its manifest cannot be read ({error.error_count()} faults)"
    dump = objects.get(manifest.dump.key) if manifest else None
    if manifest and not (base.endswith(f"/{manifest.name}") or base == manifest.name):
        fault = f"its manifest is a copy of that of {manifest.name}"
    elif manifest:
        faults = [_fault(part, objects.get(part.key)) for part in manifest.parts]
        fault = next((said for said in faults if said), None)
    proof_object = objects.get(base + PROOF)
    return Backup(
        name=base.rsplit("/", 1)[-1],
        manifest_object=objects[key],
        manifest=manifest,
        manifest_sha256=sha256,
        dump_object=dump,
        proof_object=proof_object,
        proof=_proof(store, proof_object),
        fault=fault,
        piece_objects=tuple(objects[part.key] for part in (manifest.pieces if manifest else ()) if part.key in objects),
    )


def _fault(part: Dump, there: Stored | None) -> str | None:
    named = f"piece of {part.table}" if isinstance(part, Piece) else "dump"
    if there is None:
        return f"its {named} is missing"
    if (there.version, there.size) != (part.version, part.size):
        return f"its {named} is another object now ({there.size} bytes, version {there.version})"
    return None


def _proof(store: Store, item: Stored | None) -> Proof | None:
    if item is None:
        return None
    try:
        return Proof.model_validate_json(store.read(item.key, version=item.version))
    except ValidationError:
        # A proof that can't be read proves nothing; the backup itself may still be good.
        return None
