"""Rehearsing migrations: forwards and backwards on a restored copy, before anybody's database is touched."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.backups_leftovers import NAME, clear, mark, take_turn
from opslib.actions.backups_prove import drop_own, refuse_production
from opslib.actions.backups_rebuild import contents_of, restore, scratch_database, server_of
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_migrating import ALL, LIMITS, NONE, as_planned, chosen, described, place, put, recorded
from opslib.actions.database_upkeep import on_primary
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification, now
from opslib.probes.backups_compare import compare
from opslib.probes.backups_manifest import Contents
from opslib.probes.backups_standing import Backup, standing
from opslib.probes.database_migration_files import File, read
from opslib.probes.database_migration_things import makes
from opslib.probes.database_migrations import asked
from opslib.probes.database_migrations import standing as migrations
from opslib.probes.database_rehearsals import Rehearsal, keep, strongest
from opslib.probes.questions import question
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import database_exists
from opslib.systems.postgres_migrations import Limits, roll_back_file
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

Pair = tuple[File, File | None]


class RehearseMigrations(Action):
    """Restores the newest proven backup on the scratch server, applies the pending migrations, and rolls them back.

    What is executed, and how, is what ``apply-migrations`` does. Measured for each file: seconds, and the strongest
    lock on every relation that was there before. After each rollback the whole database, rows and schema, is compared
    with what it was before that migration: equal is "proven", anything else "forward only". That reads every row
    twice for each file. The copy is dropped, whatever happens; the findings are kept on this machine.
    """

    name: ClassVar[str] = "rehearse-migrations"
    title: ClassVar[str] = "Rehearse the pending migrations and their rollbacks on a restored copy"
    effect: ClassVar[Effect] = Effect.LOCAL
    # Its findings are kept: a run that goes on after some files were applied must not rehearse what is left as new.
    repeat: ClassVar[Repeat] = Repeat.ONCE
    limits: ClassVar[Limits] = LIMITS
    items: ClassVar[tuple[str, ...]] = ()
    reason: ClassVar[str] = (
        "A linter knows no sizes and no rows; that a rollback works is a hope until it has run (the product's folder "
        "of rollbacks holds a template, GH-06)."
    )

    through: str = Field(ALL, pattern=r"^(none|all|[0-9]{14})$")

    def plan(self, target: ReadTarget) -> Plan:
        """Look which files are pending and which backup they can be rehearsed on; raises Refused where none is."""
        if self.through == NONE:
            return self.planned(
                before={}, after={}, touches=0, touched="migrations", verification="None.", undo="None is needed."
            )
        on_primary(target)
        found = migrations(target)
        files = chosen(found, self.through)
        backup = _backup(target) if files else None
        return self.planned(
            before={f"{file.version}_{file.name}": "pending" for file in files},
            after={f"{file.version}_{file.name}": "rehearsed on a copy, which is dropped" for file in files},
            touches=len(files),
            touched="migrations rehearsed",
            verification="The copy is gone; each rollback brought back what was there before its migration.",
            undo="None is needed: only the copy was changed.",
            fingerprint={"files": described(files, found.folder), "applied": list(found.applied)},
            observed={"backup": backup.name, "of": str(backup.moment)} if backup else {},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Restore, migrate, roll back, compare, drop; raises StepFailed where a migration fails on the copy."""
        pairs = as_planned(target, plan.fingerprint["files"]) if plan.touches else []
        if not pairs:
            return {"rehearsals": [], "scratch": None}
        backup = _backup(target)
        manifest = backup.manifest
        assert manifest is not None
        url, application = target.settings.scratch_database_url, f"opslib:{target.run}"
        refuse_production(target, manifest, server_of(url, application))
        scratch, written = _names(target.run)
        with target.admin(url) as session:
            take_turn(session)
            clear(session)
            with scratch_database(session, scratch, written, manifest):
                progress("Restoring the newest proven backup", 0, None)
                copy = restore(session, target.backup_store, manifest, scratch, progress)
                with target.admin(copy) as inside:
                    _same_history(recorded(inside), plan.fingerprint["applied"], backup)
                found = _Rehearsal(target, copy, self.limits, progress).run(pairs, plan, backup)
        for one in found:
            keep(one)
        return {"rehearsals": [one.model_dump(mode="json") for one in found], "scratch": scratch}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that the copy is gone, and say what was found."""
        found = [Rehearsal.model_validate(one) for one in values["rehearsals"]]
        if not found:
            why = "Nothing was to be rehearsed." if self.through == NONE else "No migration is pending."
            return Verification(Verdict.OK, why)
        with target.admin(target.settings.scratch_database_url) as session:
            if database_exists(session, str(values["scratch"])):
                return Verification(Verdict.CRITICAL, f"The copy {values['scratch']} is still there.")
        rows = tuple(_row(one) for one in found)
        open_ = [table for one in found for table in one.without_security]
        if open_:
            said = f"New tables without row level security, which the API shows to everybody: {', '.join(open_)}."
            return Verification(Verdict.CRITICAL, said, rows)
        forward = [one for one in found if not one.proven]
        if forward:
            said = "; ".join(f"{one.version} is {one.way_back}" for one in forward)
            return Verification(Verdict.WARNING, f"All {len(found)} ran. {said}.", rows)
        return Verification(Verdict.OK, f"All {len(found)} ran, and each rollback brought everything back.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Drop the copy that a broken-off rehearsal left."""
        with target.admin(target.settings.scratch_database_url, "opslib:settle") as session:
            take_turn(session)
            drop_own(session, *_names(target.run))
        return Settled(Outcome.NOT_DONE, "The copy is gone; your database was not touched.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: the copy is gone."""
        return Verification(Verdict.OK, "Nothing is to be brought back: only a copy was changed.")


class _Rehearsal:
    """One rehearsal on the copy at ``url``."""

    def __init__(self, target: WriteTarget, url: DatabaseUrl, limits: Limits, progress: Progress) -> None:
        self.target, self.url, self.limits, self.progress = target, url, limits, progress
        self._folder = read(target.settings)

    def run(self, pairs: Sequence[Pair], plan: Plan, backup: Backup) -> list[Rehearsal]:
        environment, database = place(self.target)
        before, contents, forward = list(plan.fingerprint["applied"]), [self._contents()], []
        for file, _ in pairs:
            forward.append((tuple(before), *self._forwards(file)))
            before.append(file.version)
            contents.append(self._contents())
        back = self._backwards(pairs, contents)
        return [
            Rehearsal(
                environment=environment,
                database=database,
                version=file.version,
                name=file.name,
                before=applied,
                sha256=file.sha256,
                rollback_sha256=rollback.sha256 if rollback else None,
                run=self.target.run,
                rehearsed_at=now(),
                backup=backup.name,
                seconds=seconds,
                locks=locks,
                without_security=bare,
                rollback_seconds=took,
                differences=tuple(differences),
                proven=took is not None and not differences,
            )
            for (file, rollback), (applied, seconds, locks, bare), (took, differences) in zip(
                pairs, forward, back, strict=True
            )
        ]

    def _contents(self) -> Contents:
        return contents_of(self.url, f"opslib:{self.target.run}", self.progress)[0]

    def _forwards(self, file: File) -> tuple[float, dict[str, str], tuple[str, ...]]:
        self.progress(f"Applying {file.version} {file.name} to the copy")
        held: list[tuple[str, str]] = []
        with self.target.admin(self.url) as session:
            there = {row["oid"]: row["relation"] for row in session.ask(question("migrations/relations"))}
            # The record's own table is locked by every file alike.
            there = {oid: name for oid, name in there.items() if not name.startswith("supabase_migrations.")}

            def look(open_: AdminDatabase) -> None:
                rows = open_.ask(question("migrations/locks"))
                held.extend((there[row["oid"]], row["mode"]) for row in rows if row["oid"] in there)

            started = time.monotonic()
            put(session, file, self.target.run, self.limits, look)
            seconds = round(time.monotonic() - started, 3)
            tables = [thing for one in file.statements for thing in makes(one) if thing.kind == "table"]
            rows = session.ask(*asked(tables)) if tables else []
        bare = (str(table) for table, row in zip(tables, rows, strict=True) if row["row_security"] is False)
        return seconds, strongest(held), tuple(bare)

    def _backwards(self, pairs: Sequence[Pair], contents: Sequence[Contents]) -> list[tuple[float | None, list[str]]]:
        """Return for each file how long its rollback took and what it did not bring back, the newest tried first."""
        said: list[tuple[float | None, list[str]]] = []
        stuck = ""
        for number in reversed(range(len(pairs))):
            file, back = pairs[number]
            if not stuck and (why := self._folder.why_no_rollback(file.version)):
                stuck = f"{file.version}: {why}"
            if stuck or back is None:
                said.append((None, [stuck]))
                continue
            self.progress(f"Rolling back {file.version} {file.name} on the copy")
            started = time.monotonic()
            try:
                with self.target.admin(self.url) as session:
                    roll_back_file(session, file.version, back.text, self.limits)
            except OpsError as error:
                stuck = f"the rollback of {file.version} fails: {error.message}"
                said.append((None, [stuck]))
                continue
            took = round(time.monotonic() - started, 3)
            rows = compare(contents[number], self._contents())
            said.append((took, [_difference(row) for row in rows[:20]]))
        return said[::-1]


def _backup(target: ReadTarget) -> Backup:
    usable = standing(target.backups, target.settings.backup_prefix).usable
    for backup in usable:
        if backup.proven:
            return backup
    what = f"none of {len(usable)} is proven" if usable else "there is no usable backup"
    raise Refused(f"A rehearsal needs a proven backup, and {what}.", "Run runbooks/back-up-database first.")


def _same_history(history: Mapping[str, Any], applied: Sequence[str], backup: Backup) -> None:
    if sorted(history) != sorted(applied):
        other = sorted(set(history) ^ set(applied))
        raise StepFailed(
            f"The backup {backup.name} has other migrations than the database: {', '.join(other[:5])}.",
            "Take and prove a new backup (runbooks/back-up-database), then rehearse again.",
        )


def _names(run: str) -> tuple[str, str]:
    scratch = f"{NAME}{hashlib.sha256(f'{run} rehearsal'.encode()).hexdigest()[:16]}"
    return scratch, mark("rehearsal", run)


def _difference(row: Row) -> str:
    if row["kind"] == "rows":
        return f"{row['name']} had {row['expected']} rows and has {row['found']}"
    return f"{row['kind']} {row['name']} is not as before"


def _row(one: Rehearsal) -> dict[str, Any]:
    return {
        "version": one.version,
        "name": one.name,
        "seconds": one.seconds,
        "locks": ", ".join(f"{relation}: {mode}" for relation, mode in one.locks.items()) or "none but on new objects",
        "rollback seconds": one.rollback_seconds,
        "way back": one.way_back,
    }
