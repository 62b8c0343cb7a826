"""Pictures of what depends on others: the vendors at a glance, and how long certificates last."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Limit, bar_list
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "Vendors at a glance"
LEGEND = "Outline: operational. Dotted: maintenance. Hatched: degraded, partly out.", "Solid: out. Grey: unknown."
LEFT, LINE, SIDE, COLUMNS = 140.0, 22.0, 13.0, 3
_TEXTURES: dict[str, Texture] = {
    "operational": "outline",
    "maintenance": "dots",
    "degraded": "hatch",
    "partial outage": "hatch",
    "outage": "solid",
}


def vendors(reading: Reading) -> Picture:
    """Draw the reading of ``probes.dependencies.pages``: each vendor, what is needed of it, what is open.

    What is open is a line of its own below the vendor's components.
    """
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "no status page was read"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    blocks, said = [], []
    for vendor in dict.fromkeys(row["vendor"] for row in reading.rows):
        rows = [row for row in reading.rows if row["vendor"] == vendor]
        blocks.append(_vendor(vendor, rows))
        said.append(f"{vendor}: {_words(rows)}")
    return picture(TITLE, f"{'; '.join(said)}.", *blocks, *map(sentence, LEGEND), gap=6)


def _vendor(vendor: str, rows: Sequence[Row]) -> Block:
    cells = [(row["name"], row["state"]) for row in rows if row["what"] == "component"]
    page = next(row for row in rows if row["what"] == "page")
    events = [row for row in rows if row["what"] in ("incident", "maintenance")]
    if not cells:
        state = "operational" if not page["why"] and not events else "unknown" if page["why"] else events[0]["state"]
        cells = [("not read" if page["why"] else "open events only", state)]
    wide = (WIDTH - LEFT) / COLUMNS
    nodes: list[Node] = [label(LEFT - 10, 13, vendor, anchor="end", room=LEFT - 10)]
    for i, (name, state) in enumerate(cells):
        x, y = LEFT + (i % COLUMNS) * wide, (i // COLUMNS) * LINE
        nodes.append(box(x, y + 3, SIDE, SIDE, _TEXTURES.get(state, "soft"), f"{name}: {state}"))
        nodes.append(label(x + SIDE + 7, y + 13, name, room=wide - SIDE - 14))
    y = LINE * (1 + (len(cells) - 1) // COLUMNS)
    for text in [page["why"]] if page["why"] else [f"{row['what']}: {row['name']} ({row['word']})" for row in events]:
        nodes.append(label(LEFT, y + 13, text, room=WIDTH - LEFT, soft=True))
        y += LINE
    return Block(y, tuple(nodes))


def _words(rows: Sequence[Row]) -> str:
    page = next(row for row in rows if row["what"] == "page")
    if page["why"]:
        return f"unknown, {page['why'].rstrip('.')}"
    parts = [row for row in rows if row["what"] == "component" and row["state"] != "operational"]
    odd = [f"{row['name']}: {row['state']}" for row in parts]
    odd += [f"{row['what']} {row['name']}" for row in rows if row["what"] in ("incident", "maintenance")]
    return ", ".join(odd) or "nothing open"


def certificates(reading: Reading, warning: float = 30, critical: float = 14) -> Picture:
    """Draw the reading of ``probes.dependencies.certificates``: a bar of the days left for each, with two limits."""
    title = "Days that certificates last"
    rows = [row for row in reading.rows if row["days"] is not None]
    if reading.unknown is not None or not rows:
        why = reading.unknown or "no certificate was shown"
        return picture(title, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    lines = [Limit(critical, f"{critical:g} d"), Limit(warning, f"{warning:g} d")]
    bars = [Bar(row["host"], max(0.0, row["days"]), f"{row['days']:g} d", row["state"]) for row in rows]
    said = ", ".join(f"{row['host']} {row['days']:g} days ({row['state']})" for row in rows)
    return picture(title, f"{said}.", bar_list(bars, limits=lines))
