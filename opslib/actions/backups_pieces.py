"""Large tables as pieces of a backup: the rows of one each, under the snapshot that all of it shares.

A piece is a script of one COPY (:mod:`opslib.systems.postgres_copy`), packed with zstd and hashed on the way to the
bucket; ``zstd -d | psql`` carries it out without us. Order, rights, indexes and all else stay in the one dump, which is
``pg_dump``'s: nothing of that is made here.

What an attempt that broke off has sent stays: a piece on which stands that it holds the very rows and columns that
its table has in the new snapshot is read back and hashed, not dumped and sent again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opslib.actions.backups_together import Going
from opslib.errors import Refused, StepFailed
from opslib.probes.backups_manifest import PIECE, ROWS, Piece, Table
from opslib.probes.questions import question
from opslib.systems.object_store import Bucket, Head, Stored
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_copy import Source, written
from opslib.systems.postgres_digests import digest_rows
from opslib.systems.target import ReadTarget, WriteTarget
from opslib.systems.zstd import packed, unpacked

SECONDS = 6 * 3600.0
"""Longest a whole backup may take; a snapshot held open longer hurts the server (vacuum, bloat)."""

LARGE = 32 * 1024 * 1024
"""Bytes from which a table is a piece: below, starting another program costs more than it saves."""

MOST = 60
"""Pieces of one backup, those of the largest tables."""


@dataclass(frozen=True)
class Large:
    """One large table of plain names; ``columns`` is what its rows mean, in order, ``given`` what a COPY takes."""

    schema: str
    name: str
    columns: str
    given: Sequence[str]

    @property
    def full(self) -> str:
        """Its name as contents have it."""
        return f"{self.schema}.{self.name}"

    @property
    def source(self) -> Source:
        """What a COPY takes of it."""
        return Source(self.schema, self.name, tuple(self.given))

    @property
    def pattern(self) -> str:
        """The pattern of the client programs that means this table alone."""
        return f'"{self.schema}"."{self.name}"'


def parameters(least: int) -> Mapping[str, int]:
    """Return the parameters of the question for tables of ``least`` bytes or more."""
    return {"bytes": least, "most": MOST}


def large(session: AdminDatabase, least: int) -> list[Large]:
    """Return the tables of the session's database that are saved as pieces, largest first."""
    return [Large(**row) for row in session.ask(question("backups/large_tables"), parameters(least))]


def planned(target: ReadTarget, least: int) -> int:
    """Return how many pieces there would be now."""
    return len(target.database.ask(question("backups/large_tables"), parameters(least)))


def own(store: Bucket, base: str) -> list[Stored]:
    """Return the pieces of the backup ``base`` that are whole, also those that an older program sent."""
    return [item for item in store.list(base + ".") if item.key.endswith((PIECE, ROWS))]


def source_of(piece: Piece) -> Source:
    """Return what the piece holds of which table; only what has plain names became a piece."""
    schema, _, name = piece.table.partition(".")
    return Source(schema, name, piece.columns)


class Measured:
    """Counts the bytes that go by."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            yield chunk


@dataclass(frozen=True)
class Snapshot:
    """What all pieces of one backup have in common."""

    id: str
    server_version: str
    lock_seconds: int


class Pieces:
    """Saves the pieces of one backup, several at once."""

    def __init__(
        self, target: WriteTarget, base: str, shared: Snapshot, told: Mapping[str, str], until: datetime | None
    ) -> None:
        self._target, self._base, self._shared, self._told, self._until = target, base, shared, told, until
        self._store = target.backup_store
        heads = [self._store.head(item.key, item.version) for item in own(self._store, base)]
        self._earlier = [head for head in heads if head is not None]
        self._keys = {head.key for head in self._earlier}
        self._naming = threading.Lock()

    def save(self, table: Large, going: Going) -> tuple[Table, Piece]:
        """Count and hash the table's rows, then save them, unless an earlier attempt has saved just these.

        What has read it keeps it until it is saved: nobody exchanges or rewrites the table in between.
        """
        url, application = self._target.database_url, f"opslib:{self._target.run}"
        with snapshot(url, application, statement_seconds=SECONDS, of=self._shared.id) as (session, _):
            rows = digest_rows(session, table.schema, table.name)
            going.check()
            marks = {"table": table.full, "columns": hashlib.sha256(table.columns.encode()).hexdigest()[:16]}
            marks |= {name: str(value) for name, value in rows.items()}
            usable = (one for one in self._earlier if one.key.endswith(ROWS))
            found = next((one for one in usable if marks.items() <= one.metadata.items()), None)
            piece = self._again(found, table, going) if found else self._copy(table, marks, going)
        if self._until:
            self._store.ensure_locked(piece.key, piece.version, self._until)
        return Table(kind="table", **rows), piece

    def rest(self, pieces: Sequence[Piece]) -> None:
        """Take away what earlier attempts sent and this one does not use; what is locked stays until its lock ends."""
        used = {piece.key for piece in pieces}
        for head in self._earlier:
            if head.key not in used:
                discard(self._store, head.key, head.version)

    def _again(self, head: Head, table: Large, going: Going) -> Piece:
        started = time.monotonic()
        sha256, packed_bytes = hashlib.sha256(), Measured(going.counted(self._store.stream(head.key, head.version)))

        def hashed() -> Iterator[bytes]:
            for data in packed_bytes:
                sha256.update(data)
                yield data

        size = sum(map(len, unpacked(hashed(), head.key)))
        seconds = round(time.monotonic() - started, 3)
        return Piece(
            key=head.key,
            version=head.version,
            size=packed_bytes.bytes,
            sha256=sha256.hexdigest(),
            seconds=seconds,
            table=table.full,
            columns=tuple(table.given),
            unpacked=size,
        )

    def _copy(self, table: Large, marks: Mapping[str, str], going: Going) -> Piece:
        started = time.monotonic()
        key, shared = self._key(), self._shared
        url, source, locks = self._target.database_url, table.source, shared.lock_seconds
        with (
            written(url, source, shared.id, locks, server_version=shared.server_version, seconds=SECONDS) as script,
            self._store.upload(key, {**self._told, **marks}, locked_until=self._until) as upload,
        ):
            measured = Measured(going.counted(script))
            for part in packed(measured):
                upload.write(part)
            version = upload.complete()
        return Piece(
            key=key,
            version=version,
            size=upload.size,
            sha256=upload.sha256,
            seconds=round(time.monotonic() - started, 3),
            table=table.full,
            columns=tuple(table.given),
            unpacked=measured.bytes,
        )

    def _key(self) -> str:
        with self._naming:
            for number in range(1, 1000):
                key = f"{self._base}.{number}{ROWS}"
                if key not in self._keys:
                    self._keys.add(key)
                    return key
        raise StepFailed(f"{self._base} was begun and interrupted too often.", "Look why, then start a new run.")


def discard(store: Bucket, key: str, version: str) -> None:
    """Delete what no backup needs; nothing happens where it is locked."""
    try:
        store.delete_version(key, version)
    except Refused:
        return
