"""The last net under a run's secrets: what its files say to their readers, looked through before the seal.

JSON and HTML are read, not grepped: most credentials in them are wrapped in escapes and tags. Everything has
passed the same rules before it was written, so whatever is found here came past the redactor.
"""

from __future__ import annotations

import html
import json
import re
from bisect import bisect_right
from typing import Any

from opslib.redaction import Redactor

LARGEST = 64 * 1024 * 1024
"""No larger file is read as JSON or HTML; it is searched as it is."""

_UNREAD = re.compile(r"<!--.*?-->|<(style|script)\b[^>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_INLINE = re.compile(r"</?(?:a|b|code|del|em|i|ins|kbd|mark|s|samp|small|span|strong|su[bp]|u|var|wbr)(?:\s[^<>]*)?>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
# Between two texts that have nothing to do with each other; no rule reaches over it.
_APART = "\x00\n"


def stands(path: str, data: bytes, redactor: Redactor) -> str | None:
    """Return what a file that is to be sealed gives away: "" for a known secret, else rule and place; None: nothing.

    ``path`` tells by its ending what the file is.
    """
    if redactor.leaks(data):
        return ""
    texts = _texts(path, data)
    said = _APART.join(text for _, text in texts)
    if path.endswith((".json", ".jsonl", ".ipynb")) and redactor.leaks(said.encode("utf-8", "replace")):
        return ""
    found = min(redactor.suspicious(said), key=lambda hit: hit.start, default=None)
    return f"{found.rule} in {_place(texts, found.start)}" if found else None


Where = str | tuple["Where", str | int | None]
"""A place in JSON: what it begins with, or the place above it and its number or key there; None: it is a key itself."""

Texts = list[tuple[Where, str]]


def _place(texts: Texts, at: int) -> str:
    starts, next_start = [], 0
    for _, text in texts:
        starts.append(next_start)
        next_start += len(text) + len(_APART)
    number = bisect_right(starts, at) - 1
    where, text = texts[number]
    # What has no place is one text alone.
    return _said(where) or f"line {text.count(chr(10), 0, at) + 1}"


def _said(where: Where) -> str:
    # Made where something was found only: most of a record's texts are asked for none.
    if isinstance(where, str):
        return where
    above, key = where
    if key is None:
        return f"{_said(above)} a key"
    if isinstance(key, int):
        return f"{_said(above)}[{key}]"
    # A key may be the secret itself, so a place names only what is an ordinary name.
    return f"{_said(above)}.{key if re.fullmatch(r'[a-z_]{1,20}', key) else '?'}"


def _texts(path: str, data: bytes) -> Texts:
    """Return place and text of everything that a file says; without a place its lines are counted."""
    text, found = data.decode("utf-8", "replace"), Texts()
    try:
        if path.endswith((".json", ".ipynb")):
            _strings("", json.loads(text), found)
            return found
        if path.endswith(".jsonl"):
            lines = [json.loads(line) for line in text.splitlines()]
            for number, line in enumerate(lines, 1):
                _strings(f"line {number} ", line, found)
            return found
    except (ValueError, RecursionError):
        # Torn or no JSON at all: then it is a text like others.
        pass
    return [*found, ("", _readable(text) if path.endswith((".html", ".svg")) else text)]


def _readable(page: str) -> str:
    page = _TAG.sub(_APART, _INLINE.sub("", _UNREAD.sub(_APART, page)))
    return html.unescape(page)


def _strings(where: Where, value: Any, found: Texts) -> None:
    if isinstance(value, str):
        found.append((where or "its text", value))
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        # A notebook keeps a text as the list of its lines.
        found.append((where or "its text", "".join(value)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _strings((where, number), item, found)
    elif isinstance(value, dict):
        for key, item in value.items():
            found.append(((where, None), key))
            # Most are texts or numbers: a call for each would take longer than all else here.
            if isinstance(item, str):
                found.append(((where, key), item))
            elif isinstance(item, (list, dict)):
                _strings((where, key), item, found)
