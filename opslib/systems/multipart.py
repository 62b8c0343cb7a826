"""Forms with files (multipart/form-data), put together and taken apart byte by byte. Sources: RFC 7578, RFC 2046."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from opslib.errors import Unreachable, UsageError

_PLAIN = re.compile(r"[A-Za-z0-9_@()\[\]. /-]+")
"""What may stand in a name: no quotes, no backslash, no line end."""
_NAME = re.compile(rb'[;\s]name="([^"\r\n]*)"', re.IGNORECASE)
_FILE = re.compile(rb'[;\s]filename="([^"\r\n]*)"', re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";\s]{1,70})"?', re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One part of a form: its name, what it holds, and of a file also the file's name and media type."""

    name: str
    data: bytes
    file: str | None = None
    kind: str | None = None


def encode(parts: Sequence[Part]) -> tuple[str, bytes]:
    """Return the media type and the body of a form; its boundary stands in none of the parts.

    Raises UsageError for a name that is not plain.
    """
    whole = b"".join(part.data for part in parts)
    marks = (hashlib.sha256(whole + bytes([n])).hexdigest()[:40] for n in count())
    boundary = next(mark for mark in marks if mark.encode() not in whole)
    body = bytearray()
    for part in parts:
        for name in (part.name, part.file or "-"):
            if not _PLAIN.fullmatch(name):
                raise UsageError(f"{name[:100]!a} cannot be named in a form.", "Use letters, digits and . _ - / only.")
        file = "" if part.file is None else f'; filename="{part.file}"'
        kind = "" if part.kind is None else f"content-type: {part.kind}\r\n"
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{part.name}"{file}\r\n{kind}\r\n'.encode()
        body += part.data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", bytes(body)


def decode(kind: str, body: bytes) -> list[Part]:
    """Return the parts of a form of media type ``kind``; raises Unreachable (malformed) when it is not whole."""
    found = _BOUNDARY.search(kind) if kind.lower().startswith("multipart/") else None
    if found is None:
        raise _malformed("it is no form with a boundary")
    mark = b"\r\n--" + found.group(1).encode()
    first, *pieces = (b"\r\n" + body).split(mark)
    if first.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise _malformed("its end is missing")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    head, gap, data = piece.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not gap or name is None:
        raise _malformed("a part has no name")
    file = _FILE.search(head)
    return Part(_text(name.group(1)), data, None if file is None else _text(file.group(1)))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _malformed(amiss: str) -> Unreachable:
    return Unreachable(
        f"The answer is no whole form: {amiss}.", "Look at what stands before that address.", "malformed"
    )
