"""Time stamps of an authority (RFC 3161) on log entries: proof that an entry existed by then.

A token lies in ``<archive>/timestamps/NNNNNN.tsr``, the authority's whole answer to a question about entry
NNNNNN; ``openssl ts -verify -data log/NNNNNN.entry -in timestamps/NNNNNN.tsr -CAfile CA`` checks it too. A
later entry that names the token (:func:`naming`) cannot be older than it. Between the two, a time is bracketed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from opslib import files
from opslib.archive import log
from opslib.archive.verify_run import Finding, shown
from opslib.errors import ArchiveError, SettingsError, Unreachable
from opslib.settings import Settings
from opslib.systems.web import Asker

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

FOLDER = "timestamps"
SECONDS = 10.0
LARGEST = 256 * 1024
"""No authority's answer has more bytes."""

QUESTION, ANSWER = "application/timestamp-query", "application/timestamp-reply"
_NAME = re.compile(r"([0-9]{6})\.tsr", re.ASCII)
_NAMING = re.compile(r"time stamp ([1-9][0-9]{0,5}) ([0-9a-f]{64})(?: .*)?", re.ASCII)


@dataclass(frozen=True)
class Stamp:
    """A verified token: the entry it is about, the authority's time, and the SHA-256 of the token's file."""

    seq: int
    time: datetime
    sha256: str


@dataclass(frozen=True)
class Stamps:
    """The tokens of an archive that hold, by number, and what is wrong with the others."""

    stamps: tuple[Stamp, ...]
    findings: tuple[Finding, ...]


def name_of(seq: int) -> str:
    """Return a token's path relative to the archive."""
    return f"{FOLDER}/{seq:06d}.tsr"


def naming(stamp: Stamp) -> str:
    """Return the text by which an entry names a token, and so proves to be younger."""
    return f"time stamp {stamp.seq} {stamp.sha256}"


def named(entry: log.Entry) -> tuple[int, str] | None:
    """Return which token (number, SHA-256) an entry names, or None."""
    match = _NAMING.fullmatch(entry.text) if entry.event == "heartbeat" else None
    return (int(match[1]), match[2]) if match else None


def stamp(folder: Path, settings: Settings) -> Stamp:
    """Have the newest entry stamped and keep the token; one that has a token already keeps it.

    Raises SettingsError when no authority is described, ArchiveError for an archive that cannot be read or
    written, and Unreachable when there was no answer or none that holds.
    """
    if settings.timestamp_url is None or settings.timestamp_ca is None:
        raise SettingsError("No time stamp authority is described.", "Set OPS_TIMESTAMP_URL and OPS_TIMESTAMP_CA.")
    roots = certificates(settings.timestamp_ca)
    seq = log.Log(folder).newest()
    path = folder / name_of(seq)
    try:
        entry = files.read_plain(folder / log.name_of(seq), log.LARGEST)
        if path.is_file():
            return _stamp(seq, files.read_plain(path, LARGEST), entry, roots)
        data = _asked(settings.timestamp_url, entry, roots)
        files.make_folder(path.parent)
        files.write(path, data, folder / "running" / ".tsr.part")
        return _stamp(seq, data, entry, roots)
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{log.name_of(seq)} cannot be stamped: {error}.", "See `ops archive verify`.") from error


def check(folder: Path, ca: Path) -> Stamps:
    """Verify every token of the archive against the certificates in ``ca``; raises SettingsError for those only.

    A token that does not hold, and one that an entry names and that is gone or another, are errors.
    """
    roots = certificates(ca)
    stamps: list[Stamp] = []
    findings: list[Finding] = []
    place = folder / FOLDER
    for path in sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else ():
        where = f"{FOLDER}/{shown(path.name)}"
        match = _NAME.fullmatch(path.name)
        if match is None:
            findings.append(Finding("error", where, "is no time stamp's name"))
            continue
        seq = int(match[1])
        try:
            entry = files.read_plain(folder / log.name_of(seq), log.LARGEST)
            stamps.append(_stamp(seq, files.read_plain(path, LARGEST), entry, roots))
        except OSError:
            findings.append(Finding("error", where, "cannot be read, or the entry that it is about is gone"))
        except ValueError as error:
            findings.append(Finding("error", where, str(error)))
    there = {(one.seq, one.sha256) for one in stamps}
    for entry_ in log.Log(folder).newest_first():
        if (token := named(entry_)) and token not in there:
            findings.append(Finding("error", name_of(token[0]), f"is not the one that entry {entry_.seq} names"))
    return Stamps(tuple(stamps), tuple(findings))


def certificates(ca: Path) -> list[Certificate]:
    """Return the certificates in a PEM file; raises SettingsError when there are none."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(ca.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{ca} holds no certificates.", "Set OPS_TIMESTAMP_CA to a PEM file.") from error


def _asked(url: str, entry: bytes, roots: Sequence[Certificate]) -> bytes:
    """Return the authority's answer about an entry, once it holds."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    question = TimestampRequestBuilder().data(entry).hash_algorithm(HashAlgorithm.SHA256).build()
    asker = Asker(size_limit=LARGEST)
    try:
        answer = asker.post(url, question.as_bytes(), QUESTION, deadline=SECONDS)
    finally:
        asker.close()
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if answer.status != 200 or kind != ANSWER:
        said = f"The time stamp authority answered with status {answer.status} and {shown(kind) or 'no type'}."
        raise Unreachable(said, "Check OPS_TIMESTAMP_URL.", "protocol")
    try:
        _verified(answer.data, entry, roots, question)
    except ValueError as error:
        said = f"The time stamp authority's answer {error}."
        raise Unreachable(said, "Check OPS_TIMESTAMP_CA and the authority's policy.", "protocol") from error
    return answer.data


def _stamp(seq: int, data: bytes, entry: bytes, roots: Sequence[Certificate]) -> Stamp:
    said = _verified(data, entry, roots)
    return Stamp(seq, said.tst_info.gen_time.astimezone(UTC), hashlib.sha256(data).hexdigest())


def _verified(
    data: bytes, entry: bytes, roots: Sequence[Certificate], question: TimeStampRequest | None = None
) -> TimeStampResponse:
    """Return the token in ``data`` if it is about ``entry`` and leads to ``roots``; raises ValueError otherwise."""
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    builder = VerifierBuilder(roots=list(roots), nonce=question.nonce if question else None)
    try:
        said = decode_timestamp_response(data)
        builder.build().verify_message(said, entry)
    except VerificationError as error:
        raise ValueError(f"does not hold: {_text(error)}") from error
    except Exception as error:
        # Whatever a parser says of bytes that anybody may have written.
        raise ValueError(f"is no time stamp ({type(error).__name__})") from error
    return said


def _text(error: Exception) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in str(error).partition("\n")[0])[:200]
