"""Reading a database's whole contents, as counts and digests, inside one snapshot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from opslib.actions.base import Progress
from opslib.probes.backups_manifest import (
    Contents,
    LargeObjects,
    Origin,
    Privilege,
    Properties,
    Sequence,
    Setting,
    Table,
)
from opslib.probes.questions import question
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import Locale
from opslib.systems.postgres_digests import NEWEST, Form, digest_rows

KINDS = (
    "relations",
    "columns",
    "constraints",
    "indexes",
    "triggers",
    "policies",
    "functions",
    "views",
    "types",
    "grants",
)
"""Kinds of schema objects that are compared one by one."""

_REWRITTEN = re.compile(r"::(character varying|varchar|text|bpchar|character)(\(\d+\))?(\[\])?|[()\s]")


def origin(session: AdminDatabase, url: DatabaseUrl) -> Origin:
    """Return server, database and moment of the session's snapshot."""
    (row,) = session.ask(question("backups/origin"))
    version = None
    if row.pop("has_migrations"):
        version = session.ask(question("backups/schema_version"))[0]["schema_version"]
    return Origin(**row, server=url.public, schema_version=None if version is None else str(version))


def collect(
    session: AdminDatabase, progress: Progress, known: Mapping[str, Table] | None = None, digests: Form = NEWEST
) -> Contents:
    """Return the contents of the session's database; call it inside :func:`~..postgres_admin.snapshot`.

    Reads every row once, those of the ``known`` tables not again. Raises StepFailed where the role may not read a
    table, or row security would hide rows from it. Objects of extensions are left out, as in a dump; rules,
    publications, event triggers and statistics objects are not compared.
    """
    (properties,) = session.ask(question("backups/properties"))
    return Contents(
        properties=Properties(**properties),
        settings=tuple(Setting(**row).masked() for row in session.ask(question("backups/settings"))),
        privileges=tuple(Privilege(**row) for row in session.ask(question("backups/privileges"))),
        tables=_tables(session, progress, known or {}, digests),
        sequences={_name(row): Sequence(**row) for row in session.ask(question("backups/sequences"))},
        extensions={row["name"]: row["version"] for row in session.ask(question("backups/extensions"))},
        roles=tuple(row["name"] for row in session.ask(question("backups/roles"))),
        objects={kind: _objects(session, kind) for kind in KINDS},
        large_objects=_large_objects(session),
        digests=digests,
    )


def locale(contents: Contents) -> Locale:
    """Return how a database must be created to hold these contents."""
    said = contents.properties
    return Locale(said.encoding, said.provider, said.collate, said.ctype, said.locale, said.rules)


def _tables(session: AdminDatabase, progress: Progress, known: Mapping[str, Table], digests: Form) -> dict[str, Table]:
    rows = session.ask(question("backups/tables"))
    tables = {}
    for number, row in enumerate(rows):
        if _name(row) in known:
            tables[_name(row)] = known[_name(row)]
            continue
        progress(f"Reading {_name(row)}", number, len(rows))
        own = digest_rows(session, row["schema"], row["name"], digests) if row["kind"] in ("table", "unlogged") else {}
        tables[_name(row)] = Table(kind=row["kind"], populated=row["populated"], **own)
    return tables


def _objects(session: AdminDatabase, kind: str) -> dict[str, str]:
    rows = session.ask(question(f"backups/objects_{kind}"))
    return {row["name"]: _digest(row["text"] or "") for row in rows}


def _digest(text: str) -> str:
    # PostgreSQL writes text casts and brackets differently once a definition has been restored, e.g. in
    # CHECK (status IN (...)) on a varchar. A restore cannot change a definition's brackets on its own,
    # so leaving them out hides nothing here and spares a false alarm.
    return hashlib.sha256(_REWRITTEN.sub("", text).encode()).hexdigest()[:16]


def _large_objects(session: AdminDatabase) -> LargeObjects:
    (row,) = session.ask(question("backups/large_objects"))
    pages: Mapping[str, Any] = session.ask(question("backups/large_object_pages"))[0] if row["readable"] else {}
    return LargeObjects(count=row["count"], **pages)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['schema']}.{row['name']}"
