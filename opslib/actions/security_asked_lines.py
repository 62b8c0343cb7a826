"""Where lines come from that are asked: logs that a run preserved, or an export on this machine; each with its hash.

Before a line is read, every file that is read is held against what was said of it when it was taken: by the manifest
of the run that preserved it, or by the list that an earlier run made of the export. After it was read, that nobody
wrote to it meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib.actions.security_asked_answers import INPUTS, parse_asked
from opslib.actions.security_custody import faults
from opslib.actions.security_logs_files import LogCustody, parse_logs
from opslib.canonical import canonical
from opslib.errors import Refused
from opslib.settings import ReadSettings
from opslib.systems.duck import Form
from opslib.systems.exported_logs import LogFile, identity, listed, sha256, within
from opslib.systems.filing import Filing

FIRST_SEEN = "first seen by this run: nothing says what these files were before it"
NEWEST = "newest"


@dataclass(frozen=True)
class Stream:
    """A stream that must be there: since when it can have said something, and what is known to be missing of it."""

    name: str
    since: datetime | None = None
    lacks: str = ""


@dataclass(frozen=True)
class Lines:
    """Files of one form below a folder, each with its SHA-256, and the streams that they are of."""

    folder: Path
    form: Form
    files: tuple[LogFile, ...]
    inputs: tuple[Mapping[str, Any], ...]
    """What the list says of each file: its name, stream, bytes, SHA-256, and whether it is read."""
    streams: tuple[Stream, ...]
    vouched: str
    until: datetime | None = None
    """When they were collected; None where nobody knows."""
    digest: str = field(default="")

    def unchanged(self) -> None:
        """Raise Refused where a file was written to since it was hashed."""
        for file in self.files:
            if identity(self.folder / file.name) != file.identity:
                raise Refused(f"{file.name} was written to while it was read.", "Look who did; then ask again.")


def of_evidence(place: Filing, environment: str, manifest: str) -> Lines:
    """Return the logs that a run preserved, named by their manifest's SHA-256, or the newest ones.

    Raises Refused where there are none, and where a file is not the one that was collected.
    """
    found = place.anywhere(environment, lambda data: _is(data, manifest))
    if found is None:
        raise Refused(
            "No run here preserved logs under that manifest.",
            "runbooks/respond-to-security-incident preserves them; its report shows the manifest's SHA-256.",
        )
    folder, data = found
    custody = parse_logs(data)
    if amiss := faults(folder, custody):
        raise Refused(f"The evidence is not whole: {'; '.join(amiss[:3])}.", "Nothing is read of it; look who did it.")
    streams, of_part = _streams(custody)
    files = tuple(
        LogFile(item.file, of_part[item.id], item.bytes, identity(folder / item.file)) for item in custody.items
    )
    inputs = tuple(_input(file, item.sha256, True) for file, item in zip(files, custody.items, strict=True))
    digest = hashlib.sha256(data).hexdigest()
    vouched = f"evidence of {custody.run}, manifest {digest}"
    return Lines(folder, "evidence", files, inputs, streams, vouched, custody.begun_at, digest)


def _is(data: bytes, manifest: str) -> bool:
    return b'"opslib log evidence 1"' in data and manifest in (NEWEST, hashlib.sha256(data).hexdigest())


def _streams(custody: LogCustody) -> tuple[tuple[Stream, ...], dict[str, str]]:
    """Return one stream a container: its log before the last restart is the same stream's beginning."""
    streams: dict[str, Stream] = {}
    of_part: dict[str, str] = {}
    for log in custody.logs:
        name = f"{log.pod} {log.container}"
        of_part |= dict.fromkeys(log.parts, name)
        known = streams.get(name)
        since = log.began if known is None else _earlier(known.since, log.began)
        lacks = "; ".join(word for word in (known.lacks if known else "", log.gap, log.limit) if word)
        streams[name] = Stream(name, since, lacks)
    return tuple(streams.values()), of_part


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else None


def folder_of(settings: ReadSettings, export: str) -> Path:
    """Return the folder of an export; raises Refused where the description names none."""
    if settings.log_exports is None:
        raise Refused("The target description names no folder of exported logs.", "Set OPS_LOG_EXPORTS.")
    return settings.log_exports / export


def of_export(folder: Path, place: Filing, environment: str, manifest: str, begin: datetime, end: datetime) -> Lines:
    """Return the files of an export that may have lines of a window, each hashed now.

    ``manifest`` is that of an earlier run's answers, whose list each file is held against. Raises Refused where a
    file is not as it was, is new, or is gone; and where there is no file at all.
    """
    every = listed(folder)
    if not every:
        raise Refused(f"{folder.name} holds no file of logs.", "Copy the export there.")
    read = {one.name for one in within(every, begin, end)}
    known = _known(place, environment, manifest) if manifest != "none" else None
    inputs = tuple(_held(folder, file, file.name in read, known) for file in every)
    if known and (gone := sorted(set(known) - {file.name for file in every})):
        raise Refused(f"{gone[0]} was in the export, and is gone.", "Look who took it away.")
    digest = hashlib.sha256(canonical([dict(one) for one in inputs])).hexdigest()
    vouched = FIRST_SEEN if known is None else f"as listed by the run with the manifest {manifest}"
    files = tuple(file for file in every if file.name in read)
    streams = tuple(Stream(name) for name in sorted({file.stream for file in every}))
    return Lines(folder, "export", files, inputs, streams, vouched, None, digest)


def _known(place: Filing, environment: str, manifest: str) -> dict[str, dict[str, Any]]:
    def wanted(data: bytes) -> bool:
        return hashlib.sha256(data).hexdigest() == manifest

    found = place.anywhere(environment, wanted)
    if found is None:
        raise Refused("No run here left a list under that manifest.", "Its report shows the manifest's SHA-256.")
    asked = parse_asked(found[1])
    if amiss := faults(found[0], asked):
        raise Refused(f"That run's list is not whole: {'; '.join(amiss[:3])}.", "Look who changed it.")
    rows: Sequence[str] = (found[0] / f"{INPUTS}.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["file"]: row for row in map(json.loads, rows)}


def _held(folder: Path, file: LogFile, read: bool, known: Mapping[str, Mapping[str, Any]] | None) -> Mapping[str, Any]:
    """Return what the list says of a file; one that is not read is held against its size alone."""
    was = known.get(file.name) if known is not None else None
    if known is not None and was is None:
        raise Refused(f"{file.name} was not in the export.", "Ask without a manifest to take it in as it is now.")
    digest = sha256(folder / file.name) if read else None
    if was and (was["bytes"] != file.bytes or (digest and was["sha256"] and was["sha256"] != digest)):
        raise Refused(f"{file.name} is not the file that it was.", "Nothing is read of it; look who changed it.")
    return _input(file, digest or (was or {}).get("sha256"), read)


def _input(file: LogFile, digest: str | None, read: bool) -> Mapping[str, Any]:
    return {"file": file.name, "stream": file.stream, "bytes": file.bytes, "sha256": digest, "read": read}
