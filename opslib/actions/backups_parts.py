"""Saving all parts of one backup under one snapshot: contents, pieces, and the dump of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from opslib.actions.backups_collect import collect
from opslib.actions.backups_pieces import SECONDS, Large, Pieces, Snapshot, large
from opslib.actions.backups_together import Going, Together, quiet
from opslib.actions.base import Progress
from opslib.errors import StepFailed
from opslib.model import now
from opslib.probes.backups_manifest import DUMP, PIECE, ROWS, Contents, Dump, Piece, Table
from opslib.systems import programs
from opslib.systems.object_store import Bucket, Stored
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.target import WriteTarget


def saved(
    target: WriteTarget, base: str, of: tuple[AdminDatabase, Snapshot], least: int, progress: Progress
) -> tuple[Contents, Dump, tuple[Piece, ...]]:
    """Save the database of a session and the snapshot that it exported; tables of ``least`` bytes are pieces.

    Returns what it holds and the objects. Reads every row twice. What fails ends all of it (StepFailed, Unreachable).
    """
    session, shared = of
    tables = large(session, least)
    pieces = Pieces(target, base, shared, told_of(target), lock_of(target))
    if not tables:
        contents = collect(session, progress)
        pieces.rest([])
        return contents, _dump(target, base, shared, [], progress, Going()), ()
    together: Together[Any] = Together(progress, f"Saving {len(tables)} large tables and the rest")
    going, apart = together.going, {table.full: Table(kind="table") for table in tables}

    def rest() -> tuple[Contents, Dump]:
        return collect(session, quiet, apart), _dump(target, base, shared, tables, quiet, going)

    def piece(table: Large) -> Callable[[], tuple[Table, Piece]]:
        return lambda: pieces.save(table, going)

    *found, (contents, dump) = together.do([*map(piece, tables), rest])
    counted = {table.full: rows for table, (rows, _) in zip(tables, found, strict=True)}
    made = tuple(one for _, one in found)
    pieces.rest(made)
    return contents.model_copy(update={"tables": {**contents.tables, **counted}}), dump, made


def own_dumps(store: Bucket, base: str) -> list[Stored]:
    """Return the objects of the backup ``base`` that hold data, whole ones only."""
    return [item for item in store.list(base + ".") if item.key.endswith((DUMP, PIECE, ROWS))]


def told_of(target: WriteTarget) -> dict[str, str]:
    """Return what stands on every object of a backup."""
    return {"run": target.run, "environment": target.environment}


def lock_of(target: WriteTarget) -> datetime | None:
    """Return until when what is saved now is locked; None where backups are not locked."""
    days = target.settings.backup_lock_days
    return now() + timedelta(days=days) if days else None


def _dump(
    target: WriteTarget, base: str, shared: Snapshot, apart: list[Large], progress: Progress, going: Going
) -> Dump:
    started = time.monotonic()
    arguments = [
        "--format=custom",
        "--compress=gzip:1",
        f"--snapshot={shared.id}",
        # A schema change that waits for our snapshot's locks would make pg_dump wait behind it for ever.
        f"--lock-wait-timeout={shared.lock_seconds}s",
        *(f"--exclude-table-data={table.pattern}" for table in apart),
    ]
    key, url, server = _free(target.backup_store, base), target.database_url, shared.server_version
    with (
        programs.stream("pg_dump", url, arguments, server_version=server, seconds=SECONDS) as data,
        target.backup_store.upload(key, told_of(target), locked_until=lock_of(target)) as upload,
    ):
        for part in going.counted(data):
            upload.write(part)
            progress(f"Saved {upload.size // 2**20} MiB")
        version = upload.complete()
    if until := lock_of(target):
        target.backup_store.ensure_locked(key, version, until)
    seconds = round(time.monotonic() - started, 3)
    return Dump(key=key, version=version, size=upload.size, sha256=upload.sha256, seconds=seconds)


def _free(store: Bucket, base: str) -> str:
    taken = {item.key for item in own_dumps(store, base)}
    keys = [base + DUMP, *(f"{base}.{number}{DUMP}" for number in range(2, 10))]
    free = next((key for key in keys if key not in taken), None)
    if free is None:
        raise StepFailed(f"{base} was begun and interrupted nine times.", "Look why, then start a new run.")
    return free
