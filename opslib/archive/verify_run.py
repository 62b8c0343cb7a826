"""Verifying one run's folder against its log entries, its manifest and its journal's own chain."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

from opslib import files
from opslib.archive import seal
from opslib.archive.log import Entry
from opslib.runs.journal import FIRST

_LONGEST = 256 * 1024 * 1024
"""No line of a journal has more bytes."""

_AT_ONCE = 256 * 1024
"""So many bytes of a journal are read at a time."""

Sum = Callable[[Path | str], str]
"""Returns a plain file's SHA-256; raises OSError for anything else."""


@dataclass(frozen=True)
class Finding:
    """One thing that verification found: how bad, where (a path relative to the archive), and what."""

    severity: Literal["error", "warning"]
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}"


def shown(name: str) -> str:
    """Return a file name as printable ASCII: names may hold anything, and terminals obey it."""
    return "".join(char if "!" <= char <= "~" else "?" for char in name)[:200]


def run(archive: Path, opened: Entry, closed: Entry | None) -> tuple[list[Finding], int]:
    """Return what is wrong with an open or closed run, and how many of its files were read."""
    where = f"runs/{opened.run}"
    folder = archive / where
    if folder.is_symlink() or not folder.is_dir():
        return [Finding("error", where, "is no folder")], 0
    read = cache(seal.sha256)  # by this and by the manifest, one file is named twice
    findings = _same(f"{folder}/run.json", opened.sha256, f"{where}/run.json", "what its open entry names", read)
    present, strange = _present(folder)
    findings += [Finding("error", f"{where}/{shown(path)}", what) for path, what in strange]
    cut_off = closed is None or closed.state == "interrupted"
    findings += journal(folder / "journal.jsonl", f"{where}/journal.jsonl", cut_off=cut_off)
    if closed is None:
        said = "is open: still running, or cut off and closed by the next start"
        if seal.MANIFEST in present:
            said = "is open and holds a manifest: cut off while it was sealed, or the log's end was cut"
        findings.append(Finding("warning", where, said))
        return findings, len(present)
    return findings + _sealed(folder, closed, present, read), len(present)


def held(folder: Path, ending: str) -> list[Path]:
    """Return what lies in a folder and ends so, in order; nothing where there is no such folder."""
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(ending)]  # noqa: PTH208
    except OSError:
        return []


def quarantined(archive: Path, opened: Entry, *, noted: bool) -> list[Finding]:
    """Return what is to be told of a run in quarantine; its files are under no seal."""
    where = f"quarantine/{opened.run}"
    said = "in quarantine, not sealed: a known secret stands in its files"
    findings = [Finding("warning", where, said if noted else "in quarantine, and the log does not say so yet")]
    if not (archive / where).is_dir():
        return [Finding("warning", where, "was in quarantine, and its folder was removed")]
    if os.path.lexists(archive / where / "run.json"):
        what = "what its open entry names"
        findings += _same(archive / where / "run.json", opened.sha256, f"{where}/run.json", what)
    return findings


def _same(path: Path | str, sha256: str, where: str, what: str, read: Sum = seal.sha256) -> list[Finding]:
    try:
        return [] if read(path) == sha256 else [Finding("error", where, f"is not {what}")]
    except OSError:
        return [Finding("error", where, "is missing or no plain, readable file")]


def _present(folder: Path) -> tuple[set[str], list[tuple[str, str]]]:
    """Return the paths of the plain files in a run, and what is in it besides with what is wrong about it."""
    present: set[str] = set()
    strange: list[tuple[str, str]] = []
    for path, entry in seal.walk(folder):
        if entry.is_symlink():
            strange.append((path, "is a link"))
        elif entry.is_file(follow_symlinks=False):
            present.add(path)
        elif not entry.is_dir(follow_symlinks=False):
            strange.append((path, "is no plain file"))
        elif path != "evidence" and not os.listdir(entry.path):  # noqa: PTH208
            strange.append((path, "is an empty folder that no run has"))
    return present, strange


def _sealed(folder: Path, closed: Entry, present: set[str], read: Sum) -> list[Finding]:
    where = f"runs/{closed.run}"
    manifest, what = f"{where}/{seal.MANIFEST}", "what its close entry names"
    try:
        data = files.read_plain(folder / seal.MANIFEST, seal.LARGEST)
    except OSError:
        said = Finding("error", manifest, "cannot be read")
        return [*_same(folder / seal.MANIFEST, closed.sha256, manifest, what), said]
    same = hashlib.sha256(data).hexdigest() == closed.sha256
    findings = [] if same else [Finding("error", manifest, f"is not {what}")]
    try:
        sums = seal.parse(data)
    except ValueError as error:
        return [*findings, Finding("error", manifest, str(error))]
    if "run.json" not in sums:
        findings.append(Finding("error", manifest, "does not name run.json"))
    for path, sha in sums.items():
        if path not in present:
            findings.append(Finding("error", f"{where}/{path}", "is in the manifest and missing"))
        else:
            # Names alone: a path object for each takes longer than most files' sums.
            findings += _same(f"{folder}/{path}", sha, f"{where}/{path}", "what the manifest names", read)
    extra = sorted(present - sums.keys() - {seal.MANIFEST})
    findings += [Finding("error", f"{where}/{shown(path)}", "is not in the manifest") for path in extra]
    return findings


def journal(path: Path, where: str, *, cut_off: bool) -> list[Finding]:
    """Check a journal's own numbers and chain. Only of a run that was ``cut_off`` may the last line be torn."""
    try:
        with os.fdopen(files.open_plain(path), "rb", _AT_ONCE) as file:
            fault = _chain(file, cut_off=cut_off)
    except FileNotFoundError:
        return [] if cut_off else [Finding("warning", where, "is missing: the run kept no journal")]
    except OSError:
        return [Finding("error", where, "is no plain, readable file")]
    return [Finding("error", where, fault)] if fault else []


def _chain(file: BinaryIO, *, cut_off: bool) -> str:
    """Return which line is not as it must be, and how; a journal may have a million, so this is one plain loop."""
    from pydantic_core import from_json

    prev, seq = FIRST, 0
    while raw := file.readline(_LONGEST):
        seq += 1
        if not raw.endswith(b"\n"):
            return "" if cut_off else f"line {seq} is torn"
        raw = raw[:-1]
        try:
            said = from_json(raw)
            follows = said["seq"] == seq and said["prev"] == prev
        except (ValueError, TypeError, KeyError):
            follows = False
        # The fast reader only says yes; what is wrong, and whether anything is, the strict one says.
        if not follows and (fault := _line(raw, seq, prev)):
            return f"line {seq} {fault}"
        prev = hashlib.sha256(raw).hexdigest()
    return ""


def _line(raw: bytes, seq: int, prev: str) -> str:
    try:
        said = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return "is no JSON"
    if not isinstance(said, dict):
        return "is no object"
    if said.get("seq") != seq:
        return f"does not have the number {seq}"
    if said.get("prev") != prev:
        return "does not name the line before it"
    return ""
