"""What a browser has to fetch before the front end is there: read from the document that is live, file by file.

Only the front end's own host is asked; files of others are named. Sizes are those of the whole file, and of the same
compressed with gzip here, so that two builds compare whatever a hoster does.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.systems.web import Reader
from opslib.systems.web_exchange import Answer

SECONDS = 10.0
MOST_FILES = 120
SMALLEST = 1024
"""Bytes under which nobody compresses."""
GZIP = {"accept-encoding": "gzip"}
HASHED = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.\w+$")
_LATER = re.compile(r"""import\(\s*["'`]([^"'`\s]{1,300}\.(?:js|mjs))["'`]""")
_AT_ONCE = re.compile(r"""(?:\bfrom|\bimport)\s*["']([^"'\s]{1,300}\.(?:js|mjs))["']""")
_LISTED = re.compile(r"""["'`](assets/[^"'`\s]{1,300}\.(?:js|mjs|css))["'`]""")
_TYPES = {"script": ("javascript", "ecmascript"), "style": ("css",)}


@dataclass(frozen=True)
class File:
    """One file that a page needs: ``kind`` script, style or other; ``initial``: before anything is shown."""

    address: str
    kind: str
    initial: bool
    named_by: str


class _Page(HTMLParser):
    """The files that a document names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a script, a style sheet or a module that is to be loaded beforehand."""
        said = {name: value or "" for name, value in attrs}
        relations = said.get("rel", "").lower().split()
        if tag == "script" and said.get("src"):
            self.found.append((said["src"], "script", True))
        elif tag == "link" and said.get("href"):
            if "stylesheet" in relations:
                self.found.append((said["href"], "style", True))
            elif "modulepreload" in relations or ("preload" in relations and said.get("as") == "script"):
                self.found.append((said["href"], "script", True))
            elif "prefetch" in relations:
                self.found.append((said["href"], "script", False))


def folder(address: str) -> str:
    """Return a page's address with the slash at its end against which the names of its files count."""
    return address if urlsplit(address).path.endswith("/") else f"{address}/"


def page(web: Reader, address: str) -> tuple[str, Answer]:
    """Return the base of a page's addresses and its document; raises Unreachable where there is none."""
    base = folder(address)
    answer = web.get(base, deadline=SECONDS, headers=GZIP)
    if answer.status != 200:
        raise Unreachable(f"{address} answers {answer.status}: there is no document.", "Look at the hoster.", "missing")
    return base, answer


def collected(web: Reader, address: str) -> list[dict[str, Any]]:
    """Return a row for a page and one for each file that it needs, at once or later; raises as :func:`page`."""
    base, answer = page(web, address)
    rows = [{"what": "page", "file": urlsplit(base).path, **_measured(answer, "page")}]
    left = list(_of_page(base, answer.text))
    known = {one.address for one in left}
    while left:
        one = left.pop(0)
        row, text = _asked(web, base, one)
        rows.append(row)
        for more in _of_script(base, one, text):
            if more.address not in known and len(known) < MOST_FILES:
                known.add(more.address)
                left.append(more)
    return rows


def _of_page(base: str, text: str) -> Iterator[File]:
    parser = _Page()
    parser.feed(text)
    for address, kind, initial in dict.fromkeys(parser.found):
        yield File(urljoin(base, address), kind, initial, "the page")


def _of_script(base: str, one: File, text: str) -> Iterator[File]:
    """Yield what a script loads at once (its imports) and later; what comes later loads nothing at once."""
    if one.kind != "script":
        return
    name = urlsplit(one.address).path.rpartition("/")[2]
    for found in _AT_ONCE.findall(text):
        yield File(urljoin(one.address, found), "script", one.initial, name)
    for found in _LATER.findall(text):
        yield File(urljoin(one.address, found), "script", False, name)
    for found in _LISTED.findall(text):
        yield File(urljoin(base, found), "style" if found.endswith(".css") else "script", False, name)


def _asked(web: Reader, base: str, one: File) -> tuple[dict[str, Any], str]:
    first = {"what": "file", "kind": one.kind, "initial": one.initial, "named_by": one.named_by}
    here, there = urlsplit(base), urlsplit(one.address)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        return {**first, "file": one.address[:200], **_not_measured("elsewhere", "another host, not asked")}, ""
    shown = one.address.removeprefix(base)
    try:
        answer = web.get(one.address, deadline=SECONDS, headers=GZIP)
    except OpsError as error:
        return {**first, "file": shown, **_not_measured("unreachable", error.message)}, ""
    kind = answer.headers.get("content-type", "")
    wrong = answer.status == 200 and not any(word in kind for word in _TYPES.get(one.kind, ("",)))
    state = "wrong kind" if wrong else "there" if answer.status == 200 else "missing"
    row = {**first, "file": shown, **_measured(answer, state)}
    return row, answer.text if state == "there" else ""


def _measured(answer: Answer, state: str) -> dict[str, Any]:
    there = state in ("there", "page")
    return {
        "state": state,
        "status": answer.status,
        "type": answer.headers.get("content-type", "").partition(";")[0],
        "bytes": len(answer.data) if there else None,
        "gzip": len(gzip.compress(answer.data, 6)) if there else None,
        "encoding": answer.headers.get("content-encoding"),
        "cache": answer.headers.get("cache-control"),
        "why": "" if there else f"answers {answer.status}, {answer.headers.get('content-type', 'no type')}",
    }


def _not_measured(state: str, why: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("status", "type", "bytes", "gzip", "encoding", "cache"))
    return {"state": state, **nothing, "why": why}
