"""Applying the pending migrations: exactly the files that were planned with, each together with its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_migrating import (
    LIMITS,
    NONE,
    as_planned,
    chosen,
    described,
    looked_at,
    ours,
    put,
    recorded,
    rehearsed,
    schema,
    take_back,
    told,
)
from opslib.actions.database_upkeep import on_primary, same_server
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.database_migration_files import File, read
from opslib.probes.database_migrations import standing
from opslib.probes.database_rehearsals import Rehearsal
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.postgres_migrations import Limits
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

LATER = f"{UNKNOWN_UNTIL}rehearse-migrations"


class ApplyMigrations(Action):
    """Executes the pending files up to ``through`` as they are, each in one transaction with its record.

    A statement waits at most 5 s for a lock and runs at most 15 min. Refuses files that may destroy something: those
    are ``apply-destructive-migrations``' to apply; and whatever was not rehearsed. A killed apply goes on with the
    files that are not recorded. With ``none`` nothing is applied, and nobody has to approve it.
    """

    name: ClassVar[str] = "apply-migrations"
    title: ClassVar[str] = "Apply the pending migrations"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 20
    limits: ClassVar[Limits] = LIMITS
    items: ClassVar[tuple[str, ...]] = ("DEP-MIG-03",)
    guide: ClassVar[str] = "supabase db push"
    reason: ClassVar[str] = (
        "The guide's command asks nobody, rehearses nothing, sets no limit on waiting for locks, and knows no way back "
        "(GH-06). Here exactly the files that were approved are executed, by their SHA-256, once."
    )
    destructive: ClassVar[bool] = False

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Of none only a look: nobody has to approve that nothing is applied."""
        if self.through == NONE:
            return Effect.READ
        return Effect.DESTRUCTIVE if self.destructive else Effect.CHANGE

    through: str = Field(NONE, pattern=r"^(none|all|[0-9]{14})$")

    def plan(self, target: ReadTarget) -> Plan:
        """Name the files, what they do, and what their rehearsal found; raises Refused where one must not run."""
        if self.through == NONE:
            return self._nothing()
        on_primary(target)
        found = standing(target)
        files = chosen(found, self.through)
        self._fits(files)
        tried = rehearsed(target, found.applied, files, found.folder)
        ways = {file.version: one.way_back if one else LATER for file, one in zip(files, tried, strict=True)}
        return self.planned(
            before={"newest applied": max(found.applied, default="none"), "pending": len(files)},
            after={f"{file.version}_{file.name}": _said(file) for file in files},
            touches=len(files),
            touched="migrations applied",
            verification="Each is recorded with its SHA-256, what it makes is there and valid, and each new table has "
            "row level security.",
            undo=_way_back(files, tried),
            unknown=("way back",) if LATER in ways.values() else (),
            fingerprint={
                "files": described(files, found.folder),
                "applied": list(found.applied),
                "schema": schema(target),
                "way back": ways,
            },
            observed={"rehearsal": {one.version: _observed(one) for one in tried if one}},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Execute one file after another; raises StepFailed at the first that fails, of which then nothing is left."""
        files = [file for file, _ in as_planned(target, plan.fingerprint["files"])] if plan.touches else []
        if not files:
            return {"applied": []}
        same_server(target)
        self._rehearsed(target, plan, files)
        with target.admin(target.database_url) as session:
            left = _left(recorded(session), plan, files, target.run)
        for number, file in enumerate(left):
            progress(f"Applying {file.version} {file.name}", number, len(left))
            with target.admin(target.database_url) as session:
                put(session, file, target.run, self.limits)
        return {"applied": [file.version for file in files]}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the history and at every object that the files make."""
        if not values["applied"]:
            why = "Nothing was to be applied." if self.through == NONE else "No migration is pending."
            return Verification(Verdict.OK, why)
        files = [file for file, _ in as_planned(target, plan.fingerprint["files"])]
        history = {row["version"]: row for row in standing(target).history}
        missing = [file.version for file in files if not ours(history.get(file.version), target.run)]
        rows = tuple(row for file in files for row in looked_at(target, file))
        if missing:
            return Verification(Verdict.CRITICAL, f"Not recorded as applied by this work: {', '.join(missing)}.", rows)
        open_ = [row["object"] for row in rows if row["row level security"] is False]
        if open_:
            return Verification(Verdict.CRITICAL, f"Without row level security: {', '.join(open_)}.", rows)
        # What a later file of the same plan takes away again may be gone: the rehearsal has seen that it fits.
        unfit = [row["object"] for row in rows if row["valid"] is False]
        if unfit:
            return Verification(Verdict.CRITICAL, f"Invalid: {', '.join(unfit)}.", rows)
        there = sum(bool(row["there"]) for row in rows)
        said = f"{told(files)} recorded; {there} of {len(rows)} named objects are there"
        return Verification(Verdict.OK if there == len(rows) else Verdict.WARNING, f"{said}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look which files are recorded by this work: a file and its record are there together, or not at all."""
        planned = [str(version) for version, *_ in plan.fingerprint.get("files", [])]
        with target.admin(target.database_url) as session:
            end_earlier(session)
            history = recorded(session)
        done = [version for version in planned if ours(history.get(version), target.run)]
        if len(done) == len(planned):
            return Settled(Outcome.DONE, "Every file is recorded.", {"applied": done})
        if not done:
            return Settled(Outcome.NOT_DONE, "None of its files is applied.")
        left = ", ".join(version for version in planned if version not in done)
        return Settled(Outcome.PARTLY, f"{', '.join(done)} applied whole; of {left} there is nothing.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Run the rollback files in reverse; raises Refused unless each was proven by a rehearsal."""
        if self.through == NONE or not plan.fingerprint.get("files"):
            return Verification(Verdict.OK, "Nothing had been applied.")
        same_server(target)
        done = set(values["applied"])
        planned = [one for one in plan.fingerprint["files"] if one[0] in done]
        pairs = as_planned(target, planned)
        tried = self._rehearsals(target, plan, [file for file, _ in pairs])
        unproven = [one.way_back if one else "never rehearsed here" for one in tried if one is None or not one.proven]
        if unproven:
            said = "; ".join(unproven)
            raise Refused(f"There is no proven way back: {said}.", "Restore, or write a migration that mends it.")
        back = take_back(target, pairs, self.limits, progress)
        said = f"{len(back)} rolled back: {', '.join(back)}" if back else "All had been rolled back"
        if done == {one[0] for one in plan.fingerprint["files"]} and schema(target) != plan.fingerprint["schema"]:
            return Verification(Verdict.WARNING, f"{said}; but the schema is not as it was before.")
        return Verification(Verdict.OK, f"{said}; the schema is as it was before.")

    def _nothing(self) -> Plan:
        return self.planned(
            before={}, after={}, touches=0, touched="migrations applied", verification="None.", undo="None is needed."
        )

    def _fits(self, files: Sequence[File]) -> None:
        lossy = [f"{file.version} ({file.destroys})" for file in files if file.destroys]
        if lossy and not self.destructive:
            raise Refused(
                f"These may destroy something: {'; '.join(lossy[:5])}.",
                "Read them; then plan with -p act=apply-destructive, which needs a destructive step's approvals.",
            )

    def _rehearsals(self, target: ReadTarget, plan: Plan, files: Sequence[File]) -> list[Rehearsal | None]:
        return rehearsed(target, [str(one) for one in plan.fingerprint["applied"]], files, read(target.settings))

    def _rehearsed(self, target: ReadTarget, plan: Plan, files: Sequence[File]) -> None:
        tried = self._rehearsals(target, plan, files)
        missing = [file.version for file, one in zip(files, tried, strict=True) if one is None]
        if missing:
            raise Refused(f"Not rehearsed: {', '.join(missing)}.", "Run the notebook's rehearsal first.")
        open_ = [table for one in tried if one for table in one.without_security]
        if open_:
            raise Refused(f"New tables without row level security: {', '.join(open_)}.", "Enable it in the same file.")


class ApplyDestructiveMigrations(ApplyMigrations):
    """As ``apply-migrations``, for files that drop, delete, rename, or of which the text does not tell what they do."""

    name: ClassVar[str] = "apply-destructive-migrations"
    title: ClassVar[str] = "Apply pending migrations that may destroy something"
    destructive: ClassVar[bool] = True


def _left(history: Mapping[str, Any], plan: Plan, files: Sequence[File], run: str) -> list[File]:
    """Return the files that are still to be applied; raises when somebody else has been at it since the plan."""
    left = [file for file in files if not ours(history.get(file.version), run)]
    expected = {*map(str, plan.fingerprint["applied"]), *(file.version for file in files if file not in left)}
    if other := sorted(set(history) ^ expected):
        kind = Refused if len(left) == len(files) else StepFailed
        raise kind(
            f"The history is not what was planned with any more: {', '.join(other[:5])}.",
            "Somebody else applies migrations. Look who, then plan again.",
        )
    return left


def _said(file: File) -> str:
    count = len(file.statements)
    what = f"may destroy ({file.destroys})" if file.destroys else "adds only"
    return f"applied: {count} statement{'s' if count > 1 else ''}, {what}; sha256 {file.sha256}"


def _way_back(files: Sequence[File], tried: Sequence[Rehearsal | None]) -> str:
    if not files:
        return "None is needed: nothing is pending."
    if None in tried:
        return "The rollback files in reverse, if the rehearsal before this step proves them; else a restore."
    forward = [one for one in tried if one and not one.proven]
    if forward:
        said = "; ".join(f"{one.version} is {one.way_back}" for one in forward)
        return f"None but a restore (runbooks/restore-database): {said}."
    return "The rollback files in reverse, each proven: what was written into the new objects meanwhile is lost."


def _observed(one: Rehearsal) -> dict[str, Any]:
    return {"seconds": one.seconds, "locks": dict(one.locks), "way back": one.way_back, "backup": one.backup}
