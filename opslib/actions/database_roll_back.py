"""Rolling the newest migration back by its reviewed file, together with its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_migrating import (
    LIMITS,
    NONE,
    as_planned,
    looked_at,
    ours,
    put,
    recorded,
    rehearsed,
    runs,
    schema,
)
from opslib.actions.database_upkeep import on_primary, same_server
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.database_migration_standing import APPLIED
from opslib.probes.database_migrations import Standing, standing
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.postgres_migrations import Limits, roll_back_file
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget


class RollBackMigration(Action):
    """Executes the rollback file of the newest applied migration and deletes its record, in one transaction.

    Only where a rehearsal has proven exactly this pair of files. With ``none`` nothing is rolled back. Undone by the
    migration itself, which does not bring back the rows that the rollback threw away.
    """

    name: ClassVar[str] = "roll-back-migration"
    title: ClassVar[str] = "Roll back the newest migration"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    limits: ClassVar[Limits] = LIMITS
    items: ClassVar[tuple[str, ...]] = ("DEP-MIG-04",)
    guide: ClassVar[str] = "psql $DATABASE_URL -f supabase/rollbacks/YYYYMMDD_rollback.sql"
    reason: ClassVar[str] = (
        "psql without ON_ERROR_STOP goes on after an error and ends with 0 (GH-08); versions have 14 digits; the "
        "folder holds a template (GH-06); and the record of the migration must go too, or the next push skips it."
    )

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Of none only a look: nobody has to approve that nothing is rolled back."""
        return Effect.READ if self.version == NONE else Effect.DESTRUCTIVE

    version: str = Field(NONE, pattern=r"^(none|[0-9]{14})$")

    def plan(self, target: ReadTarget) -> Plan:
        """Look at the version, its rollback file and its rehearsal; raises Refused where one of them is not fit."""
        if self.version == NONE:
            return self.planned(
                before={}, after={}, touches=0, touched="migrations", verification="None.", undo="None is needed."
            )
        on_primary(target)
        found = standing(target)
        file, back = self._pair(found)
        (tried,) = rehearsed(target, found.applied[:-1], [file], found.folder)
        if tried is None or not tried.proven:
            why = tried.way_back if tried else "it was never rehearsed on this machine"
            raise Refused(
                f"The rollback of {self.version} is not proven: {why}.",
                "Restore beside (runbooks/restore-database), or write a migration that mends it.",
            )
        return self.planned(
            before={f"{file.version}_{file.name}": "applied, the newest"},
            after={f"{file.version}_{file.name}": f"rolled back by the file with sha256 {back.sha256}"},
            touches=1,
            touched="migrations rolled back",
            verification="Its record is gone, and nothing of what it made is there.",
            undo="The migration is applied again; what the rollback threw away stays lost.",
            fingerprint={
                "files": [[file.version, file.name, file.sha256, back.sha256]],
                "applied": list(found.applied),
                "schema": schema(target),
            },
            observed={"rollback seconds in the rehearsal": tried.rollback_seconds, "backup of it": tried.backup},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Execute the rollback file; raises StepFailed where it fails, of which then nothing is left."""
        if not plan.touches:
            return {"rolled_back": None}
        same_server(target)
        ((file, back),) = as_planned(target, plan.fingerprint["files"])
        assert back is not None
        with target.admin(target.database_url) as session:
            if sorted(recorded(session)) != list(plan.fingerprint["applied"]):
                raise Refused("The history is not what was planned with any more.", "Look who migrates; plan again.")
        with target.admin(target.database_url) as session:
            roll_back_file(session, file.version, back.text, self.limits)
        return {"rolled_back": file.version}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that record and objects are gone."""
        if values["rolled_back"] is None:
            return Verification(Verdict.OK, "Nothing was to be rolled back.")
        ((file, _),) = as_planned(target, plan.fingerprint["files"])
        rows = looked_at(target, file)
        if file.version in standing(target).applied:
            return Verification(Verdict.CRITICAL, f"{file.version} is still recorded.", rows)
        left = [row["object"] for row in rows if row["there"]]
        if left:
            return Verification(Verdict.CRITICAL, f"Not recorded any more, but still there: {', '.join(left)}.", rows)
        return Verification(Verdict.OK, f"{file.version} {file.name} is rolled back, and its record is gone.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the record: it is gone with what the migration made, or both are there."""
        with target.admin(target.database_url) as session:
            end_earlier(session)
            history = recorded(session)
        if self.version == NONE or self.version in history:
            return Settled(Outcome.NOT_DONE, "Its record is there, so nothing of the rollback happened.")
        return Settled(Outcome.DONE, "Its record is gone.", {"rolled_back": self.version})

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Apply the migration again; raises Refused when its file, or the history, is another one now."""
        if self.version == NONE or values["rolled_back"] is None:
            return Verification(Verdict.OK, "Nothing had been rolled back.")
        same_server(target)
        ((file, _),) = as_planned(target, plan.fingerprint["files"])
        with target.admin(target.database_url) as session:
            end_earlier(session)
            history = recorded(session)
        if not ours(history.get(file.version), target.run):
            if sorted(history) != list(plan.fingerprint["applied"])[:-1]:
                raise Refused("Other migrations were applied since.", "Apply this one by -p act=apply instead.")
            with target.admin(target.database_url) as session:
                put(session, file, target.run, self.limits)
        if schema(target) != plan.fingerprint["schema"]:
            return Verification(Verdict.WARNING, f"{file.version} is applied again; the schema differs from before.")
        return Verification(Verdict.OK, f"{file.version} is applied again; the rows that were lost stay lost.")

    def _pair(self, found: Standing) -> tuple[Any, Any]:
        newest = max(found.applied, default="none")
        if self.version != newest:
            raise Refused(
                f"{self.version} is not the newest applied migration; that is {newest}.", "Roll that back first."
            )
        one = next(one for one in found.versions if one.version == self.version)
        if one.file is None or one.state != APPLIED:
            raise Refused(f"{self.version} is {one.state}: {one.note}.", "Put file and history in order first.")
        if why := found.folder.why_no_rollback(self.version):
            raise Refused(f"{self.version} cannot be rolled back: {why}.", "Write the file, and have it reviewed.")
        back = found.folder.rollbacks[self.version]
        runs(back)
        return one.file, back
