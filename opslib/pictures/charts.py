"""The figures that pictures are made of: each function returns a Block for :func:`opslib.pictures.svg.picture`.

Every figure carries its labels and numbers as text, so that tone and texture only repeat what is
written. ``shown`` is a figure as people read it (see :mod:`opslib.pictures.figures`); values are plain
numbers in one unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.pictures.svg import SIZE, WIDTH, Block, Node, Texture, box, clean, element, fit, label, line, number


@dataclass(frozen=True)
class Part:
    """One part of a budget: ``shown`` is the figure as people read it (default: the value)."""

    label: str
    value: float
    shown: str = ""
    texture: Texture = "solid"


@dataclass(frozen=True)
class Limit:
    """A line at ``value``, with its name."""

    value: float
    label: str


@dataclass(frozen=True)
class Bar:
    """One row of a bar list; ``note`` stands behind the figure (a verdict's word, for example)."""

    label: str
    value: float | None
    shown: str = ""
    note: str = ""
    texture: Texture = "solid"


@dataclass(frozen=True)
class Day:
    """One cell of a calendar strip: ``mark`` is the sign in it (at most 2 characters), ``title`` the whole story."""

    label: str
    mark: str
    title: str
    texture: Texture = "outline"


@dataclass(frozen=True)
class Leaf:
    """One line of a tree, at ``depth`` 0 (root) or deeper, in the order of drawing; ``note`` stands right of it."""

    label: str
    depth: int = 0
    note: str = ""
    strong: bool = False


def budget_bar(parts: Sequence[Part], total: float, limits: Sequence[Limit] = (), free: str = "free") -> Block:
    """Return one stacked bar of ``total`` with limit lines above it and every part named below it."""
    used = sum(part.value for part in parts)
    scale = WIDTH / max(total, used, *(limit.value for limit in limits), 1e-9)
    nodes, top = _limits(limits, scale, 26)
    x = 0.0
    rest = [Part(free, total - used, texture="outline")] if total > used else []
    names = [f"{part.label} {part.shown or f'{part.value:g}'}" for part in (*parts, *rest)]
    # Two columns where a name needs more room than three leave it.
    columns = 3 if all(fit(name, WIDTH / 3 - 28) == name for name in names) else 2
    wide = WIDTH / columns
    for i, part in enumerate((*parts, *rest)):
        shown = part.shown or f"{part.value:g}"
        nodes.append(box(x, top, part.value * scale, 26, part.texture, f"{part.label}: {shown}"))
        column, line = (i % columns) * wide, top + 40 + 19 * (i // columns)
        nodes.append(box(column, line - 1, 13, 13, part.texture))
        nodes.append(label(column + 20, line + 10, names[i], room=wide - 28))
        x += part.value * scale
    return Block(top + 40 + 19 * math.ceil(len(names) / columns), tuple(nodes))


def _limits(limits: Sequence[Limit], scale: float, height: float) -> tuple[list[Node], float]:
    """Limit lines over a bar of ``height``; each name gets a row of its own, and no line of a row above crosses it."""
    ordered = sorted(limits, key=lambda limit: limit.value)
    right = [limit for limit in reversed(ordered) if limit.value * scale > WIDTH / 2]
    ordered = [limit for limit in ordered if limit not in right] + right
    top = 17.0 * len(ordered) + (2 if ordered else 0)
    nodes = []
    for i, limit in enumerate(ordered):
        x, y = limit.value * scale, 17.0 * i
        anchor, shift = ("end", -5) if x > WIDTH / 2 else ("start", 5)
        nodes.append(label(x + shift, y + 12, limit.label, anchor=anchor, size=12, room=WIDTH / 2))
        nodes.append(line(x, y + 2, x, top + height + 3, dash="4 3"))
    return nodes, top


def bar_list(bars: Sequence[Bar], maximum: float | None = None, limits: Sequence[Limit] = ()) -> Block:
    """Return one bar a line, labels left, figures right; a value of None says "unknown" and has no bar."""
    left, room = 210.0, 330.0
    values = [bar.value for bar in bars if bar.value is not None]
    scale = room / max([maximum or 0, *values, *(limit.value for limit in limits), 1e-9])
    top, nodes = (18.0 if limits else 0.0), []
    for i, bar in enumerate(bars):
        y = top + i * 22
        shown = bar.shown or ("unknown" if bar.value is None else f"{bar.value:g}")
        nodes.append(label(left - 10, y + 13, bar.label, anchor="end", room=left - 10))
        if bar.value is not None:
            nodes.append(box(left, y + 3, bar.value * scale, 13, bar.texture, f"{bar.label}: {shown}"))
        tail = f"{shown} · {bar.note}" if bar.note else shown
        nodes.append(label(left + room + 10, y + 13, tail, room=WIDTH - left - room - 10))
    bottom = top + len(bars) * 22
    for i, limit in enumerate(limits):
        x = left + limit.value * scale
        nodes.append(line(x, top - 2, x, bottom, dash="4 3"))
        nodes.append(label(x, 12, limit.label, anchor="end" if i == 0 else "start", size=12, room=160))
    return Block(bottom, tuple(nodes))


def line_chart(
    values: Sequence[float | None],
    first: str,
    last: str,
    unit: str = "",
    height: float = 110,
    limits: Sequence[Limit] = (),
) -> Block:
    """Return a line over equal steps from ``first`` to ``last`` (names of the ends); a None is a gap, never a zero."""
    known = [value for value in values if value is not None] + [limit.value for limit in limits]
    top = max([*known, 1e-9])
    plot, step = WIDTH - 90, (WIDTH - 90) / max(len(values) - 1, 1)
    path, pen = [], "M"
    for i, value in enumerate(values):
        if value is not None:
            dot = "h0.1" if pen == "M" else ""
            path.append(f"{pen}{number(i * step)} {number(8 + (height - 8) * (1 - value / top))}{dot}")
        pen = "M" if value is None else "L"
    stroke: dict[str, str | float] = {"stroke_width": 2.0, "stroke_linecap": "round", "stroke_linejoin": "round"}
    nodes = [element("path", d="".join(path), fill="none", stroke="currentColor", **stroke)]
    nodes += [line(0, height, plot, height, opacity=0.4), label(plot + 8, 13, f"{top:g} {unit}".strip(), room=82)]
    nodes += [label(0, height + 16, first, soft=True), label(plot, height + 16, last, anchor="end", soft=True)]
    for limit in limits:
        y = 8 + (height - 8) * (1 - limit.value / top)
        nodes += [line(0, y, plot, y, dash="4 3"), label(4, y - 4, limit.label, size=12)]
    return Block(height + 20, tuple(nodes))


def sparkline(name: str, values: Sequence[float | None], shown: str) -> Block:
    """Return one line of text height: a name, a small line, and the newest figure as people read it."""
    top, low = max([v for v in values if v is not None] or [1]), min([v for v in values if v is not None] or [0])
    step, path, pen = 330 / max(len(values) - 1, 1), [], "M"
    for i, value in enumerate(values):
        if value is not None:
            path.append(f"{pen}{number(210 + i * step)} {number(17 - 14 * (value - low) / ((top - low) or 1))}h0.1")
        pen = "M" if value is None else "L"
    line = element("path", d="".join(path), fill="none", stroke="currentColor", stroke_width=1.6)
    return Block(20, (label(200, 14, name, anchor="end", room=200), line, label(550, 14, shown, room=170)))


def calendar_strip(days: Sequence[Day], columns: int = 15) -> Block:
    """Return one cell a day in rows of ``columns``, its sign inside, its label (day of month) below."""
    width, nodes = WIDTH / columns, []
    for i, day in enumerate(days):
        x, y = (i % columns) * width, (i // columns) * 48.0
        centre = x + width / 2
        nodes.append(box(x + 2, y, width - 4, 28, "outline", day.title))
        nodes.append(box(x + 2, y + 21, width - 4, 7, day.texture))
        mark = element("text", clean(day.mark)[:2], x=centre, y=y + 16, text_anchor="middle", font_weight="700")
        nodes.append(mark)
        nodes.append(label(centre, y + 42, day.label, anchor="middle", size=11, soft=True, room=width))
    return Block(math.ceil(len(days) / columns) * 48.0, tuple(nodes))


def tree(leaves: Sequence[Leaf]) -> Block:
    """Return an indented tree, one line a leaf, joined by elbows; notes stand right, aligned."""
    nodes, above = [], {-1: 0.0}
    for i, leaf in enumerate(leaves):
        x, y = leaf.depth * 24.0, i * 22.0
        if leaf.depth > 0:
            start = above.get(leaf.depth - 1, 0.0) + 18
            elbow = f"M{number(x - 16)} {number(start)}V{number(y + 10)}H{number(x - 4)}"
            nodes.append(element("path", d=elbow, fill="none", stroke="currentColor", stroke_opacity=0.5))
        above[leaf.depth] = y
        shown = fit(clean(leaf.label), 440 - x)
        text = element("title", leaf.label), shown
        nodes.append(element("text", *text, x=x, y=y + 14, font_weight="600" if leaf.strong else None))
        nodes.append(
            label(WIDTH, y + 14, leaf.note, anchor="end", room=WIDTH - x - len(shown) * SIZE * 0.56 - 20, soft=True)
        )
    return Block(len(leaves) * 22.0, tuple(nodes))
