"""What stands beside a backup: its manifest (what the dump must hold) and its proof (that it was restored).

Pure models and rules. A dump without a manifest is no backup: the manifest is written last.
Nothing of the content itself is in here, only counts, digests and names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from opslib.canonical import canonical
from opslib.model import Row, Rows

MANIFEST = ".manifest.json"
PROOF = ".proof.json"
DUMP = ".dump"
PIECE = ".dump.zst"


class Part(BaseModel):
    """A piece of a manifest: frozen; fields of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Table(Part):
    """One table: exact count of rows, and two order-independent digests of them (as decimal text).

    ``sum`` adds and ``xor`` combines two different 64-bit hashes of each row's text: XOR alone would not
    see a row that stands there twice, a sum alone is the weaker hash. All three are None for kinds whose
    rows a dump does not carry itself: partitioned (the partitions do), foreign, materialised.
    """

    kind: Literal["table", "unlogged", "partitioned", "foreign", "materialised"]
    rows: int | None = None
    sum: str | None = None
    xor: str | None = None
    populated: bool = True


class Sequence(Part):
    """Where a sequence stands; ``last`` is None before its first use."""

    last: int | None
    increment: int


class Properties(Part):
    """What a database is created with."""

    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str | None = None
    rules: str | None = None
    owner: str
    connection_limit: int = -1


MASK = "sha256:"
"""How the stored value of a setting begins that stands for another one."""


class Setting(Part):
    """A setting of the database, for ``role`` in it (empty: for everybody)."""

    role: str
    name: str
    value: str

    def masked(self) -> Setting:
        """Return the setting as it may be stored: an application's own (``app.…``) by the digest of its value.

        Supabase projects keep secrets there, such as ``app.settings.jwt_secret``.
        """
        if "." not in self.name or self.value.startswith(MASK):
            return self
        return self.model_copy(update={"value": MASK + hashlib.sha256(self.value.encode()).hexdigest()[:16]})


class Privilege(Part):
    """A right on the database as a whole; ``role`` is empty for PUBLIC."""

    role: str
    privilege: str
    grantable: bool


class LargeObjects(Part):
    """How many there are, and digests of their pages; None where the role may not read them."""

    count: int
    sum: str | None = None
    xor: str | None = None


class Contents(Part):
    """Everything of a database that a restored one must have as well."""

    properties: Properties
    settings: tuple[Setting, ...] = ()
    privileges: tuple[Privilege, ...] = ()
    tables: Mapping[str, Table]
    sequences: Mapping[str, Sequence]
    extensions: Mapping[str, str]
    roles: tuple[str, ...]
    objects: Mapping[str, Mapping[str, str]]
    large_objects: LargeObjects

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(table.rows or 0 for table in self.tables.values())


class Origin(Part):
    """Server, database and moment (the server's clock) that were saved."""

    database: str
    database_bytes: int
    server: str
    server_version: str
    system_identifier: str
    wal_lsn: str | None
    taken_at: datetime
    schema_version: str | None = None


class Dump(Part):
    """The object that holds the dump: key, version, bytes, SHA-256 (hex)."""

    key: str
    version: str
    size: int
    sha256: str
    seconds: float


class Piece(Dump):
    """The object that holds the rows of one large table: a dump of its own in custom format, packed with zstd."""

    table: str


class Manifest(Part):
    """The manifest of one complete backup; ``dump`` holds all but the rows of the pieces' tables, of one snapshot.

    What has ``pieces`` is of format 2, which older programs refuse.
    """

    format: Literal[1, 2] = 1
    name: str
    run: str
    origin: Origin
    dump: Dump
    pieces: tuple[Piece, ...] = ()
    tools: Mapping[str, str]
    contents: Contents

    @property
    def parts(self) -> tuple[Dump, ...]:
        """All objects that it names: the dump, then the pieces."""
        return self.dump, *self.pieces

    @property
    def size(self) -> int:
        """Bytes of all its objects together."""
        return sum(part.size for part in self.parts)

    @model_validator(mode="after")
    def _of_its_format(self) -> Manifest:
        tables = [piece.table for piece in self.pieces]
        if (self.format == 2) != bool(tables) or len({*tables} & {*self.contents.tables}) < len(tables):
            raise ValueError("format 2 has pieces, of one table each that its contents name; format 1 has none")
        return self

    def encode(self) -> bytes:
        """Return the canonical JSON, as it is stored."""
        return canonical(self.model_dump(mode="json"))


