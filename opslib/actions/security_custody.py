"""Evidence as files with custody: written once, hashed as they are written, and held against their manifest later.

A file holds one JSON object a line. What is known as a secret, or looks like one, is hidden before a byte of it is
written; the manifest says in how many rows. What is too much is cut off at its bound, and the manifest says that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from opslib import files
from opslib.canonical import canonical, to_json
from opslib.errors import Refused, StepFailed
from opslib.model import Rows, now
from opslib.redaction import Redactor
from opslib.systems.filing import MANIFEST, Filing
from opslib.systems.postgres import Question

MOST_BYTES = 16 * 1024 * 1024
"""Bytes of one file at most: the seal reads each whole, at about 1.4 MB a second."""
BATCH = 500
"""Rows that are looked through for secrets at once."""

Bound = Literal["", "rows", "bytes"]


class Record(BaseModel):
    """A part of a manifest: frozen, of exactly its fields, and no error repeats what was in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Filed(Record):
    """One file of evidence, as it was written."""

    id: str
    rows: int
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """The file's name beside the manifest."""
        return f"{self.id}.jsonl"


class Item(Filed):
    """One question's file. ``of_all`` is how many rows there were; ``bound`` what kept some of them out."""

    source: str
    query: str
    """The question's file below ``opslib/probes/sql``, or the call."""
    query_sha256: str
    begun_at: datetime
    ended_at: datetime
    of_all: int
    redacted_rows: int = 0
    bound: Bound = ""

    @property
    def extent(self) -> str:
        """How much of it is here, in words."""
        return f"the first {self.rows} of {self.of_all}" if self.bound else "all"


class Manifest(Protocol):
    """What any manifest says: which files there must be."""

    @property
    def items(self) -> Sequence[Filed]:
        """The files."""


M = TypeVar("M", bound=Manifest)


class Custody(Record):
    """The manifest: who collected what, from which database, at which moment by its clock and by ours."""

    form: Literal["opslib evidence 1"] = "opslib evidence 1"
    work: str
    run: str
    collected_by: str
    system: str
    database: str
    server: str
    server_clock: datetime
    since: datetime
    begun_at: datetime
    ended_at: datetime
    items: tuple[Item, ...]
    absent: Mapping[str, str] = {}

    def item(self, name: str) -> Item | None:
        """Return the item with this id, or None."""
        return next((item for item in self.items if item.id == name), None)

    def encode(self) -> bytes:
        """Return the manifest's bytes: canonical JSON and a line's end."""
        return canonical(self.model_dump(mode="json")) + b"\n"

    def shown(self) -> Rows:
        """Return the custody table, as reports show it."""
        return tuple(
            {
                "item": item.id,
                "rows": item.rows,
                "extent": item.extent,
                "hidden_in_rows": item.redacted_rows,
                "bytes": item.bytes,
                "sha256": item.sha256,
                "begun": to_json(item.begun_at),
                "ended": to_json(item.ended_at),
                "by": self.collected_by,
                "run": self.run,
            }
            for item in self.items
        )


def parse(data: bytes) -> Custody:
    """Return the manifest in ``data``; raises Refused for anything but what is written."""
    try:
        return Custody.model_validate_json(data)
    except ValidationError:
        raise Refused("The manifest of the evidence is not of the form that is written.", "Preserve again.") from None


def keep(
    place: Filing,
    redactor: Redactor,
    *,
    item: str,
    source: str,
    query: Question,
    taken: Callable[[], tuple[list[dict[str, Any]], int]],
    most_bytes: int = MOST_BYTES,
) -> Item:
    """Write the rows that ``taken`` returns, with their number at the source, to a new file; return what was written.

    Raises ArchiveError when the file can't be written, and what ``taken`` raises.
    """
    begun, (rows, of_all) = now(), taken()
    digest, size, count, hidden = hashlib.sha256(), 0, 0, 0
    bound: Bound = "rows" if len(rows) < of_all else ""
    with place.new(f"{item}.jsonl") as out:
        for line, masked in lines(rows, redactor):
            if size + len(line) > most_bytes:
                bound = "bytes"
                break
            digest.update(line)
            size += out.write(line)
            count, hidden = count + 1, hidden + masked
    return Item(
        id=item,
        source=source,
        query=query.name,
        query_sha256=hashlib.sha256(query.text.encode()).hexdigest(),
        begun_at=begun,
        ended_at=now(),
        rows=count,
        of_all=of_all,
        bytes=size,
        sha256=digest.hexdigest(),
        redacted_rows=hidden,
        bound=bound,
    )


def lines(rows: list[dict[str, Any]], redactor: Redactor) -> Iterable[tuple[bytes, bool]]:
    """Yield each row as it is written, without secrets, and whether one was hidden."""
    for start in range(0, len(rows), BATCH):
        plain = [to_json(row) for row in rows[start : start + BATCH]]
        for before, after in zip(plain, redactor.tree(plain), strict=True):
            # ASCII alone: no sign of another script, and none that a terminal obeys, stands in the file as such.
            yield json.dumps(after, sort_keys=True).encode() + b"\n", before != after


def faults(folder: Path, custody: Manifest) -> list[str]:
    """Return what of the files is not as the manifest says, each hashed and counted anew."""
    found = []
    for item in custody.items:
        try:
            data = files.read_plain(folder / item.file, MOST_BYTES * 2)
        except OSError as error:
            found.append(f"{item.file} cannot be read ({error.strerror or error})")
            continue
        if hashlib.sha256(data).hexdigest() != item.sha256:
            found.append(f"{item.file} has another SHA-256 than when it was collected")
        elif (lines := data.count(b"\n")) != item.rows or len(data) != item.bytes:
            found.append(f"{item.file} has {lines} rows and {len(data)} bytes")
    known = {item.file for item in custody.items} | {MANIFEST}
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in known)
    return found + [f"{name} is not in the manifest" for name in strangers]


def whole(place: Filing, sha256: str) -> tuple[Path, Custody]:
    """Return folder and manifest of the evidence with this SHA-256, each file as it was collected.

    Raises Refused where this work has no such evidence, or it is not whole any more.
    """
    return held(place, sha256, parse)


def held(place: Filing, sha256: str, parsed: Callable[[bytes], M]) -> tuple[Path, M]:
    """Return folder and manifest as :func:`whole`, for a manifest of any form that ``parsed`` reads."""
    found = place.found(sha256)
    if found is None:
        raise Refused("This work has no evidence with that manifest.", "Preserve the evidence first, in the same run.")
    custody = parsed(found[1])
    if amiss := faults(found[0], custody):
        raise Refused(f"The evidence is not whole: {'; '.join(amiss[:3])}.", "Preserve it again; look who changed it.")
    return found[0], custody


def rows_of(folder: Path, item: Item) -> Iterable[dict[str, Any]]:
    """Yield the rows of one file; raises StepFailed when it is not the file that was collected."""
    data = files.read_plain(folder / item.file, MOST_BYTES * 2)
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise StepFailed(f"{item.file} is not the file that was collected.", "Look who changed it.")
    yield from (json.loads(line) for line in data.splitlines())
