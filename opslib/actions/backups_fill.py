"""Filling an empty database from a backup's dump and, where it has some, its pieces side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from opslib.actions.backups_together import Together
from opslib.actions.base import Progress
from opslib.redaction import DatabaseUrl
from opslib.systems import programs

JOBS = 2
"""Parallel workers of pg_restore, where it reads a file."""


@dataclass(frozen=True)
class Archive:
    """How ``pg_restore`` gets a dump: by arguments that name its file, or through its input."""

    arguments: Sequence[str]
    source: Iterable[bytes] = ()


@dataclass(frozen=True)
class Limits:
    """Of which version the client programs must at least be, and how many seconds one of them may take."""

    server_version: str
    seconds: float


def fill(
    url: DatabaseUrl,
    dump: Callable[[], Archive],
    pieces: Sequence[Callable[[], Iterable[bytes]]],
    limits: Limits,
    progress: Progress,
) -> None:
    """Restore into the empty database at ``url``; stops at the first error with ``pg_restore``'s message (StepFailed).

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

    def rows_of(piece: Callable[[], Iterable[bytes]]) -> Callable[[], None]:
        return lambda: restore((), Archive((), going.counted(piece())))

    def others() -> None:
        archive = dump()
        restore(["--section=data"], Archive(archive.arguments, going.counted(archive.source)))

    restore(["--section=pre-data"], dump())
    together.do([*map(rows_of, pieces), others])
    restore(["--section=post-data", *workers], dump())
