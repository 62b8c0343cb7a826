"""The document that an address of the front end serves, and whether two addresses serve the same one.

The document of a single-page application names its scripts by the digests of their content, so two builds differ in
it. What a hoster adds on its way (a banner, an analytics tag) changes the document and not the files that it names.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from opslib.errors import Unreachable, UsageError
from opslib.systems.web import Reader

SECONDS = 10.0
_FILE = re.compile(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+\.(?:js|mjs|css))\b""", re.IGNORECASE)

WORDS = {401: "not allowed", 403: "not allowed", 404: "absent", 410: "absent", 429: "limited"}


@dataclass(frozen=True)
class Document:
    """What an address answered: ``word`` is served, absent, not allowed, limited, elsewhere, unhealthy or unreachable.

    ``files`` are the scripts and styles that the document names; ``why`` says more where there is no document.
    """

    address: str
    word: str
    status: int | None = None
    sha256: str | None = None
    files: tuple[str, ...] = ()
    why: str = ""


def look(web: Reader, address: str) -> Document:
    """Ask ``address`` once, without a credential; an address that cannot be asked is told, not raised."""
    try:
        answer = web.get(address, deadline=SECONDS)
    except (Unreachable, UsageError) as error:
        return Document(address, "unreachable", why=error.message)
    status = answer.status
    if status == 200:
        files = tuple(sorted(set(_FILE.findall(answer.text))))
        return Document(address, "served", status, hashlib.sha256(answer.data).hexdigest(), files)
    other = "elsewhere" if 300 <= status < 400 else "unhealthy" if status >= 500 else "odd"
    return Document(address, WORDS.get(status, other), status, why=f"answers {status}")


def compared(one: Document, other: Document) -> str:
    """Return same, same files, different; or unknown where one of the two is not served."""
    if one.word != "served" or other.word != "served":
        return "unknown"
    if one.sha256 == other.sha256:
        return "same"
    return "same files" if one.files and one.files == other.files else "different"
