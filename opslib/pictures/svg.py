"""Small SVG for pictures: a builder that cannot be injected into; the figures are in :mod:`.charts`.

Everything is drawn in ``currentColor`` (tone by opacity, kind by texture, meaning by label), so a
picture follows a light or dark page and still reads in black and white. No script, style, id or
reference of any sort is ever written. A figure is a :class:`Block`; :func:`picture` stacks blocks::

    picture(
        "Connection budget",
        "74 of 100 connections are in use; 3 are reserved for superusers.",
        budget_bar(
            [Part("active", 12), Part("idle", 62, texture="hatch"), Part("reserved", 3, texture="dots")],
            total=100,
            limits=[Limit(80, "warning 80"), Limit(90, "critical 90")],
        ),
        heading("Largest tables"),
        bar_list([Bar("public.cases", 9_437_184, "9.0 MiB"), Bar("auth.users", 1_048_576, "1.0 MiB", note="hot")]),
    )

Lengths are in user units: a picture is :data:`WIDTH` wide, text :data:`SIZE` high.
"""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Literal
from unicodedata import category

from opslib.model import Picture

WIDTH = 720.0
SIZE = 13.0
Texture = Literal["solid", "soft", "hatch", "dots", "outline"]
TONES: dict[str, float] = {"solid": 0.75, "soft": 0.3, "hatch": 0.1, "dots": 0.1, "outline": 0.0}
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Node:
    """One element, already escaped; only :func:`element` makes it."""

    markup: str


@dataclass(frozen=True)
class Block:
    """A figure of a given height, drawn from its own top left corner."""

    height: float
    nodes: tuple[Node, ...]


def clean(text: object) -> str:
    """Return ``text`` without control and direction characters (each becomes U+FFFD), not yet escaped."""
    said = str(text)
    if said.isascii() and said.isprintable():  # none of them; asking for each character takes ten times as long
        return said
    return "".join("\ufffd" if category(c) in _UNSAFE and c not in "\t\n" else c for c in said)


def element(tag: str, *children: Node | str, **attributes: str | float | None) -> Node:
    """Return an element: text children and values are escaped, ``_`` in names becomes ``-``, None is left out.

    ``element("rect", element("title", "74 of 100"), x=0, y=4, width=80, height=10, fill_opacity=0.5)``
    """
    names = (tag, *(name.replace("_", "-") for name in attributes))
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"{bad[0]!r} is no name of an SVG element or attribute")
    given = zip(names[1:], attributes.values(), strict=True)
    head = "".join(f' {name}="{number(value)}"' for name, value in given if value is not None)
    inner = "".join(child.markup if isinstance(child, Node) else escape(clean(child)) for child in children)
    return Node(f"<{tag}{head}>{inner}</{tag}>" if inner else f"<{tag}{head}/>")


def number(value: str | float) -> str:
    """Return an attribute's value as it is written: a finite number with at most two decimals, or escaped text."""
    if isinstance(value, (int, float)):
        return f"{value if math.isfinite(value) else 0:.2f}".rstrip("0").rstrip(".")
    return escape(clean(value))


def drawing(title: str, description: str, height: float, *nodes: Node) -> str:
    """Return a whole ``<svg>``: named and described for screen readers, as wide as the page lets it be."""
    named = (element("title", title), element("desc", description))
    return element(
        "svg",
        *named,
        *nodes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {number(height)}",
        width="100%",
        role="img",
        fill="currentColor",
        font_family="system-ui, sans-serif",
        font_size=SIZE,
    ).markup


def picture(title: str, alternative: str, *blocks: Block, gap: float = 14) -> Picture:
    """Return the blocks below one another as a Picture; ``alternative`` says the same in one sentence."""
    y, groups = 2.0, []
    for block in blocks:
        groups.append(element("g", *block.nodes, transform=f"translate(0 {number(y)})"))
        y += block.height + gap
    return Picture(clean(title), drawing(title, alternative, max(y - gap + 2, 1), *groups), clean(alternative))


def fit(text: str, width: float, size: float = SIZE) -> str:
    """Return ``text``, shortened with an ellipsis where it would be wider than ``width`` (estimated)."""
    room = max(1, int(width / (size * 0.56)))
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def label(
    x: float, y: float, text: str, *, anchor: str = "start", room: float = WIDTH, size: float = SIZE, soft: bool = False
) -> Node:
    """Return text with its baseline at ``y``, shortened to ``room``; the whole text is its title then."""
    shown = fit(clean(text), room, size)
    whole = () if shown == clean(text) else (element("title", text),)
    faint = 0.72 if soft else None
    return element("text", *whole, shown, x=x, y=y, text_anchor=anchor, font_size=size, fill_opacity=faint)


def box(x: float, y: float, width: float, height: float, texture: Texture = "solid", title: str = "") -> Node:
    """Return a rectangle whose texture still tells it from its neighbours in black and white."""
    width = max(width, 0.0)
    rect = element(
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        rx=2,
        fill_opacity=TONES[texture],
        stroke="currentColor",
        stroke_opacity=0.55,
    )
    over = []
    if texture == "hatch":
        over = [
            f"M{number(x + a)} {number(y + b)}L{number(x + c)} {number(y + d)}" for a, b, c, d in _hatch(width, height)
        ]
    elif texture == "dots":
        steps = [(i, j) for i in range(3, int(width), 6) for j in range(3, int(height), 6)]
        over = [f"M{number(x + i)} {number(y + j)}h1.5" for i, j in steps]
    lines = (
        element("path", d="".join(over), stroke="currentColor", stroke_width=1.2, stroke_opacity=0.6) if over else None
    )
    return element("g", *([element("title", title)] if title else []), rect, *([lines] if lines else []))


def _hatch(width: float, height: float) -> list[tuple[float, float, float, float]]:
    starts = (6.0 * i for i in range(1, int((width + height) / 6) + 1))
    return [(min(s, width), max(0.0, s - width), max(0.0, s - height), min(s, height)) for s in starts]


def heading(text: str) -> Block:
    """Return a line of text that names what comes below it."""
    return Block(SIZE + 1, (element("text", text, x=0, y=SIZE - 1, font_weight="600"),))


def sentence(text: str) -> Block:
    """Return quiet text: a unit, a source, a legend, or "nothing to show"; what is too long goes on below."""
    lines = textwrap.wrap(clean(text), int(WIDTH / (SIZE * 0.56)), break_on_hyphens=False) or [""]
    nodes = tuple(label(0, (SIZE + 3) * row + SIZE - 1, line, soft=True) for row, line in enumerate(lines))
    return Block((SIZE + 3) * (len(lines) - 1) + SIZE + 1, nodes)


def line(x1: float, y1: float, x2: float, y2: float, dash: str | None = None, opacity: float = 0.9) -> Node:
    """Return a straight line; ``dash`` such as ``"4 3"`` makes it a limit."""
    at = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke_width": 1.4, "stroke_opacity": opacity}
    return element("line", stroke="currentColor", stroke_dasharray=dash, **at)


@dataclass(frozen=True)
class Axis:
    """A time from ``first`` to ``last`` along a picture: from ``left`` on, ``room`` wide."""

    first: datetime
    last: datetime
    left: float
    room: float

    def x(self, at: datetime) -> float:
        """Return where a moment lies, at the ends where it is beyond them."""
        whole = max((self.last - self.first).total_seconds(), 1e-9)
        share = (at - self.first).total_seconds() / whole
        return self.left + self.room * min(max(share, 0.0), 1.0)
