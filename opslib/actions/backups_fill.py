"""Filling an empty database from a backup's dump and, where it has some, its pieces side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from opslib.actions.backups_pieces import source_of
from opslib.actions.backups_together import Together
from opslib.actions.base import Progress
from opslib.errors import StepFailed
from opslib.probes.backups_manifest import Piece
from opslib.redaction import DatabaseUrl
from opslib.systems import programs
from opslib.systems.postgres_copy import load_into

JOBS = 2
"""Parallel workers of pg_restore, where it reads a file."""


@dataclass(frozen=True)
class Archive:
    """How ``pg_restore`` gets a dump: by arguments that name its file, or through its input."""

    arguments: Sequence[str]
    source: Iterable[bytes] = ()


@dataclass(frozen=True)
class Unpacked:
    """One piece, and how to begin to read what it unpacks to."""

    piece: Piece
    read: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Limits:
    """Which version the client programs must at least have, seconds that one of them may take, our sessions' name."""

    server_version: str
    seconds: float
    application: str


def fill(
    url: DatabaseUrl, dump: Callable[[], Archive], pieces: Sequence[Unpacked], limits: Limits, progress: Progress
) -> None:
    """Restore into the empty database at ``url``; stops at the first error with its message (StepFailed).

    With ``pieces`` the dump's tables come first, then all rows side by side, then what needs the rows (indexes,
    constraints, triggers, views that hold rows): the order in which ``pg_restore`` itself does it.
    """

    def restore(options: Sequence[str], archive: Archive) -> None:
        given = [f"--dbname={url.path}", *options, *archive.arguments]
        programs.feed(
            "pg_restore",
            url,
            given,
            archive.source,
            server_version=limits.server_version,
            seconds=limits.seconds,
        )

    workers = [f"--jobs={JOBS}"] if dump().arguments else []
    if not pieces:
        restore(workers, dump())
        return
    together: Together[None] = Together(progress, f"Restoring {len(pieces)} large tables and the rest")
    going = together.going

    def rows_of(one: Unpacked) -> Callable[[], None]:
        def rows() -> None:
            if not one.piece.columns:
                restore((), Archive((), going.counted(one.read())))
                return
            content = _sized(one.piece, going.counted(one.read()))
            load_into(url, limits.application, source_of(one.piece), content, limits.seconds)

        return rows

    def others() -> None:
        archive = dump()
        restore(["--section=data"], Archive(archive.arguments, going.counted(archive.source)))

    restore(["--section=pre-data"], dump())
    together.do([*map(rows_of, pieces), others])
    restore(["--section=post-data", *workers], dump())


def _sized(piece: Piece, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks; raises StepFailed where they are more or fewer bytes than were saved."""
    seen = 0
    for chunk in chunks:
        seen += len(chunk)
        if seen > piece.unpacked:
            break
        yield chunk
    if seen != piece.unpacked:
        raise StepFailed(
            f"The piece of {piece.table} does not unpack to the {piece.unpacked} bytes that were saved.",
            "Do not restore it; choose another backup.",
        )
