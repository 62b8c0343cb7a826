"""Proving a backup: only a restore that was compared row by row shows that one can be restored."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.backups_leftovers import clear, mark, take_turn
from opslib.actions.backups_rebuild import contents_of, read_whole, restore, scratch_database, server_of
from opslib.actions.backups_remove import remove
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.probes.backups_compare import compare
from opslib.probes.backups_manifest import MANIFEST, PROOF, Manifest, Origin, Proof
from opslib.probes.backups_standing import Backup, standing
from opslib.systems.object_store import Store
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import database_exists, drop_database
from opslib.systems.postgres_properties import database_mark, drop_role, marked
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget


class ProveBackup(Action):
    """Restores a backup into a database of its own and compares that with the manifest, row by row.

    The dump is read from the bucket, nothing is kept on a local disk: it is hashed, read to its end by
    ``pg_restore`` (pieces of rows alone are hashed), then restored into a fresh database made from template0
    on the server of ``OPS_SCRATCH_DATABASE_URL``. Roles that this server lacks are made without log-in for the time of
    the proof. Database and roles are taken away again, whatever happens; those of a proof that was killed
    go with the next one, which waits while another is under way on the same server. Times are measured: they are
    the recovery time to expect.
    """

    name: ClassVar[str] = "prove-backup"
    title: ClassVar[str] = "Prove that the backup can be restored"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "backups"
    items: ClassVar[tuple[str, ...]] = ("BAK-MAN-02", "BAK-MAN-03")
    guide: ClassVar[str] = "ls -lh production-backup-*.sql; wc -l production-backup-*.sql"
    reason: ClassVar[str] = (
        "Size and line count are the same for a dump with damaged or exchanged rows, and are not zero for one without "
        "any (GH-11); pg_restore --list succeeds on a truncated file. Only a restore shows that a restore works, and "
        "only a comparison with what was saved shows that everything is there."
    )

    backup: str = Field("newest", max_length=200, pattern=rf"^([A-Za-z0-9][A-Za-z0-9._-]*|{UNKNOWN_UNTIL}[a-z0-9-]+)$")

    def plan(self, target: ReadTarget) -> Plan:
        """Find the backup; raises Refused when there is none of that name, it is broken, or proven already."""
        backup = None if self.backup.startswith(UNKNOWN_UNTIL) else self._find(target.backups, target)
        named = backup.name if backup else self.backup
        proven = bool(backup and backup.proof_object)
        return self.planned(
            before={"backup": named, "proven": proven},
            after={"backup": named, "proven": True, "scratch database": "made, compared, dropped"},
            touches=int(not proven) if backup else None,
            touched="objects created",
            verification="The proof stands beside this very manifest, and the scratch database is gone.",
            undo="The proof is deleted; the backup stays.",
            unknown=() if backup else ("backup",),
            fingerprint={"manifest": backup.manifest_sha256 if backup else self.backup},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Read, restore, compare and record; raises StepFailed that names the first differences."""
        backup = self._find(target.backup_store, target)
        if plan.fingerprint["manifest"] != backup.manifest_sha256:
            raise Refused(f"{backup.name} is not the backup that was planned.", "Plan again.")
        manifest = _whole(backup)
        key = backup.manifest_object.key.removesuffix(MANIFEST) + PROOF
        scratch = _scratch_name(target.run, backup.name)
        left: tuple[str, ...] = ()
        if backup.proof and backup.proof_object:
            proof, version = backup.proof, backup.proof_object.version
        else:
            proof, left = _prove(target, backup, manifest, scratch, progress)
            version = target.backup_store.put_new(key, proof.encode(), {"run": target.run})
        return _values(target, backup, proof, version, left)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that the proof stands beside exactly this manifest and that the scratch database is gone."""
        found = standing(target.backups, target.settings.backup_prefix).find(values["backup"])
        with target.admin(target.settings.scratch_database_url) as session:
            left = database_exists(session, values["scratch"])
            written = mark(values["backup"], target.run)
            roles = [name for name, text in marked(session, "pg_authid") if text == written]
        if found is None or not found.proven:
            return Verification(Verdict.CRITICAL, f"{values['backup']} has no valid proof in the bucket.")
        if left:
            return Verification(Verdict.CRITICAL, f"The scratch database {values['scratch']} is still there.")
        if roles:
            return Verification(Verdict.CRITICAL, f"Roles made for the proof are still there: {', '.join(roles)}.")
        predicted, limit = values["predicted_recovery_seconds"], values["recovery_target_seconds"]
        within = "within" if predicted <= limit else "NOT within"
        return Verification(
            Verdict.OK,
            f"{found.name} was restored and equals its manifest. A recovery takes {predicted:g} s of machine time: "
            f"{within} the target of {limit:g} s, people not counted.",
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for this run's proof; without one, drop the scratch database and roles that it left."""
        name = str(plan.before["backup"])
        backup = standing(target.backup_store, target.settings.backup_prefix).find(name)
        if backup and backup.proof and backup.proof_object and backup.proof.run == target.run:
            values = _values(target, backup, backup.proof, backup.proof_object.version, ())
            return Settled(Outcome.DONE, "Its proof is there.", values)
        # Under another name than the proof's own sessions have: those would count as a proof that still goes on.
        with target.admin(target.settings.scratch_database_url, "opslib:settle") as session:
            take_turn(session)
            left = clear(session)
            drop_own(session, _scratch_name(target.run, name), mark(name, target.run))
        return Settled(Outcome.NOT_DONE, f"There is no proof of this run. {'; '.join(left)}".strip())

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the proof that apply wrote; the backup itself stays, unproven again."""
        store, key, version = target.backup_store, str(values["proof"]), str(values["proof_version"])
        if store.head(key, version) is not None and not _proof_of(store, key, version, target):
            # A record that was tampered with must not delete anything else.
            raise Refused(f"{key} is no proof of run {target.run}.", "Nothing was deleted; look at it.")
        return remove(store, [(key, version)])

    def _find(self, store: Store, target: ReadTarget) -> Backup:
        where = f"s3://{store.bucket}/{target.settings.backup_prefix}"
        backup = standing(store, target.settings.backup_prefix).find(self.backup)
        if backup is None:
            raise Refused(f"There is no backup {self.backup} below {where}.", "Take one first.")
        if backup.fault:
            raise Refused(f"{backup.name} is no usable backup: {backup.fault}.", "Take a new backup now.")
        if backup.proof_object and not (backup.proof and backup.proof.run == target.run):
            raise Refused(f"{backup.name} has a proof already.", "Prove the next backup; a proof is not written twice.")
        return backup


def _proof_of(store: Store, key: str, version: str, target: WriteTarget) -> bool:
    if not (key.startswith(target.settings.backup_prefix) and key.endswith(PROOF)):
        return False
    try:
        return Proof.model_validate_json(store.read(key, version=version)).run == target.run
    except ValueError:
        return False


def _prove(
    target: WriteTarget, backup: Backup, manifest: Manifest, scratch: str, progress: Progress
) -> tuple[Proof, tuple[str, ...]]:
    application, store, url = f"opslib:{target.run}", target.backup_store, target.settings.scratch_database_url
    server = server_of(url, application)
    refuse_production(target, manifest, server)
    progress("Reading the whole dump", 0, 3)
    times = [time.monotonic()]
    read_whole(store, manifest, progress)
    times.append(time.monotonic())
    written = mark(backup.name, target.run)
    with target.admin(url) as session:
        take_turn(session)
        left = clear(session)
        times.append(time.monotonic())
        with scratch_database(session, scratch, written, manifest) as made:
            progress("Restoring", 1, 3)
            restored = restore(session, store, manifest, scratch, progress)
            times.append(time.monotonic())
            progress("Comparing every row with the manifest", 2, 3)
            contents, after = contents_of(restored, application, progress, manifest.contents.digests)
            _refuse_differences(backup, compare(manifest.contents, contents))
            times.append(time.monotonic())
    read, _, restoring, comparing = (round(later - earlier, 3) for earlier, later in pairwise(times))
    proof = Proof(
        name=backup.name,
        run=target.run,
        proven_at=now(),
        manifest_sha256=backup.manifest_sha256,
        dump_sha256=manifest.dump.sha256,
        server_version=server.server_version,
        read_seconds=read,
        restore_seconds=restoring,
        compare_seconds=comparing,
        database_bytes=manifest.origin.database_bytes,
        restored_bytes=after.database_bytes,
        missing_roles=tuple(made),
    )
    return proof, left


def drop_own(session: AdminDatabase, scratch: str, written: str) -> None:
    """Drop the scratch database and the roles on which ``written`` stands; nothing happens where there are none."""
    # Also while a session of this run lives, and when it was killed between making the database and marking it.
    if database_exists(session, scratch) and database_mark(session, scratch) in (None, written):
        drop_database(session, scratch)
    for role in [name for name, text in marked(session, "pg_authid") if text == written]:
        drop_role(session, role)


def _values(
    target: WriteTarget, backup: Backup, proof: Proof, version: str, left: tuple[str, ...]
) -> Mapping[str, Any]:
    manifest = _whole(backup)
    return {
        "backup": backup.name,
        "proof": backup.manifest_object.key.removesuffix(MANIFEST) + PROOF,
        "proof_version": version,
        "scratch": _scratch_name(target.run, backup.name),
        "read_seconds": proof.read_seconds,
        "restore_seconds": proof.restore_seconds,
        "compare_seconds": proof.compare_seconds,
        "restore_bytes_per_second": round(proof.restore_rate),
        "predicted_recovery_seconds": round(proof.predicted_seconds(manifest.origin.database_bytes), 1),
        "recovery_target_seconds": target.settings.rto_minutes * 60,
        "roles_made_for_the_proof": list(proof.missing_roles),
        "left_by_earlier_runs": list(left),
    }


def refuse_production(target: WriteTarget, manifest: Manifest, server: Origin) -> None:
    """Raise Refused where the scratch address leads to the production server itself."""
    if target.environment == "production" and server.system_identifier == manifest.origin.system_identifier:
        raise Refused(
            f"The scratch address {target.settings.scratch_database_url.public} leads to the production server.",
            "Set OPS_SCRATCH_DATABASE_URL to another server: a restore costs what the server's users need.",
        )


def _refuse_differences(backup: Backup, rows: Rows) -> None:
    if rows:
        first = "; ".join(f"{r['kind']} {r['name']}: {r['expected']} saved, {r['found']} restored" for r in rows[:5])
        raise StepFailed(
            f"{backup.name} was restored, but differs from its manifest in {len(rows)} place(s): {first}.",
            "Take a new backup, prove that one, and do not rely on this one.",
        )


def _whole(backup: Backup) -> Manifest:
    assert backup.manifest is not None
    return backup.manifest


def _scratch_name(run: str, name: str) -> str:
    return f"ops_proof_{hashlib.sha256(f'{run} {name}'.encode()).hexdigest()[:16]}"
