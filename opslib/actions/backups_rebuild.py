"""Putting a backup's dump into a fresh database, and reading that database's contents back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from opslib.actions.backups_collect import collect, locale, origin
from opslib.actions.backups_fill import Archive, Limits, Unpacked, fill
from opslib.actions.backups_pieces import LARGE, Large, large
from opslib.actions.backups_together import Going, Together, quiet
from opslib.actions.base import Progress
from opslib.errors import OpsError, Refused, StepFailed
from opslib.probes.backups_manifest import Contents, Dump, Manifest, Origin, Piece, Table
from opslib.probes.questions import question
from opslib.redaction import DatabaseUrl
from opslib.systems import programs
from opslib.systems.object_store import Store
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_databases import create_database, database_exists, drop_database
from opslib.systems.postgres_digests import NEWEST, Form, digest_rows
from opslib.systems.postgres_properties import (
    create_role,
    database_mark,
    drop_role,
    give_privileges,
    give_settings,
    mark_database,
    marked,
    missing_roles,
)
from opslib.systems.zstd import unpacked

SECONDS = 6 * 3600.0
"""Longest that one part (read, restore, compare) may take."""

SESSIONS = 10
"""A database that lets in fewer at once is read in one session."""


def server_of(url: DatabaseUrl, application: str) -> Origin:
    """Return what server ``url`` leads to."""
    with snapshot(url, application, statement_seconds=30.0) as (session, _):
        return origin(session, url)


def hashed(store: Store, part: Dump) -> Iterator[bytes]:
    """Yield the bytes of a dump or piece; raises StepFailed at the end when they are not those that were saved."""
    sha256, size = hashlib.sha256(), 0
    for piece in store.stream(part.key, part.version):
        sha256.update(piece)
        size += len(piece)
        yield piece
    if (sha256.hexdigest(), size) != (part.sha256, part.size):
        raise StepFailed(
            f"The dump {part.key} is not what was saved: {size} bytes with SHA-256 {sha256.hexdigest()}, "
            f"its manifest says {part.size} bytes with {part.sha256}.",
            "Do not restore it. Take a new backup now, and find out who or what changed the object.",
        )


def archive(store: Store, part: Dump) -> Iterator[bytes]:
    """Yield a dump, or what a piece unpacks to; errors as :func:`hashed`."""
    return unpacked(hashed(store, part), part.key) if isinstance(part, Piece) else hashed(store, part)


def read_whole(store: Store, manifest: Manifest, progress: Progress) -> None:
    """Hash dump and pieces, and have ``pg_restore`` read its archives to nowhere; StepFailed where one is damaged."""
    together: Together[None] = Together(progress, "Reading all of it")

    def reading(part: Dump) -> Callable[[], None]:
        return lambda: _read_part(store, part, manifest.origin.server_version, together.going)

    together.do([reading(part) for part in manifest.parts])


def _read_part(store: Store, part: Dump, server_version: str, going: Going) -> None:
    if isinstance(part, Piece) and part.columns:
        for _ in going.counted(hashed(store, part)):
            pass
        return
    source = going.counted(archive(store, part))
    try:
        programs.feed("pg_restore", None, ["--file=/dev/null"], source, server_version=server_version, seconds=SECONDS)
    except StepFailed:
        # pg_restore stops at the first damage; whether the object was changed is the better message.
        for _ in going.counted(hashed(store, part)):
            pass
        raise


def restore(session: AdminDatabase, store: Store, manifest: Manifest, database: str, progress: Progress) -> DatabaseUrl:
    """Restore the backup into the empty ``database`` on the session's server; returns its address.

    Then gives it the settings, rights and owner that the saved one had. Stops at the first error
    (StepFailed with ``pg_restore``'s message); roles must be there already.
    """
    url = session.url.with_path(database)
    fill(
        url,
        lambda: Archive((), hashed(store, manifest.dump)),
        [Unpacked(piece, partial(archive, store, piece)) for piece in manifest.pieces],
        Limits(manifest.origin.server_version, SECONDS, session.application),
        progress,
    )
    contents = manifest.contents
    with session.beside(database) as inside:
        give_settings(inside, database, [(item.role, item.name, item.value) for item in contents.settings])
    give_privileges(
        session,
        database,
        contents.properties.owner,
        [(item.role, item.privilege, item.grantable) for item in contents.privileges],
        contents.properties.connection_limit,
    )
    return url


def contents_of(
    url: DatabaseUrl,
    application: str,
    progress: Progress,
    digests: Form = NEWEST,
    beside: Sequence[Callable[[], None]] = (),
    least: int = LARGE,
) -> tuple[Contents, Origin]:
    """Return the contents of the database at ``url`` in one snapshot, and where and when that was.

    Tables of ``least`` bytes are read side by side with all the rest, and with the work of ``beside``, which begins
    first. Errors as :func:`~opslib.actions.backups_collect.collect`, and what that work raises.
    """
    with snapshot(url, application, statement_seconds=SECONDS) as (session, shared):
        (said,) = session.ask(question("backups/properties"))
        apart = large(session, least) if not 0 <= said["connection_limit"] < SESSIONS else []
        known = {table.full: Table(kind="table") for table in apart}
        if not apart and not beside:
            return collect(session, progress, digests=digests), origin(session, url)
        together: Together[Any] = Together(progress, "Reading every row")

        def rows_of(table: Large) -> Callable[[], dict[str, Any]]:
            def rows() -> dict[str, Any]:
                together.going.check()
                with snapshot(url, application, statement_seconds=SECONDS, of=shared) as (own, _):
                    return digest_rows(own, table.schema, table.name, digests)

            return rows

        def rest() -> tuple[Contents, Origin]:
            return collect(session, quiet, known, digests), origin(session, url)

        # Begun last, ANALYZE would have one processor busy while the others have nothing left to read.
        *found, (contents, where) = together.do([*beside, *map(rows_of, apart), rest])
    digests_of = zip(apart, found[len(beside) :], strict=True)
    counted = {table.full: Table(kind="table", **rows) for table, rows in digests_of}
    return contents.model_copy(update={"tables": {**contents.tables, **counted}}), where


@contextmanager
def scratch_database(session: AdminDatabase, name: str, mark: str, manifest: Manifest) -> Iterator[list[str]]:
    """Make an empty database for ``manifest``, and the roles that are missing; drop both afterwards, always.

    Yields the names of the roles that it made. A database of that name is taken over only when ``mark``
    is written on it (an interrupted proof of the same run); raises Refused otherwise.
    """
    if database_exists(session, name):
        if database_mark(session, name) != mark:
            raise Refused(
                f"There is a database {name} on {session.url.public} that is not this proof's.", "Nothing was touched."
            )
        drop_database(session, name)
    missing = missing_roles(session, manifest.contents.roles)
    made = [role for role, text in marked(session, "pg_authid") if text == mark]
    try:
        for role in missing:
            create_role(session, role, mark)
            made.append(role)
        create_database(session, name, locale(manifest.contents))
        mark_database(session, name, mark)
        yield made
    except BaseException as error:
        _drop(session, name, made, error)
        raise
    else:
        _drop(session, name, made, None)


def _drop(session: AdminDatabase, name: str, roles: list[str], error: BaseException | None) -> None:
    try:
        drop_database(session, name)
        for role in roles:
            drop_role(session, role)
    except OpsError as failed:
        if error is None:
            raise
        said = f"The scratch database {name} or its roles may be left: {failed.message}"
        if isinstance(error, OpsError):
            error.message += f" {said}"
        error.add_note(said)
