"""A picture of the ways of signing in: hop after hop, and how each ends."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "Where signing in leads"
LEGEND = (
    "Outline: a redirect. Dotted: arrived, or at somebody else's. Solid: a circle, or too long. Hatched: no answer."
)
LEFT, LINE, SIDE, MOST = 150.0, 24, 14.0, 5
"""Hops that are drawn of one way; the last one always is."""


def ways(reading: Reading) -> Picture:
    """Draw the reading of ``probes.authentication_way.way``: a line a way, a box a hop."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "there was no way to go"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    names = list(dict.fromkeys(row["way"] for row in reading.rows))
    nodes: list[Node] = []
    said = []
    for number, name in enumerate(names):
        rows = [row for row in reading.rows if row["way"] == name]
        y, wide = number * LINE, (WIDTH - LEFT) / MOST
        nodes.append(label(LEFT - 10, y + 14, name, anchor="end", room=LEFT - 10))
        shown = rows if len(rows) <= MOST else [*rows[: MOST - 1], rows[-1]]
        for i, row in enumerate(shown):
            texture, word = _hop(row)
            x = LEFT + i * wide
            nodes.append(box(x, y + 3, SIDE, SIDE, texture, f"{name}, hop {row['hop']}: {row['address']}: {word}"))
            nodes.append(label(x + SIDE + 6, y + 14, word, room=wide - SIDE - 8))
        said.append(f"{name}: {' → '.join(_hop(row)[1] for row in shown)}")
    return picture(TITLE, f"{'; '.join(said)}.", Block(len(names) * LINE, tuple(nodes)), sentence(LEGEND))


def _hop(row: Row) -> tuple[Texture, str]:
    if row["end"] in ("a circle", "too long"):
        return "solid", row["end"]
    if row["end"] == "no answer":
        return "hatch", "no answer"
    if row["end"] == "leads elsewhere":
        return "dots", "elsewhere"
    return ("dots" if row["end"] == "arrived" else "outline"), str(row["status"])