class Proof(Part):
    """The record that one backup was read, restored and found equal to its manifest. Times in seconds.

    ``database_bytes`` is the size of the saved database, ``restored_bytes`` that of the restored one without bloat.
    """

    format: Literal[1] = 1
    name: str
    run: str
    proven_at: datetime
    manifest_sha256: str
    dump_sha256: str
    server_version: str
    read_seconds: float
    restore_seconds: float
    compare_seconds: float
    database_bytes: int
    restored_bytes: int
    missing_roles: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the canonical JSON, as it is stored."""
        return canonical(self.model_dump(mode="json"))

    @property
    def recovery_seconds(self) -> float:
        """Seconds from the decision to a checked database: download and check, restore, compare."""
        return self.read_seconds + self.restore_seconds + self.compare_seconds

    @property
    def restore_rate(self) -> float:
        """Bytes of database restored per second, the steps before and after not counted."""
        return self.restored_bytes / self.restore_seconds if self.restore_seconds else 0.0

    def predicted_seconds(self, database_bytes: int) -> float:
        """Return the recovery time to expect for a database of that size: all steps grow with it."""
        return self.recovery_seconds * database_bytes / self.database_bytes if self.database_bytes else 0.0


def compare(manifest: Contents, other: Contents) -> Rows:
    """Return one row ``{kind, name, expected, found}`` for each difference; no rows when ``other`` is equal."""
    return tuple(_differences(manifest, other))


def _differences(left: Contents, right: Contents) -> Iterator[Row]:
    yield from _compare("property", left.properties.model_dump(), right.properties.model_dump())
    yield from _compare("setting", _settings(left), _settings(right))
    yield from _compare("privilege", _privileges(left), _privileges(right))
    yield from _compare("extension", left.extensions, right.extensions)
    yield from _tables(left.tables, right.tables)
    yield from _sequences(left.sequences, right.sequences)
    for kind in sorted({*left.objects, *right.objects}):
        yield from _compare(kind, left.objects.get(kind, {}), right.objects.get(kind, {}))
    yield from _large_objects(left.large_objects, right.large_objects)


def _compare(kind: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name in sorted({*left, *right}):
        expected, found = left.get(name, "absent"), right.get(name, "absent")
        if expected != found:
            yield _row(kind, name, expected, found)


def _tables(left: Mapping[str, Table], right: Mapping[str, Table]) -> Iterator[Row]:
    for name in sorted({*left, *right}):
        expected, found = left.get(name), right.get(name)
        if expected is None or found is None:
            yield _row("table", name, expected.kind if expected else "absent", found.kind if found else "absent")
        elif (expected.kind, expected.populated) != (found.kind, found.populated):
            yield _row("table", name, _kind(expected), _kind(found))
        elif expected.rows != found.rows:
            yield _row("rows", name, expected.rows, found.rows)
        elif (expected.sum, expected.xor) != (found.sum, found.xor):
            yield _row("content", name, f"{expected.sum}/{expected.xor}", f"{found.sum}/{found.xor}")


def _sequences(left: Mapping[str, Sequence], right: Mapping[str, Sequence]) -> Iterator[Row]:
    """Sequences stand outside transactions: a dump may have them further on than the snapshot, never back."""
    for name in sorted({*left, *right}):
        expected, found = left.get(name), right.get(name)
        if expected is None or found is None or expected.increment != found.increment:
            yield _row("sequence", name, expected or "absent", found or "absent")
        elif expected.last is not None:
            ahead = 0 if found.last is None else (found.last - expected.last) * (1 if found.increment > 0 else -1)
            if found.last is None or ahead < 0:
                yield _row("sequence", name, expected.last, found.last)


def _large_objects(left: LargeObjects, right: LargeObjects) -> Iterator[Row]:
    if left.count != right.count:
        yield _row("large objects", "count", left.count, right.count)
    elif None not in (left.sum, right.sum) and (left.sum, left.xor) != (right.sum, right.xor):
        yield _row("large objects", "content", f"{left.sum}/{left.xor}", f"{right.sum}/{right.xor}")


def _settings(contents: Contents) -> dict[str, str]:
    return {f"{item.name} {item.role}".strip(): item.masked().value for item in contents.settings}


def _privileges(contents: Contents) -> dict[str, bool]:
    return {f"{item.privilege} {item.role or 'public'}": item.grantable for item in contents.privileges}


def _kind(table: Table) -> str:
    return table.kind if table.populated else f"{table.kind}, not populated"


def _row(kind: str, name: str, expected: Any, found: Any) -> Row:
    return {"kind": kind, "name": name, "expected": _plain(expected), "found": _plain(found)}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
