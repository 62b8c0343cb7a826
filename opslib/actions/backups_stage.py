"""Fetch a backup and prove that it can be restored, before anything of the database is touched.

Exit codes, sizes, line counts and checksums accept empty, cut off and schema-only dumps (hazards GH-08,
GH-11, GH-14): here every byte is hashed, what could hold a statement is read to its end, and every known reason
refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

import opslib.actions.backups_dump as dumps
import opslib.actions.backups_folder as staging
from opslib.actions.backups_candidates import Candidate, choose
from opslib.actions.backups_folder import UNTOUCHED, Staged
from opslib.actions.backups_live import Live, look, major
from opslib.actions.backups_pieces import source_of
from opslib.actions.backups_together import Going, Together, quiet
from opslib.actions.base import Action, Progress
from opslib.errors import Refused
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.probes.backups_manifest import Dump, Piece
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget


class StageBackup(Action):
    """Download one backup into a private work folder and read it to its end."""

    name: ClassVar[str] = "stage-backup"
    title: ClassVar[str] = "Fetch a backup and prove that it can be restored"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "database"
    items: ClassVar[tuple[str, ...]] = ("BAK-RST-01", "BAK-RST-02", "BAK-RST-03")
    guide: ClassVar[str] = "aws s3 cp s3://valuecanvas-backups/backups/latest.sql .\nsha256sum -c latest.sql.sha256"
    reason: ClassVar[str] = (
        "Nothing creates latest.sql or its checksum file, and a checksum only says that a file is the one that was "
        "stored: an empty, cut off or schema-only dump passes. Every byte is read and every row counted."
    )

    backup: str = Field("latest", max_length=300, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    max_age_hours: float = Field(24.0, gt=0)

    def plan(self, target: ReadTarget) -> Plan:
        """Choose the backup; raises Refused for all that can be known without downloading it."""
        live = look(target)
        chosen = choose(target, self.backup, self.max_age_hours, live.name)
        _not_newer(chosen.manifest.origin.server_version if chosen.manifest else None, live)
        if chosen.bytes > staging.free_bytes():
            raise Refused(
                f"{chosen.key} has {chosen.bytes} bytes, and there is no room for them here.", "Free disk, then retry."
            )
        return self.planned(
            before={"staged": "nothing"},
            after={"staged": chosen.key, **chosen.shown()},
            touches=1,
            touched="file in the executor's private work folder",
            verification="Each SHA-256 is the stored one; the dump was read to its end and creates every core table.",
            undo="The work folder is removed.",
            fingerprint={**_told(chosen), "server": live.server_version},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Download, compare the checksum, read to the end; raises Refused and leaves nothing behind."""
        live = look(target)
        chosen = choose(target, self.backup, self.max_age_hours, live.name)
        if {**_told(chosen), "server": live.server_version} != plan.fingerprint:
            raise Refused("Another backup would be chosen now than was planned.", "Plan again.")
        staging.prepare(target.run)
        try:
            staged = _read(target, chosen, live, progress)
            staging.keep(target.run, staged)
        except BaseException:
            staging.remove(target.run)
            raise
        return {
            "sha256": staged.sha256,
            "backup": staged.key,
            "format": staged.form,
            "bytes": chosen.bytes,
            "taken_at": staged.taken_at,
            "tables": len(staged.tables),
            "rows": staged.rows,
        }

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash the files again."""
        staged = staging.kept(target.run, values["sha256"])
        if not staging.unchanged(target.run, staged):
            return Verification(Verdict.CRITICAL, "The staged file is not the one that was checked any more.")
        largest = sorted(staged.tables.items(), key=lambda item: -item[1])[:10]
        return Verification(
            Verdict.OK,
            f"{staged.key} is whole: {staged.rows} rows in {len(staged.tables)} tables.",
            tuple({"table": name, "rows": rows} for name, rows in largest),
        )

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Remove the work folder."""
        staging.remove(target.run)
        return Verification(Verdict.OK, "The work folder is gone.")


def _told(chosen: Candidate) -> dict[str, Any]:
    """Return what tells one backup from another: the versions and checksums of all its objects."""
    said: dict[str, Any] = {"version": chosen.version, "sha256": chosen.sha256}
    return {**said, "pieces": [[one.version, one.sha256] for one in chosen.pieces]} if chosen.pieces else said


