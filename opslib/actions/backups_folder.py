"""The executor's private work folder of one run: a downloaded dump, and what a full read of it found.

The folder's name follows from the run, never from a parameter; it belongs to this user alone and is gone
when the executor's process ends. What a killed executor left goes with the next run that stages a backup.
Only counts, names and digests are written beside the dump.
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import opslib.actions.backups_dump as dumps
from opslib import files
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL
from opslib.probes.backups_manifest import Manifest, Piece
from opslib.systems import programs
from opslib.systems.postgres_copy import Source, begins
from opslib.systems.postgres_digests import NEWEST, Form
from opslib.systems.program_pipes import through
from opslib.systems.zstd import unpacked

CHUNK = 256 * 1024
READ_SECONDS = 3600.0
SPARE_BYTES = 64 * 1024 * 1024
"""What must stay free beside a downloaded dump."""

Digest = Annotated[str, Field(pattern=rf"^([0-9a-f]{{64}}|{UNKNOWN_UNTIL}[a-z-]+)$")]
"""A SHA-256 in hex; in a planning run the marker of the step that will know it."""

UNTOUCHED = "Nothing was changed; the live database was not touched."


_held: dict[Path, int] = {}
"""Handles on this process's own work folders, each with a lock that ends with the process."""


class Staged(BaseModel):
    """A dump in the work folder that was read to its end and may be restored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    version: str
    form: str
    size: int
    sha256: str
    taken_at: datetime
    server_version: str | None
    tables: dict[str, int]
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    restrictions: tuple[tuple[int, int], ...]
    manifest: Manifest | None
    live: int
    """Identity of the database that was live when the backup was staged."""

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(self.tables.values())

    @property
    def digests(self) -> Form:
        """The form of digests that what was restored is compared by."""
        return self.manifest.contents.digests if self.manifest else NEWEST

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What lies beside the dump, in the order of :func:`piece_file`."""
        return self.manifest.pieces if self.manifest else ()


def short(run: str) -> str:
    """Return the run's own part of names that are made for it: its last word, at most 8 characters."""
    return re.sub(r"[^a-z0-9]", "", run.rsplit("-", 1)[-1].lower())[:8] or "run"


def folder(run: str) -> Path:
    """Return the run's work folder, which may not exist; raises Refused when it is not this user's alone."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", run)[:100]
    path = Path(tempfile.gettempdir()) / f"opslib-{os.getuid()}-{name}"
    try:
        found = path.lstat()
    except FileNotFoundError:
        return path
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Refused(f"The work folder {path} is not a private folder of this user.", "Remove it, then try again.")
    return path


def prepare(run: str) -> Path:
    """Return the run's work folder, new and empty; those that killed executors left are removed."""
    _sweep()
    remove(run)
    path = folder(run)
    path.mkdir(mode=0o700)
    _held[path] = files.lock_folder(path)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def remove(run: str) -> None:
    """Remove the run's work folder and all that is in it."""
    path = folder(run)
    if path.exists():
        shutil.rmtree(path)
    if (handle := _held.pop(path, None)) is not None:
        os.close(handle)


def _sweep() -> None:
    # Whose executor is alive is locked by it; nothing is written into a folder before it is locked.
    for path in Path(tempfile.gettempdir()).glob(f"opslib-{os.getuid()}-*"):
        with suppress(OSError):
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or not any(path.iterdir()):
                continue
            handle = files.lock_folder(path)
            try:
                shutil.rmtree(path)
            finally:
                os.close(handle)


def free_bytes() -> int:
    """Return how many bytes a dump may take where work folders are."""
    return max(0, shutil.disk_usage(tempfile.gettempdir()).free - SPARE_BYTES)


def dump_file(run: str) -> Path:
    """Return where the run's dump lies."""
    return folder(run) / "dump"


def piece_file(run: str, number: int) -> Path:
    """Return where the run's piece of that number lies, counted from 0."""
    return folder(run) / f"piece-{number}"


def piece(path: Path, table: str) -> Iterator[bytes]:
    """Yield what a piece unpacks to; raises StepFailed where the file is cut off or damaged."""
    with path.open("rb") as file:
        yield from unpacked(iter(lambda: file.read(CHUNK), b""), f"The piece of {table}")


