"""Taking a backup: dump and manifest of one snapshot, streamed to the bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.backups_collect import origin
from opslib.actions.backups_parts import lock_of, own_dumps, saved, told_of
from opslib.actions.backups_pieces import LARGE, MOST, SECONDS, Snapshot, discard, own, planned
from opslib.actions.backups_remove import remove
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.backups_manifest import DUMP, MANIFEST, PIECE, ROWS, Dump, Manifest, Piece
from opslib.probes.questions import question
from opslib.systems import programs
from opslib.systems.object_store import Bucket, Store
from opslib.systems.postgres_admin import LOCK_SECONDS, snapshot
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget


class TakeBackup(Action):
    """Saves the whole database, schema and data, to the bucket of backups, with a manifest of its contents.

    ``pg_dump`` and the manifest read the same exported snapshot, so that no write in between can make
    them differ. All streams to multipart uploads while it is hashed; nothing touches a local disk. The manifest
    is put last: where there is one, the backup is complete. Rows of large tables are pieces of their own,
    two at a time and packed with zstd (:mod:`opslib.actions.backups_pieces`); the dump of all the rest is packed by
    ``pg_dump`` with gzip at level 1, as not every build of it has zstd.

    A second apply in the same run finds the first one's manifest and changes nothing; one that follows an
    interrupted one sends no piece again whose table has not changed. ``label`` tells
    several backups of one run apart. ``DATABASE_URL`` must be a session of its own: behind a pooler in
    transaction mode no other session can share its snapshot. Guide: BAK-MAN-01 to BAK-MAN-04, BAK-SBC-03.
    """

    name: ClassVar[str] = "take-backup"
    title: ClassVar[str] = "Take a backup of the database"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "backups"
    items: ClassVar[tuple[str, ...]] = ("BAK-SBC-03", "BAK-MAN-01", "BAK-MAN-02", "BAK-MAN-03", "BAK-MAN-04")
    guide: ClassVar[str] = (
        "supabase db dump -f production-backup-$(date +%Y%m%d-%H%M%S).sql; ls -lh production-backup-*.sql; "
        "wc -l production-backup-*.sql; aws s3 cp production-backup-*.sql s3://valuecanvas-backups/backups/"
    )
    reason: ClassVar[str] = (
        "The guide's command saves the schema and not one row, and size and line count do not show it (GH-11); its "
        "upload fails as soon as two files match, and would overwrite (GH-12). Here pg_dump saves schema and data from "
        "one snapshot, the manifest counts and hashes every table in that snapshot, and no object is ever overwritten."
    )

    lock_seconds: ClassVar[int] = LOCK_SECONDS
    large_bytes: ClassVar[int] = LARGE
    most: ClassVar[int] = MOST + 2

    label: str = Field("backup", pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)

    def plan(self, target: ReadTarget) -> Plan:
        """Look that this is the database meant, that it may be saved, and whether this run saved it already."""
        settings = target.settings
        asked = question("backups/source")
        (source,) = target.database.ask(asked, {"core": list(settings.core_tables)})
        if source["missing_tables"]:
            raise Refused(
                f"{settings.read_database_url.public} has no table {', '.join(source['missing_tables'])}: "
                "it is not the database that backups are for.",
                "Check the target description (OPS_READ_DATABASE_URL, DATABASE_URL, OPS_CORE_TABLES).",
            )
        base = f"s3://{settings.backup_bucket}/{self._base(target)}"
        taken = target.backups.head(self._base(target) + MANIFEST) is not None
        pieces = planned(target, self.large_bytes)
        there = "there, of this run" if taken else "absent"
        return self.planned(
            before={"database": source["database"], "dump": there, "manifest": there},
            after={
                "database": source["database"],
                "dump": base + DUMP,
                "manifest": base + MANIFEST,
                **({"pieces": f"{pieces}, each of one large table"} if pieces else {}),
                "object lock": f"{settings.backup_lock_days} days" if settings.backup_lock_days else "none",
            },
            touches=0 if taken else 2 + pieces,
            touched="objects created",
            verification="All of it is read back, and every size and SHA-256 equals the manifest's.",
            undo="All its object versions are deleted, the manifest first; an object lock forbids that while it lasts.",
            fingerprint={"database": source["database"], "system": source["system"]},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Save the database; returns the backup's name, its objects with versions, and its figures."""
        store, base = target.backup_store, self._base(target)
        found = store.head(base + MANIFEST)
        if found is None:
            self._clear(store, base, (DUMP,))
            manifest = self._save(target, plan, base, progress)
            version = store.put_new(base + MANIFEST, manifest.encode(), told_of(target), locked_until=lock_of(target))
        else:
            version = found.version
            manifest = Manifest.model_validate_json(store.read(base + MANIFEST, version=version))
        return _values(manifest, base, version)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read the manifest and all that it names back from the bucket and compare them."""
        store = target.backups
        manifest = Manifest.model_validate_json(store.read(values["manifest"], version=values["manifest_version"]))
        rows: Rows = tuple(row for part in manifest.parts for row in _read_back(store, part))
        if any(row["manifest"] != row["read back"] for row in rows):
            return Verification(
                Verdict.CRITICAL, f"What stands in the bucket is not what was sent: {manifest.name} is unusable.", rows
            )
        return Verification(
            Verdict.OK,
            f"{manifest.name}: {manifest.size} bytes read back, equal to the manifest; {manifest.contents.rows} rows "
            f"in {len(manifest.contents.tables)} tables. That it can be restored is not proven yet.",
            rows,
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the manifest, which is put last; without one, only pieces that are whole are left for the next."""
        store, base = target.backup_store, self._base(target)
        found = store.head(base + MANIFEST)
        if found is None:
            self._clear(store, base, (DUMP,))
            if whole := own(store, base):
                why = f"There is no manifest yet; {len(whole)} pieces are whole and not sent again while they are good."
                return Settled(Outcome.PARTLY, why)
            return Settled(Outcome.NOT_DONE, "No manifest stands in the bucket, so there is no backup.")
        manifest = Manifest.model_validate_json(store.read(base + MANIFEST, version=found.version))
        return Settled(Outcome.DONE, "Its manifest is there.", _values(manifest, base, found.version))

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the object versions that apply made; raises Refused while an object lock holds them."""
        base = self._base(target)
        if not values:
            # It was broken off: there is no backup, only pieces of one.
            if target.backup_store.head(base + MANIFEST) is not None:
                raise Refused(f"{base} is a whole backup, and its record names nothing of it.", "Nothing was deleted.")
            self._clear(target.backup_store, base, (DUMP, PIECE, ROWS))
            left = [item.key for item in own_dumps(target.backup_store, base)]
            return Verification(Verdict.CRITICAL, f"Locked: {', '.join(left)}.") if left else _nothing_left(base)
        manifest, dump = str(values["manifest"]), str(values["dump"])
        pieces = [(str(key), str(version)) for key, version in values.get("pieces", ())]
        named = [(dump, (DUMP,)), *((key, (PIECE, ROWS)) for key, _ in pieces)]
        if manifest != base + MANIFEST or not all(k.startswith(base + ".") and k.endswith(end) for k, end in named):
            # A record that was tampered with must not delete another run's backup.
            raise Refused(f"{manifest} and {dump} are not of run {target.run}.", "Nothing was deleted; look at them.")
        first = [(manifest, str(values["manifest_version"])), (dump, str(values["dump_version"]))]
        return remove(target.backup_store, [*first, *pieces])

    def _base(self, target: ReadTarget) -> str:
        return f"{target.settings.backup_prefix}{target.run}-{self.label}"

    def _save(self, target: WriteTarget, plan: Plan, base: str, progress: Progress) -> Manifest:
        url = target.database_url
        with snapshot(url, f"opslib:{target.run}", statement_seconds=SECONDS) as (session, shared_id):
            came_from = origin(session, url)
            if {"database": came_from.database, "system": came_from.system_identifier} != plan.fingerprint:
                raise Refused(
                    f"{url.public} is not the database that was planned with ({plan.before['database']}).",
                    "DATABASE_URL and OPS_READ_DATABASE_URL must lead to the same database; check both.",
                )
            client = programs.fitting("pg_dump", came_from.server_version)
            shared = Snapshot(shared_id, came_from.server_version, self.lock_seconds)
            contents, dump, pieces = saved(target, base, (session, shared), self.large_bytes, progress)
        return Manifest(
            format=3,
            name=base.rsplit("/", 1)[-1],
            run=target.run,
            origin=came_from,
            dump=dump,
            pieces=tuple(pieces),
            tools={"pg_dump": client},
            contents=contents,
        )

    def _clear(self, store: Bucket, base: str, ends: tuple[str, ...]) -> None:
        """Take away what an earlier, interrupted apply of this very step left: parts, and objects with these ends.

        What is locked stays until its lock ends, and the next attempt takes another name.
        """
        for upload in store.unfinished(base + "."):
            store.abort(upload)
        for item in own_dumps(store, base):
            if item.key.endswith(ends):
                discard(store, item.key, item.version)


def _read_back(store: Store, part: Dump) -> Rows:
    sha256, size = hashlib.sha256(), 0
    for data in store.stream(part.key, part.version):
        sha256.update(data)
        size += len(data)
    named = f" of {part.table}" if isinstance(part, Piece) else ""
    return (
        {"what": f"bytes{named}", "manifest": part.size, "read back": size},
        {"what": f"SHA-256{named}", "manifest": part.sha256, "read back": sha256.hexdigest()},
    )


def _nothing_left(base: str) -> Verification:
    return Verification(Verdict.OK, f"Nothing of {base.rsplit('/', 1)[-1]} is left.")


def _values(manifest: Manifest, base: str, version: str) -> Mapping[str, Any]:
    return {
        "backup": manifest.name,
        "manifest": base + MANIFEST,
        "manifest_version": version,
        "dump": manifest.dump.key,
        "dump_version": manifest.dump.version,
        **({"pieces": [[piece.key, piece.version] for piece in manifest.pieces]} if manifest.pieces else {}),
        "size": manifest.size,
        "sha256": manifest.dump.sha256,
        "taken_at": manifest.origin.taken_at,
        "tables": len(manifest.contents.tables),
        "rows": manifest.contents.rows,
        "seconds": manifest.dump.seconds,
    }
