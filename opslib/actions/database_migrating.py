"""What the actions on migrations have in common: which files, whether they may run, their record, the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from opslib.actions.backups_collect import KINDS
from opslib.actions.base import Progress
from opslib.canonical import digest
from opslib.errors import Refused
from opslib.model import Row, Rows
from opslib.probes import database_rehearsals as rehearsals
from opslib.probes.database_migration_files import File, Folder, read
from opslib.probes.database_migration_standing import APPLIED, PENDING, mark, marked
from opslib.probes.database_migration_things import makes
from opslib.probes.database_migrations import Standing, looked_up
from opslib.probes.questions import question
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.postgres_migrations import Limits, apply_file, roll_back_file
from opslib.systems.target import ReadTarget, WriteTarget

NONE, ALL = "none", "all"
PLAN_AGAIN = "Nothing was changed. Plan again: ops run runbooks/migrate-database --plan"
LIMITS = Limits(lock_seconds=5.0, statement_seconds=900.0, file_seconds=3600.0)
"""Whoever comes after a statement that waits for a lock waits as well, so it gives up soon."""


def chosen(found: Standing, through: str) -> tuple[File, ...]:
    """Return the pending files up to ``through`` (``all`` for all); raises Refused while anything is in disorder."""
    wrong = [one for one in found.versions if one.state not in (APPLIED, PENDING)]
    if wrong:
        said = "; ".join(f"{one.version} {one.name} is {one.state}: {one.note}" for one in wrong[:3])
        raise Refused(f"Nothing is applied while files and history disagree: {said}.", "See the checks above.")
    files = [one.file for one in found.versions if one.state == PENDING and one.file]
    if through not in (ALL, NONE) and through not in {file.version for file in files}:
        pending = ", ".join(file.version for file in files) or "none"
        raise Refused(f"{through} is not pending.", f"Pending: {pending}.")
    taken = tuple(file for file in files if through == ALL or file.version <= through) if through != NONE else ()
    for file in taken:
        runs(file)
    return taken


def runs(file: File) -> None:
    """Raise Refused for a file that cannot run in one transaction with its record, or says nothing."""
    if file.fault or not file.statements:
        why = file.fault or "it has no statement"
        raise Refused(f"{file.version}_{file.name}.sql is not executed: {why}.", "Correct the file, then plan again.")


def described(files: Iterable[File], folder: Folder) -> list[list[str | None]]:
    """Return what pins the files in a plan: version, name, digest, and the digest of the rollback."""
    said: list[list[str | None]] = []
    for file in files:
        back = folder.rollbacks.get(file.version)
        said.append([file.version, file.name, file.sha256, back.sha256 if back else None])
    return said


def as_planned(target: ReadTarget, planned: Sequence[Sequence[Any]]) -> list[tuple[File, File | None]]:
    """Return each planned file, with its rollback, read again; raises Refused when one is not what was planned."""
    folder = read(target.settings)
    found = []
    for version, name, sha256, rollback in planned:
        file, back = folder.migrations.get(version), folder.rollbacks.get(version)
        if file is None or file.sha256 != sha256:
            raise Refused(f"{version}_{name}.sql is not the file that was planned with.", PLAN_AGAIN)
        if (back.sha256 if back else None) != rollback:
            raise Refused(f"The rollback of {version} is not the file that was planned with.", PLAN_AGAIN)
        found.append((file, back))
    return found


def place(target: ReadTarget) -> tuple[str, str]:
    """Return which target a rehearsal's record is of: environment and database."""
    return target.environment, target.settings.read_database_url.public


def rehearsed(
    target: ReadTarget, applied: Sequence[str], files: Sequence[File], folder: Folder
) -> list[rehearsals.Rehearsal | None]:
    """Return what the rehearsals of these files, applied in this order after ``applied``, found."""
    return rehearsals.found(*place(target), applied, files, folder)


def recorded(session: AdminDatabase) -> dict[str, Row]:
    """Return the history as the executor's session sees it, by version."""
    return {row["version"]: row for row in session.ask(question("migrations/history"))}


def ours(row: Row | None, run: str) -> bool:
    """Say whether a recorded version was applied by this work."""
    found = marked(row) if row else None
    return found is not None and found[1] == run


def put(session: AdminDatabase, file: File, run: str, limits: Limits, look: Any = None) -> None:
    """Apply one file, recorded with the mark of the run; errors as :func:`~..postgres_migrations.apply_file`."""
    first, *rest = [one.text for one in file.statements]
    more = {"look": look} if look else {}
    statements = [mark(file.sha256, run) + first, *rest]
    apply_file(session, file.version, file.name, file.text, statements, limits, **more)


def schema(target: ReadTarget) -> str:
    """Return a digest of the schema: every object with its definition, as the reading role sees it."""
    rows: dict[str, Any] = {}
    for kind in KINDS:
        found = target.database.ask(question(f"backups/objects_{kind}"))
        rows[kind] = sorted([row["name"], row["text"] or ""] for row in found)
    return digest(rows)


def take_back(
    target: WriteTarget, pairs: Sequence[tuple[File, File | None]], limits: Limits, progress: Progress
) -> list[str]:
    """Roll back the files that are still recorded, the newest first; returns their versions.

    Raises Refused, before anything, when they are not the newest applied ones or one has no rollback.
    """
    with target.admin(target.database_url) as session:
        end_earlier(session)
        history = recorded(session)
    left = [(file, back) for file, back in pairs if file.version in history]
    newest = sorted(history)[len(history) - len(left) :]
    if [file.version for file, _ in left] != newest:
        raise Refused(f"{', '.join(newest)} came after what is to be rolled back.", "Roll these back first.")
    without = [file.version for file, back in left if back is None]
    if without:
        raise Refused(f"{', '.join(without)} has no rollback file.", "Restore, or write a migration that mends it.")
    for number, (file, back) in enumerate(reversed(left)):
        assert back is not None
        progress(f"Rolling back {file.version} {file.name}", number, len(left))
        with target.admin(target.database_url) as session:
            roll_back_file(session, file.version, back.text, limits)
    return [file.version for file, _ in reversed(left)]


def looked_at(target: ReadTarget, file: File) -> Rows:
    """Return one row for each thing that the file makes: whether it is there, valid, and guards its rows."""
    things = tuple(dict.fromkeys(thing for one in file.statements for thing in makes(one)))
    return tuple(
        {
            "version": file.version,
            "object": str(thing),
            "there": row["there"],
            "row level security": row["row_security"],
            "valid": row["valid"],
        }
        for thing, row in looked_up(target, things)
    )


def told(files: Sequence[File]) -> str:
    """Return the files in words."""
    return ", ".join(f"{file.version}_{file.name}" for file in files)