def unchanged(run: str, staged: Staged) -> bool:
    """Return whether dump and pieces lie there as they were staged."""
    wanted = [(dump_file(run), staged.sha256)]
    wanted += [(piece_file(run, number), one.sha256) for number, one in enumerate(staged.pieces)]
    return all(path.is_file() and sha256(path) == expected for path, expected in wanted)


def spend(run: str) -> None:
    """Remove dump and pieces; what was found of them stays."""
    for path in folder(run).iterdir():
        if path == dump_file(run) or path.name.startswith("piece-"):
            path.unlink()


def keep(run: str, staged: Staged) -> None:
    """Write what was found beside the dump."""
    (folder(run) / "staged.json").write_text(staged.model_dump_json(), encoding="utf-8")


def kept(run: str, sha256: str) -> Staged:
    """Return what was found, if it is of the dump with this SHA-256; raises Refused otherwise."""
    path = folder(run) / "staged.json"
    try:
        staged = Staged.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise Refused("This run has no staged backup.", "Stage one first, in the same run.") from None
    if staged.sha256 != sha256:
        raise Refused(
            "The backup that was staged in this run is another one than the step asks for.",
            "Hand on the value of the staging step: staged['sha256'].",
        )
    return staged


def inspect(path: Path, form: str, server_version: str) -> dumps.Inspection:
    """Read the dump to its end and return what it holds; raises Refused when it cannot be read.

    ``server_version`` is the target's: its client programs must be at least as new.
    """
    with text(path, form, server_version) as chunks:
        return dumps.inspect(bounded(chunks, max(free_bytes(), SPARE_BYTES)))


def look_at_piece(path: Path, source: Source) -> None:
    """Raise Refused unless a piece of rows alone is the table's: only the server reads what else is in it."""
    try:
        begins(source, piece(path, source.full))
    except StepFailed as error:
        raise damaged(error.message) from error


def inspect_piece(path: Path, table: str, server_version: str) -> dumps.Inspection:
    """Read a piece that is a dump to its end and return what it holds; raises Refused when it cannot be read."""
    try:
        with through(
            "pg_restore", ["--file=-"], piece(path, table), server_version=server_version, seconds=READ_SECONDS
        ) as chunks:
            return dumps.inspect(bounded(chunks, max(free_bytes(), SPARE_BYTES)), table)
    except StepFailed as error:
        raise damaged(error.message) from error


@contextmanager
def text(path: Path, form: str, server_version: str) -> Iterator[Iterator[bytes]]:
    """Hand out the dump as SQL text; the iterator raises Refused where the file is cut off or damaged."""
    if form == "custom":
        try:
            with programs.stream(
                "pg_restore", None, ["--file=-", str(path)], server_version=server_version, seconds=READ_SECONDS
            ) as chunks:
                yield chunks
        except StepFailed as error:
            raise damaged(error.message) from error
        return
    with gzip.open(path) if form == "gzip" else path.open("rb") as file:
        yield _pieces(file)


def source_database(path: Path, form: str, server_version: str) -> str | None:
    """Return the database that a custom format dump says it was taken of; None for other formats."""
    if form != "custom":
        return None
    try:
        with programs.stream(
            "pg_restore", None, ["--list", str(path)], server_version=server_version, seconds=READ_SECONDS
        ) as chunks:
            return dumps.source_database(b"".join(chunks).decode("utf-8", "replace"))
    except StepFailed as error:
        raise damaged(error.message) from error


def sha256(path: Path) -> str:
    """Return the file's SHA-256 (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(why: str) -> Refused:
    """Return the refusal of a file that cannot be read to its end."""
    return Refused(f"The backup is cut off or damaged: {why}", f"{UNTOUCHED} Choose another backup.")


def _pieces(file: Iterable[bytes]) -> Iterator[bytes]:
    try:
        while piece := file.read(CHUNK):  # type: ignore[attr-defined]
            yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(f"{error}.") from error


def bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the chunks; raises Refused beyond ``limit`` bytes, so that no small file unpacks without end."""
    seen = 0
    for chunk in chunks:
        seen += len(chunk)
        if seen > limit:
            raise Refused(
                f"The backup unpacks to more than {limit} bytes, which is all the free disk here.",
                f"{UNTOUCHED} Look what it is; make room if it is a real backup.",
            )
        yield chunk
