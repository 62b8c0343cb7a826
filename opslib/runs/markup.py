"""HTML that cannot be injected into: text is escaped unless it was made here, and hidden characters show.

Whatever comes from a system is hostile text. It reaches a page through :func:`tag` only, which escapes
it and replaces control, direction and invisible characters by visible signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Final

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)
_TERMINAL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|[\x9b]|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]"
)
_VOID: Final = {"br", "hr", "img", "meta", "link", "col"}
_NAME = re.compile(r"[a-z][a-z0-9-]*")


class Html(str):
    """Text that is HTML already, and safe; made by :func:`tag`, :func:`join` and sanitisers only."""

    __slots__ = ()

    def __html__(self) -> str:
        """Tell template engines that this needs no escaping."""
        return str(self)


def visible(text: str) -> str:
    """Return ``text`` with each control, direction or invisible character replaced by a sign for it."""
    # Printable ASCII, as most texts are, has none of them: asked for in a tenth of the time.
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"‹U+{code:04X}›"


def plain(text: str) -> str:
    """Return a terminal's text without its escape sequences; what else is hidden is made visible."""
    lines = _TERMINAL.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(visible(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in lines)


def esc(value: object) -> Html:
    """Return ``value`` as HTML text: itself when it is HTML (a template's own pieces too), else visible and escaped."""
    if isinstance(value, Html):
        return value
    if type(value) is str:  # the commonest, before what takes longer to ask
        return Html(escape(visible(value)))
    if hasattr(value, "__html__"):
        return Html(value.__html__())
    return Html(escape(visible(str(value))))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Return one element; None children and attributes are left out, True is an attribute without a value.

    ``tag("td", "9.4 MiB", class_="n", title="9856614 bytes")``; ``_`` in attribute names becomes ``-``.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        shown = _attribute(key)
        if value is True:
            parts.append(f" {shown}")
        elif value is not None and value is not False:
            parts.append(f' {shown}="{escape(visible(str(value)))}"')
    parts.append(">")
    if name not in _VOID:
        parts.extend(esc(child) for child in children if child is not None)
        parts.append(f"</{name}>")
    return Html("".join(parts))


@cache
def _attribute(key: str) -> str:
    shown = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(shown):
        raise ValueError(f"{shown!r} is no name of an attribute")
    return shown


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return the parts as one piece of HTML, ``between`` (text) set between them."""
    return Html(esc(between).join(esc(part) for part in parts if part is not None))


def shorten(text: str, most: int) -> str:
    """Return ``text`` with at most ``most`` characters, the last an ellipsis where it was longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def slug(text: str) -> str:
    """Return ``text`` as part of an id: letters, digits, ``-`` and ``_`` stay, all else becomes ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:80] or "-"
