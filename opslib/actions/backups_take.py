"""Taking a backup: dump and manifest of one snapshot, streamed to the bucket."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.backups_collect import collect, origin
from opslib.actions.backups_remove import remove
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.probes.backups_manifest import DUMP, MANIFEST, Dump, Manifest, Origin
from opslib.probes.questions import question
from opslib.systems import programs
from opslib.systems.object_store import Bucket, Stored
from opslib.systems.postgres_admin import LOCK_SECONDS, snapshot
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

SECONDS = 6 * 3600.0
"""Longest a whole backup may take; a snapshot held open longer hurts the server (vacuum, bloat)."""


class TakeBackup(Action):
    """Saves the whole database, schema and data, to the bucket of backups, with a manifest of its contents.

    ``pg_dump`` and the manifest read the same exported snapshot, so that no write in between can make
    them differ. The dump streams to a multipart upload while it is hashed; nothing touches a local disk.
    The manifest is put last: where there is one, the dump is complete. Compression is gzip at level 1:
    ``pg_dump`` compresses on one core, which is what bounds its speed; higher levels save little on rows
    and JSON for a multiple of the time, and not every build of the client programs has zstd.

    A second apply in the same run finds the first one's manifest and changes nothing; ``label`` tells
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
        there = "there, of this run" if taken else "absent"
        return self.planned(
            before={"database": source["database"], "dump": there, "manifest": there},
            after={
                "database": source["database"],
                "dump": base + DUMP,
                "manifest": base + MANIFEST,
                "object lock": f"{settings.backup_lock_days} days" if settings.backup_lock_days else "none",
            },
            touches=0 if taken else 2,
            touched="objects created",
            verification="The whole dump is read back, and its size and SHA-256 equal the manifest's.",
            undo="Both object versions are deleted, the manifest first; an object lock forbids that while it lasts.",
            fingerprint={"database": source["database"], "system": source["system"]},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Save the database; returns the backup's name, its objects with versions, and its figures."""
        store, base = target.backup_store, self._base(target)
        found = store.head(base + MANIFEST)
        if found is None:
            self._clear(store, base)
            manifest = self._save(target, plan, base, progress)
            version = store.put_new(base + MANIFEST, manifest.encode(), _told(target), locked_until=_lock(target))
        else:
            version = found.version
            manifest = Manifest.model_validate_json(store.read(base + MANIFEST, version=version))
        return _values(manifest, base, version)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read the manifest and the whole dump back from the bucket and compare them."""
        store = target.backups
        manifest = Manifest.model_validate_json(store.read(values["manifest"], version=values["manifest_version"]))
        sha256, size = hashlib.sha256(), 0
        for piece in store.stream(manifest.dump.key, manifest.dump.version):
            sha256.update(piece)
            size += len(piece)
        rows: Rows = (
            {"what": "bytes", "manifest": manifest.dump.size, "read back": size},
            {"what": "SHA-256", "manifest": manifest.dump.sha256, "read back": sha256.hexdigest()},
        )
        if any(row["manifest"] != row["read back"] for row in rows):
            return Verification(
                Verdict.CRITICAL, f"What stands in the bucket is not what was sent: {manifest.name} is unusable.", rows
            )
        return Verification(
            Verdict.OK,
            f"{manifest.name}: {size} bytes read back, equal to the manifest; {manifest.contents.rows} rows in "
            f"{len(manifest.contents.tables)} tables. That it can be restored is not proven yet.",
            rows,
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the manifest, which is put last; without one, take away the parts and dumps of this backup."""
        store, base = target.backup_store, self._base(target)
        found = store.head(base + MANIFEST)
        if found is None:
            self._clear(store, base)
            return Settled(Outcome.NOT_DONE, "No manifest stands in the bucket, so there is no backup.")
        manifest = Manifest.model_validate_json(store.read(base + MANIFEST, version=found.version))
        return Settled(Outcome.DONE, "Its manifest is there.", _values(manifest, base, found.version))

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the two object versions that apply made; raises Refused while an object lock holds them."""
        manifest, dump, base = str(values["manifest"]), str(values["dump"]), self._base(target)
        if manifest != base + MANIFEST or not (dump.startswith(base + ".") and dump.endswith(DUMP)):
            # A record that was tampered with must not delete another run's backup.
            raise Refused(f"{manifest} and {dump} are not of run {target.run}.", "Nothing was deleted; look at them.")
        return remove(target.backup_store, [(manifest, values["manifest_version"]), (dump, values["dump_version"])])

    def _base(self, target: ReadTarget) -> str:
        return f"{target.settings.backup_prefix}{target.run}-{self.label}"

    def _save(self, target: WriteTarget, plan: Plan, base: str, progress: Progress) -> Manifest:
        url = target.database_url
        with snapshot(url, f"opslib:{target.run}", statement_seconds=SECONDS) as (session, shared):
            came_from = origin(session, url)
            if {"database": came_from.database, "system": came_from.system_identifier} != plan.fingerprint:
                raise Refused(
                    f"{url.public} is not the database that was planned with ({plan.before['database']}).",
                    "DATABASE_URL and OPS_READ_DATABASE_URL must lead to the same database; check both.",
                )
            client = programs.fitting("pg_dump", came_from.server_version)
            contents = collect(session, progress)
            dump = self._dump(target, base, shared, came_from, progress)
        return Manifest(
            name=base.rsplit("/", 1)[-1],
            run=target.run,
            origin=came_from,
            dump=dump,
            tools={"pg_dump": client},
            contents=contents,
        )

    def _dump(self, target: WriteTarget, base: str, shared: str, came_from: Origin, progress: Progress) -> Dump:
        started = time.monotonic()
        arguments = [
            "--format=custom",
            "--compress=gzip:1",
            f"--snapshot={shared}",
            # A schema change that waits for our snapshot's locks would make pg_dump wait behind it for ever.
            f"--lock-wait-timeout={self.lock_seconds}s",
        ]
        key = _free(target.backup_store, base)
        with (
            programs.stream(
                "pg_dump",
                target.database_url,
                arguments,
                server_version=came_from.server_version,
                seconds=SECONDS,
            ) as pieces,
            target.backup_store.upload(key, _told(target), locked_until=_lock(target)) as upload,
        ):
            for piece in pieces:
                upload.write(piece)
                progress(f"Saved {upload.size // 2**20} MiB")
            version = upload.complete()
        if until := _lock(target):
            target.backup_store.ensure_locked(key, version, until)
        seconds = round(time.monotonic() - started, 3)
        return Dump(key=key, version=version, size=upload.size, sha256=upload.sha256, seconds=seconds)

    def _clear(self, store: Bucket, base: str) -> None:
        """Take away what an earlier, interrupted apply of this very step left: parts, dumps without a manifest."""
        for upload in store.unfinished(base + "."):
            store.abort(upload)
        for item in _own_dumps(store, base):
            try:
                store.delete_version(item.key, item.version)
            except Refused:
                # Locked: it stays until its lock ends, and this attempt takes another name.
                continue


def _values(manifest: Manifest, base: str, version: str) -> Mapping[str, Any]:
    return {
        "backup": manifest.name,
        "manifest": base + MANIFEST,
        "manifest_version": version,
        "dump": manifest.dump.key,
        "dump_version": manifest.dump.version,
        "size": manifest.dump.size,
        "sha256": manifest.dump.sha256,
        "taken_at": manifest.origin.taken_at,
        "tables": len(manifest.contents.tables),
        "rows": manifest.contents.rows,
        "seconds": manifest.dump.seconds,
    }


def _own_dumps(store: Bucket, base: str) -> list[Stored]:
    return [item for item in store.list(base + ".") if item.key.endswith(DUMP)]


def _free(store: Bucket, base: str) -> str:
    taken = {item.key for item in _own_dumps(store, base)}
    keys = [base + DUMP, *(f"{base}.{number}{DUMP}" for number in range(2, 10))]
    free = next((key for key in keys if key not in taken), None)
    if free is None:
        raise StepFailed(f"{base} was begun and interrupted nine times.", "Look why, then start a new run.")
    return free


def _told(target: WriteTarget) -> dict[str, str]:
    return {"run": target.run, "environment": target.environment}


def _lock(target: WriteTarget) -> datetime | None:
    days = target.settings.backup_lock_days
    return now() + timedelta(days=days) if days else None
