"""Restore a staged backup into a new database beside the live one, and compare.

The guide feeds a file to ``psql`` in the live database, which reports success after hundreds of errors
and on half a file (hazards GH-08, GH-11). Here the target is always a new and empty database, the first error
ends the restore, and every table is compared; :mod:`opslib.actions.backups_swap` then exchanges the names.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import opslib.actions.backups_dump as dumps
import opslib.actions.backups_folder as staging
from opslib.actions.backups_fill import Archive, Limits, Unpacked, fill
from opslib.actions.backups_folder import UNTOUCHED, Digest, Staged
from opslib.actions.backups_live import (
    Live,
    contents,
    databases,
    differences,
    filling,
    look,
    made,
    maintenance,
    mark,
    marks,
    same,
    told,
)
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.database_disk import disk
from opslib.probes.questions import question
from opslib.systems import programs
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import create_database, database_exists, drop_database
from opslib.systems.postgres_exchange import analyze, end_earlier, limit_connections
from opslib.systems.postgres_properties import database_mark, give_privileges, give_settings, mark_database
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

RESTORE_SECONDS = 6 * 3600.0
ROOM = 1.5
"""The live database's size times this must be free: WAL and sorting of index builds need room as well."""


class RestoreIntoNewDatabase(Action):
    """Restore the staged backup into a new database beside the live one, and compare."""

    name: ClassVar[str] = "restore-into-new-database"
    title: ClassVar[str] = "Restore the backup into a new database"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "database"
    items: ClassVar[tuple[str, ...]] = ("BAK-RST-04", "BAK-RST-05")
    guide: ClassVar[str] = 'psql $DATABASE_URL < latest.sql\npsql $DATABASE_URL -c "SELECT COUNT(*) FROM users;"'
    reason: ClassVar[str] = (
        "Over a live database psql goes on after every error and still reports success. The backup is restored "
        "into an empty database, stops at the first error, and every table is compared by count and digest."
    )

    sha256: Digest

    def plan(self, target: ReadTarget) -> Plan:
        """Say what will be made; raises Refused when roles or extensions are missing, or the name is taken."""
        live, there = look(target), databases(target)
        new = made(live.name, "restore", target.run)
        if new in there:
            raise Refused(f"There is a database {new} already.", "Nothing is restored over it; look at it first.")
        room = _room(target, live)
        staged = None if self.sha256.startswith(UNKNOWN_UNTIL) else staging.kept(target.run, self.sha256)
        if staged:
            _has_what_it_needs(target, staged)
        rows = {"backup": staged.key, "tables": len(staged.tables), "rows": staged.rows} if staged else {}
        return self.planned(
            before={"live": live.name, "new": None},
            after={"live": live.name, "new": new},
            observed={
                **rows,
                "databases": sorted(there),
                "room on the disk": room,
                "restored by other runs and never put in place": sorted(
                    name for name in there if name.startswith(f"{live.name}_restore_")
                ),
            },
            touches=1,
            touched="database (new)",
            verification="Every table, sequence, right and schema object of the new database equals the manifest.",
            undo="The new database is dropped; once it was live and written to, it is kept.",
            unknown=() if staged else ("backup, tables and rows: known when the backup is staged",),
            fingerprint={"live": live.oid, "sha256": self.sha256},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Create, fill, compare; on any failure the new database is dropped again (StepFailed)."""
        started = time.monotonic()
        live, new = look(target), str(plan.after["new"])
        same(target, live.name)
        staged = staging.kept(target.run, self.sha256)
        if live.oid != plan.fingerprint["live"] or new != made(live.name, "restore", target.run):
            raise Refused("The live database is another one than was planned with.", "Plan again.")
        if not staging.unchanged(target.run, staged):
            raise Refused("The staged file is gone or was changed.", "Stage the backup again.")
        with maintenance(target) as session:
            create_database(session, new, live.locale)
            try:
                mark_database(session, new, filling(target.run))
                _fill(target, staged, new, live, progress)
                _dress(target, session, new, live)
                found = _equal(target, staged, new, live, progress)
                mark_database(session, new, mark(target.run, self.name))
            except BaseException as error:
                progress(f"Dropping {new}")
                drop_database(session, new)
                raise _failed(error, new) from error
        staging.spend(target.run)
        return self._values(target, new, found, round(time.monotonic() - started, 1))

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Compare the new database with the backup once more."""
        staged, live = staging.kept(target.run, self.sha256), look(target)
        rows = differences(staged, contents(target, values["database"], _quiet, staged.digests), live)
        if rows:
            return Verification(Verdict.CRITICAL, f"{values['database']} differs: {told(rows)}.", rows)
        return Verification(
            Verdict.OK, f"{values['database']} equals the backup in {values['tables']} tables, {values['rows']} rows."
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the mark, which is changed last; a database that was not filled to its end is dropped."""
        new = str(plan.after["new"])
        with maintenance(target) as session:
            end_earlier(session)
            if not database_exists(session, new):
                return Settled(Outcome.NOT_DONE, f"There is no database {new}.")
            written = database_mark(session, new)
            if written in marks(target.run):
                values = self._values(target, new, _figures(target.run, self.sha256), 0.0)
                return Settled(Outcome.DONE, f"{new} was filled and compared.", values)
            # Made and not marked yet: its name is this run's own, and nothing is in it.
            unmarked = not written and not contents(target, new, _quiet).tables
            if written != filling(target.run) and not unmarked:
                return Settled(Outcome.UNKNOWN, f"{new} is there and was not made by this run.")
            drop_database(session, new)
        return Settled(Outcome.NOT_DONE, f"{new} was half filled and has been dropped; the live one was not touched.")

    def _values(self, target: WriteTarget, new: str, found: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        return {"database": new, "run": target.run, **found, "seconds": seconds}

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Drop the new database, if it is the one that this run made, is not live, and was not written to."""
        run = target.run
        new = made(target.settings.database_url.path, "restore", run)
        with maintenance(target) as session:
            if database_exists(session, new):
                written = database_mark(session, new)
                if written not in {*marks(run), filling(run)}:
                    raise Refused(f"{new} was not made by run {run}.", "Look at it; drop it by hand if it may go.")
                if written == mark(run, "swap-databases"):
                    # What people wrote while it was live is nowhere else, and the swap's undo promised that it stays.
                    raise Refused(
                        f"{new} is kept: it was live, and may have been written to since it was restored.",
                        f"Save what was written to it; then drop it by hand, and go on with: ops undo {run}",
                    )
                drop_database(session, new)
            gone = not database_exists(session, new)
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"{new} is {'gone' if gone else 'still there'}.")


def _figures(run: str, sha256: str) -> dict[str, Any]:
    try:
        staged = staging.kept(run, sha256)
    except Refused:
        # The work folder went with the process; that the database is there does not depend on it.
        return {"tables": None, "rows": None}
    return {"tables": len(staged.tables), "rows": staged.rows}


def _room(target: ReadTarget, live: Live) -> str:
    """Return whether the server's disk holds a second database of the live one's size; Refused when it does not."""
    try:
        rows = [row for row in disk.read(target) if row["holds_data"]]
    except Unreachable as error:
        return f"unknown: {error.message}"
    if not rows:
        return "unknown: which disk holds the data cannot be told"
    free = rows[0]["free_bytes"]
    if free < ROOM * live.bytes:
        raise Refused(
            f"The server's disk has {free} bytes free; a second database like {live.name} needs {live.bytes} and room.",
            f"{UNTOUCHED} Make room, or restore on another server.",
        )
    return f"enough for {ROOM} times the live database"


def _has_what_it_needs(target: ReadTarget, staged: Staged) -> None:
    for kind, needed in (("roles", staged.roles), ("extensions", staged.extensions)):
        there = {row["name"] for row in target.database.ask(question(f"restore/{kind}"))}
        missing = sorted({*needed} - there)
        if missing:
            raise Refused(
                f"The server lacks {kind} that the backup needs: {', '.join(missing)}.",
                f"{UNTOUCHED} {'Create' if kind == 'roles' else 'Install'} them first.",
            )


def _fill(target: WriteTarget, staged: Staged, new: str, live: Live, progress: Progress) -> None:
    url, file = target.database_url.with_path(new), staging.dump_file(target.run)
    progress(f"Restoring {staged.rows} rows into {new}")
    if staged.form == "custom":
        files = [(one, staging.piece_file(target.run, number)) for number, one in enumerate(staged.pieces)]
        pieces = [Unpacked(one, partial(staging.piece, path, one.table)) for one, path in files]
        limits = Limits(live.server_version, RESTORE_SECONDS, f"opslib:{target.run}")
        fill(url, lambda: Archive([str(file)]), pieces, limits, progress)
        return
    with staging.text(file, staged.form, live.server_version) as chunks:
        programs.feed(
            "psql",
            url,
            ["--dbname", new, "--single-transaction", "--file=-"],
            dumps.restricted(chunks, staged.restrictions, secrets.token_hex(16)),
            server_version=live.server_version,
            seconds=RESTORE_SECONDS,
        )


def _dress(target: WriteTarget, session: AdminDatabase, new: str, live: Live) -> None:
    """Give the new database what a dump does not carry, as the live one has it."""
    with target.admin(target.database_url.with_path(new)) as own:
        try:
            give_settings(own, new, [(item.role, item.name, item.value) for item in live.settings])
        except StepFailed as error:
            # The server's message repeats the value, which may be a secret.
            raise StepFailed(f"A setting of {live.name} could not be given to {new}.", error.next_step) from None
    give_privileges(
        session,
        new,
        live.properties.owner,
        [(item.role, item.privilege, item.grantable) for item in live.privileges],
    )
    limit_connections(session, new, live.properties.connection_limit)


def _equal(target: WriteTarget, staged: Staged, new: str, live: Live, progress: Progress) -> dict[str, Any]:
    def planning() -> None:
        with target.admin(target.database_url.with_path(new)) as own:
            analyze(own)

    found = contents(target, new, progress, staged.digests, [planning])
    rows = differences(staged, found, live)
    if rows:
        raise StepFailed(f"The restored database differs from the backup: {told(rows)}.", "Choose another backup.")
    return {"tables": len(staged.tables), "rows": found.rows}


def _failed(error: BaseException, new: str) -> BaseException:
    if not isinstance(error, OpsError):
        return error
    return StepFailed(
        f"{error.message} The new database {new} was dropped; the live database was not touched.", error.next_step
    )


def _quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""
