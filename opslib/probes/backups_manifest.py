"""What stands beside a backup: its manifest (what the dump must hold) and its proof (that it was restored).

Pure models and rules. A dump without a manifest is no backup: the manifest is written last.
Nothing of the content itself is in here, only counts, digests and names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from opslib.canonical import canonical

MANIFEST = ".manifest.json"
PROOF = ".proof.json"
DUMP = ".dump"
PIECE, ROWS = ".dump.zst", ".sql.zst"
"""How the objects of pieces end: those of format 2, those of format 3."""


class Part(BaseModel):
    """A piece of a manifest: frozen; fields of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Table(Part):
    """One table: exact count of rows, and two order-independent digests of them (as decimal text).

    ``sum`` adds and ``xor`` combines two different 64-bit hashes of each row: XOR alone would not
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
    """Everything of a database that a restored one must have as well.

    ``digests`` is the form of the tables' digests (:mod:`opslib.systems.postgres_digests`); two forms are never equal.
    """

    properties: Properties
    settings: tuple[Setting, ...] = ()
    privileges: tuple[Privilege, ...] = ()
    tables: Mapping[str, Table]
    sequences: Mapping[str, Sequence]
    extensions: Mapping[str, str]
    roles: tuple[str, ...]
    objects: Mapping[str, Mapping[str, str]]
    large_objects: LargeObjects
    digests: Literal[1, 2] = 1

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
    """The object that holds the rows of one large table, packed with zstd; what it unpacks to is by its format.

    Format 2: a dump of its own in custom format. Format 3: a script of one COPY of ``columns``, ``unpacked`` bytes.
    """

    table: str
    columns: tuple[str, ...] = ()
    unpacked: int = 0


class Manifest(Part):
    """The manifest of one complete backup; ``dump`` holds all but the rows of the pieces' tables, of one snapshot.

    What is taken now is of format 3, which older programs refuse: other digests, and pieces that hold rows alone.
    """

    format: Literal[1, 2, 3] = 1
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
        if bool(tables) != {1: False, 2: True}.get(self.format, bool(tables)):
            raise ValueError("format 2 has pieces; format 1 has none")
        if len({*tables} & {*self.contents.tables}) < len(tables):
            raise ValueError("each piece is of one table that the contents name")
        newest = self.format == 3
        if any(bool(piece.columns) != newest for piece in self.pieces) or (self.contents.digests == 2) != newest:
            raise ValueError("pieces of rows alone, and digests of form 2, are format 3's")
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
