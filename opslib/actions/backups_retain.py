"""Deleting backups that are older than the retention, never the last that is known to work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.backups_remove import gone
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes.backups_retention import Candidate, Decision, decide
from opslib.probes.backups_standing import Backup, Standing, standing
from opslib.systems.object_store import Store
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget


class ApplyRetention(Action):
    """Deletes backups older than ``OPS_BACKUP_RETENTION_DAYS``, by version, as their manifests say.

    Stays: the newest proven backup, every unproven one that is younger than it, everything while nothing
    is proven, what an object lock or a legal hold protects, and whatever has no readable manifest.
    Of each backup the manifest goes first, then the proof, then the dump: broken off in between, it
    leaves a dump that nothing calls a backup, never a manifest that promises a dump that is gone.
    """

    name: ClassVar[str] = "apply-retention"
    title: ClassVar[str] = "Delete backups that are older than the retention"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    most: ClassVar[int] = 60
    area: ClassVar[str] = "backups"
    items: ClassVar[tuple[str, ...]] = ("BAK-LOC-01R",)
    guide: ClassVar[str] = "Database | S3 + Supabase | 30 days"
    reason: ClassVar[str] = (
        "The guide names 30 days and no way to keep or to end them (GH-13). Deleting by age alone takes the last good "
        "backup away after a month of failing ones, so age counts only behind a proven younger backup."
    )

    def plan(self, target: ReadTarget) -> Plan:
        """List exactly what goes and what stays, and why.

        What this very run saved does not count yet: what that makes superfluous goes with the next run.
        """
        found, decisions = _decisions(target.backups, target)
        going = _going(found, decisions)
        versions = _versions(found, going)
        stray = {item.key: "has no manifest" for item in found.orphans}
        return self.planned(
            before={d.name: "there" for d in decisions if d.goes},
            after={d.name: f"deleted; {d.why}" for d in decisions if d.goes},
            touches=len(versions),
            touched="object versions deleted",
            verification="The deleted versions are gone, everything else is there, and so is the newest proven backup.",
            undo="None: a deleted version cannot be brought back.",
            fingerprint={"goes": [list(pair) for pair in versions]},
            observed={
                "stays": {**{d.name: d.why for d in decisions if not d.goes}, **stray},
                "listing": _listing(found),
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Delete exactly the planned versions; raises Refused when the bucket has changed since the plan."""
        found, decisions = _decisions(target.backups, target)
        planned = [(str(key), str(version)) for key, version in plan.fingerprint["goes"]]
        # What a broken-off apply deleted is gone, and what it left of a backup without its manifest is an orphan.
        there = {*_listed(found)} - {(item.key, item.version) for item in found.orphans}
        versions = [pair for pair in planned if pair in {*_listed(found)}]
        gone = bool(planned) and not versions
        if gone or {*planned} & there != {*_versions(found, _going(found, decisions))}:
            raise Refused(
                "The backups in the bucket are not those that were planned with; nothing was deleted.", "Plan again."
            )
        done: list[tuple[str, str]] = []
        for key, version in versions:
            progress(f"Deleting {key}", len(done), len(versions))
            try:
                target.backup_store.delete_version(key, version)
            except OpsError as error:
                raise StepFailed(
                    f"{key} could not be deleted after {len(done)} of {len(versions)} versions: {error.message}",
                    "What went is gone; plan again for the rest.",
                ) from error
            done.append((key, version))
        return {"backups": sorted(plan.after), "deleted": [list(pair) for pair in planned]}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that the deleted versions are gone and that all others are still there."""
        said = gone(target.backups, [(key, version) for key, version in values["deleted"]])
        found = standing(target.backups, target.settings.backup_prefix)
        there = [*_listing(found), *values["deleted"]]
        lost = [key for key, version in plan.observed["listing"] if [key, version] not in there]
        if lost:
            return Verification(Verdict.CRITICAL, f"Gone without having been planned: {', '.join(lost)}.", said.rows)
        if said.verdict is not Verdict.OK:
            return said
        count = len(values["backups"])
        return Verification(
            Verdict.OK,
            f"{count} backup(s) deleted, {len(found.backups)} stay." if count else "No backup was due.",
            said.rows,
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look which of the planned versions are gone; the rest may be deleted by the same plan."""
        planned = [(str(key), str(version)) for key, version in plan.fingerprint["goes"]]
        left = [key for key, version in planned if target.backup_store.head(key, version) is not None]
        if not left:
            values = {"backups": sorted(plan.after), "deleted": [list(pair) for pair in planned]}
            return Settled(Outcome.DONE, "All planned versions are gone.", values)
        if len(left) == len(planned):
            return Settled(Outcome.NOT_DONE, "All planned versions are still there.")
        return Settled(Outcome.PARTLY, f"{len(planned) - len(left)} of {len(planned)} versions are gone.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Raise Refused: what was deleted by version is gone for good."""
        raise Refused(
            "Deleted backups cannot be brought back.", "The newest proven backup is still there; see the list."
        )


def _decisions(store: Store, target: ReadTarget) -> tuple[Standing, list[Decision]]:
    found, days = standing(store, target.settings.backup_prefix), target.settings.backup_retention_days
    own = f"{target.settings.backup_prefix}{target.run}-"
    found = Standing(
        tuple(backup for backup in found.backups if not backup.manifest_object.key.startswith(own)),
        tuple(item for item in found.orphans if not item.key.startswith(own)),
    )
    moment = now()
    free = [_candidate(backup, False) for backup in found.backups]
    due = {item.name for item in decide(free, moment, days) if item.goes}
    locked = [_candidate(backup, backup.name in due and _locked(store, backup)) for backup in found.backups]
    return found, decide(locked, moment, days)


def _candidate(backup: Backup, locked: bool) -> Candidate:
    return Candidate(backup.name, backup.moment, backup.proven, backup.fault is None, locked)


def _locked(store: Store, backup: Backup) -> bool:
    heads = [store.head(item.key, item.version) for item in backup.objects]
    return any(head and (head.held or (head.locked_until and head.locked_until > now())) for head in heads)


def _going(found: Standing, decisions: list[Decision]) -> list[Backup]:
    names = {item.name for item in decisions if item.goes}
    return [backup for backup in found.backups if backup.name in names]


def _versions(found: Standing, going: list[Backup]) -> list[tuple[str, str]]:
    # A manifest may name another backup's dump: what one that stays needs does not go with one that goes.
    needed = {item.key for backup in found.backups if backup not in going for item in backup.objects}
    return [(item.key, item.version) for backup in reversed(going) for item in backup.objects if item.key not in needed]


def _listed(found: Standing) -> list[tuple[str, str]]:
    items = [*found.orphans, *(item for backup in found.backups for item in backup.objects)]
    return sorted((item.key, item.version) for item in items)


def _listing(found: Standing) -> list[list[str]]:
    return [list(pair) for pair in _listed(found)]
