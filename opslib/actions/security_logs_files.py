"""The logs of pods as files of evidence: every line as it comes, without secrets, and what is missing by its name.

A file holds one JSON object a line: the moment as the node wrote it, and the text. One log is parted into as many
files as it needs. The manifest says of each log whose it is, how much of it is here, and why it is not all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from opslib.actions.security_custody import BATCH, MOST_BYTES, Filed, Record, lines
from opslib.canonical import canonical, to_json
from opslib.errors import Refused
from opslib.model import Rows
from opslib.redaction import Redactor
from opslib.systems.filing import Filing

LONGEST_LINE = 256 * 1024
"""Bytes of one line at most; what is longer is parted. A node parts lines at 16 KiB."""

Kind = Literal["now", "before its last restart"]


class Full(Exception):
    """Raised when a log has more than may be written of it."""


class Log(Record):
    """One log. ``gap`` is why it is not whole; ``limit`` is what Kubernetes itself has not kept, or not seen."""

    pod: str
    uid: str
    deployment: str
    node: str
    container: str
    image: str
    digest: str
    kind: Kind
    restarts: int
    began: datetime | None
    parts: tuple[str, ...] = ()
    lines: int = 0
    bytes: int = 0
    redacted_lines: int = 0
    first: datetime | None = None
    last: datetime | None = None
    gap: str = ""
    limit: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """It as one row of a table."""
        said = {"pod": self.pod, "container": self.container, "log": self.kind, "lines": self.lines}
        moments = {"first": to_json(self.first), "last": to_json(self.last)}
        return {**said, **moments, "gap": self.gap, "limit": self.limit}


class LogCustody(Record):
    """The manifest: who collected which logs, of which deployments, since when."""

    form: Literal["opslib log evidence 1"] = "opslib log evidence 1"
    work: str
    run: str
    collected_by: str
    cluster: str
    namespace: str
    deployments: Mapping[str, str]
    since: datetime
    begun_at: datetime
    ended_at: datetime
    items: tuple[Filed, ...]
    logs: tuple[Log, ...]

    def encode(self) -> bytes:
        """Return the manifest's bytes: canonical JSON and a line's end."""
        return canonical(self.model_dump(mode="json")) + b"\n"

    def shown(self) -> Rows:
        """Return the custody table, as reports show it: each file with its SHA-256, and each log without one."""
        files = {item.id: item for item in self.items}
        by = {"by": self.collected_by, "run": self.run}
        rows: list[dict[str, Any]] = []
        for log in self.logs:
            for part in log.parts or ("",):
                found = files.get(part)
                said = {"file": found.file, "bytes": found.bytes, "sha256": found.sha256} if found else {"file": None}
                hidden = {"hidden_in_lines": log.redacted_lines}
                rows.append({**log.row, **hidden, "bytes": 0, "sha256": None, **said, **by})
        return tuple(rows)


def parse_logs(data: bytes) -> LogCustody:
    """Return the manifest in ``data``; raises Refused for anything but what is written."""
    try:
        return LogCustody.model_validate_json(data)
    except ValidationError:
        raise Refused("The manifest of the logs is not of the form that is written.", "Preserve again.") from None


class Writing:
    """Writes one log, as it comes in pieces, to files ``<name>-1.jsonl`` and on; at most ``most`` bytes of them."""

    def __init__(self, place: Filing, redactor: Redactor, name: str, most: int) -> None:
        self._place, self._redactor, self._name, self._most = place, redactor, name, most
        self._rest, self._rows, self._part = b"", [], bytearray()  # type: tuple[bytes, list[dict[str, Any]], bytearray]
        self._part_rows = 0
        self.items: list[Filed] = []
        self.lines = self.bytes = self.hidden = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def take(self, piece: bytes) -> None:
        """Take the next bytes of the log; raises Full when they are more than may be written, ArchiveError."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        while len(self._rest) > LONGEST_LINE:
            whole.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        for line in whole:
            self._rows.append(_row(line))
            if len(self._rows) >= BATCH:
                self._flush()

    def end(self) -> bool:
        """Write what is left; tells whether the last line had its end. What :class:`Full` left out stays out."""
        ended = not self._rest
        if self._rest:
            self._rows.append(_row(self._rest))
            self._rest = b""
        try:
            self._flush()
        finally:
            self._keep()
        return ended

    def give_up(self) -> None:
        """Write what was taken before it was too much, and nothing more."""
        self._rest, self._rows = b"", []
        self._keep()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        for row, (line, hidden) in zip(rows, lines(rows, self._redactor), strict=True):
            if self.bytes + len(line) > self._most:
                raise Full
            if len(self._part) + len(line) > MOST_BYTES:
                self._keep()
            self._part += line
            self._part_rows += 1
            self.bytes, self.lines, self.hidden = self.bytes + len(line), self.lines + 1, self.hidden + hidden
            if moment := _moment(row["at"]):
                self.first, self.last = self.first or moment, moment

    def _keep(self) -> None:
        if not self._part_rows:
            return
        data, name = bytes(self._part), f"{self._name}-{len(self.items) + 1}"
        with self._place.new(f"{name}.jsonl") as out:
            out.write(data)
        digest = hashlib.sha256(data).hexdigest()
        self.items.append(Filed(id=name, rows=self._part_rows, bytes=len(data), sha256=digest))
        self._part, self._part_rows = bytearray(), 0


def _row(line: bytes) -> dict[str, Any]:
    # What is no UTF-8 stays readable byte by byte.
    text = line.decode("utf-8", "backslashreplace")
    at, blank, said = text.partition(" ")
    return {"at": at, "line": said} if blank and _moment(at) else {"at": None, "line": text}


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
