"""Putting a backup's dump into a fresh database, and reading that database's contents back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from opslib.actions.backups_collect import collect, locale, origin
from opslib.actions.base import Progress
from opslib.errors import OpsError, Refused, StepFailed
from opslib.probes.backups_manifest import Contents, Manifest, Origin
from opslib.redaction import DatabaseUrl
from opslib.systems import programs
from opslib.systems.object_store import Store
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_databases import create_database, database_exists, drop_database
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

SECONDS = 6 * 3600.0
"""Longest that one part (read, restore, compare) may take."""


def server_of(url: DatabaseUrl, application: str) -> Origin:
    """Return what server ``url`` leads to."""
    with snapshot(url, application, statement_seconds=30.0) as (session, _):
        return origin(session, url)


def hashed(store: Store, manifest: Manifest) -> Iterator[bytes]:
    """Yield the dump's bytes; raises StepFailed at the end when they are not those that were saved."""
    sha256, size = hashlib.sha256(), 0
    for piece in store.stream(manifest.dump.key, manifest.dump.version):
        sha256.update(piece)
        size += len(piece)
        yield piece
    if (sha256.hexdigest(), size) != (manifest.dump.sha256, manifest.dump.size):
        raise StepFailed(
            f"The dump {manifest.dump.key} is not what was saved: {size} bytes with SHA-256 {sha256.hexdigest()}, "
            f"its manifest says {manifest.dump.size} bytes with {manifest.dump.sha256}.",
            "Do not restore it. Take a new backup now, and find out who or what changed the object.",
        )


def read_whole(store: Store, manifest: Manifest) -> None:
    """Hash the dump, then let ``pg_restore`` read all of it to nowhere; raises StepFailed where it is damaged."""
    try:
        programs.feed(
            "pg_restore",
            None,
            ["--file=/dev/null"],
            hashed(store, manifest),
            server_version=manifest.origin.server_version,
            seconds=SECONDS,
        )
    except StepFailed:
        # pg_restore stops at the first damage; whether the object was changed is the better message.
        for _ in hashed(store, manifest):
            pass
        raise


def restore(session: AdminDatabase, store: Store, manifest: Manifest, database: str) -> DatabaseUrl:
    """Restore the dump into the empty ``database`` on the session's server; returns its address.

    Then gives it the settings, rights and owner that the saved one had. Stops at the first error
    (StepFailed with ``pg_restore``'s message); roles must be there already.
    """
    url = session.url.with_path(database)
    programs.feed(
        "pg_restore",
        url,
        [f"--dbname={database}"],
        hashed(store, manifest),
        server_version=manifest.origin.server_version,
        seconds=SECONDS,
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


def contents_of(url: DatabaseUrl, application: str, progress: Progress) -> tuple[Contents, Origin]:
    """Return the contents of the database at ``url`` in one snapshot, and where and when that was."""
    with snapshot(url, application, statement_seconds=SECONDS) as (session, _):
        return collect(session, progress), origin(session, url)


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