def _read(target: ReadTarget, chosen: Candidate, live: Live, progress: Progress) -> Staged:
    file = staging.dump_file(target.run)
    going = Going()
    whole = Dump(key=chosen.key, version=chosen.version, size=chosen.size, sha256=chosen.sha256, seconds=0)
    _fetch(target, whole, file, going, progress)
    with file.open("rb") as begin:
        form = dumps.form(begin.read(staging.CHUNK))
    if form not in ("custom", "gzip", "plain"):
        raise Refused(f"{chosen.key} is {form}.", f"{UNTOUCHED} Dumps may be .sql, .sql.gz or pg_dump's custom format.")
    progress("Reading the dump to its end")
    found = staging.inspect(file, form, live.server_version)
    if chosen.pieces:
        found = _with_pieces(target, chosen, found, live, progress)
    database = staging.source_database(file, form, live.server_version) or found.database
    _sound(chosen, found, database, live, target.settings.core_tables)
    return Staged(
        key=chosen.key,
        version=chosen.version,
        form=form,
        size=chosen.size,
        sha256=chosen.sha256,
        taken_at=chosen.taken_at,
        server_version=found.server_version,
        tables=dict(found.tables),
        roles=chosen.manifest.contents.roles if chosen.manifest else found.roles,
        extensions=tuple(chosen.manifest.contents.extensions) if chosen.manifest else found.extensions,
        restrictions=found.restrictions,
        manifest=chosen.manifest,
        live=live.oid,
    )


def _fetch(target: ReadTarget, part: Dump, file: Path, going: Going, progress: Progress) -> None:
    """Download one object; raises Refused when it is not the one that its checksum is of."""
    digest, size = hashlib.sha256(), 0
    with file.open("xb") as out:
        for chunk in going.counted(target.backups.stream(part.key, part.version)):
            digest.update(chunk)
            size += out.write(chunk)
            progress("Downloading", size, part.size)
            if size > part.size:
                break
    if size != part.size or digest.hexdigest() != part.sha256:
        raise Refused(
            f"{part.key} does not have its checksum: {size} bytes with SHA-256 {digest.hexdigest()[:12]}…, "
            f"{part.size} bytes with {part.sha256[:12]}… expected.",
            f"{UNTOUCHED} Choose another backup, and find out who changed this one.",
        )


def _with_pieces(
    target: ReadTarget, chosen: Candidate, found: dumps.Inspection, live: Live, progress: Progress
) -> dumps.Inspection:
    """Download the pieces and return what they and the dump hold together.

    A piece that is a dump could hold any statement, and is read to its end. One of rows alone holds none: that it is
    what was saved is said by its checksum, that it is the table's by its head, and its rows are compared when they are
    in the new database, before that takes the live one's place.
    """
    together: Together[dumps.Inspection] = Together(progress, f"Fetching {len(chosen.pieces)} pieces")
    saved = chosen.manifest.contents.tables if chosen.manifest else {}

    def reading(number: int, piece: Piece) -> Callable[[], dumps.Inspection]:
        def read() -> dumps.Inspection:
            file = staging.piece_file(target.run, number)
            _fetch(target, piece, file, together.going, quiet)
            if not piece.columns:
                return staging.inspect_piece(file, piece.table, live.server_version)
            staging.look_at_piece(file, source_of(piece))
            return dumps.Inspection(tables={piece.table: saved[piece.table].rows or 0}, complete=True)

        return read

    tables, faults = dict(found.tables), list(found.faults)
    for piece, own in zip(chosen.pieces, together.do([*map(reading, count(), chosen.pieces)]), strict=True):
        faults += [f"its piece of {piece.table} {fault}" for fault in own.faults]
        if piece.table not in found.tables:
            faults.append(f"does not create {piece.table}, of which it has a piece")
        tables[piece.table] = tables.get(piece.table, 0) + own.rows
    return replace(found, tables=tables, faults=tuple(faults), schema_only=False)


def _sound(chosen: Candidate, found: dumps.Inspection, database: str | None, live: Live, core: tuple[str, ...]) -> None:
    faults = [f"it {fault}" for fault in found.faults]
    missing = [name for name in core if name not in found.tables]
    if not found.tables:
        faults.append("it creates no table")
    elif found.schema_only:
        faults.append("it holds the schema only, no rows")
    elif not found.rows:
        faults.append("all its tables are empty")
    if database not in (None, live.name):
        faults.append(f"it was taken of {database}, this is {live.name}")
    if missing and found.tables:
        faults.append(f"it lacks {', '.join(missing)}")
    faults += chosen.unequal(found.tables)
    if faults:
        raise Refused(f"{chosen.key} must not be restored: {'; '.join(faults)}.", f"{UNTOUCHED} Choose another backup.")
    _not_newer(found.server_version, live)


def _not_newer(version: str | None, live: Live) -> None:
    if version and major(version) > live.major:
        raise Refused(
            f"The backup is of PostgreSQL {version}, the server is {live.server_version}.",
            f"{UNTOUCHED} Restore it into a server of version {major(version)} or newer.",
        )
