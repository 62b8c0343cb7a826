"""A picture of all areas at a glance: a line per area, a box per check."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Picture, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "All areas at a glance"
LEGEND = ("One box per check. Solid: CRITICAL. Hatched: WARNING. Dotted: UNKNOWN. Outline: OK.",)
LEFT, LINE, SIDE, STEP = 140.0, 24.0, 14.0, 20.0
WORST = ("CRITICAL", "UNKNOWN", "WARNING", "OK")
TEXTURES: dict[str, Texture] = {"CRITICAL": "solid", "WARNING": "hatch", "UNKNOWN": "dots", "OK": "outline"}


def areas(rows: Sequence[Row]) -> Picture:
    """Draw a survey's rows (area, verdict, check, finding): a line per area, a box per check, worst first."""
    if not rows:
        return picture(TITLE, "Unknown: no check was made.", sentence("Unknown: no check was made."))
    found = {area: [row for row in rows if row["area"] == area] for area in dict.fromkeys(row["area"] for row in rows)}
    said = [f"{area}: {_words(own)}" for area, own in found.items()]
    return picture(TITLE, f"{'; '.join(said)}.", *(_area(*one) for one in found.items()), *map(sentence, LEGEND), gap=2)


def _area(area: str, rows: Sequence[Row]) -> Block:
    nodes: list[Node] = [label(LEFT - 10, 15, area, anchor="end", room=LEFT - 10)]
    for number, row in enumerate(sorted(rows, key=lambda row: WORST.index(row["verdict"]))):
        told = f"{row['verdict']}: {row['check']}. {row['finding']}"
        nodes.append(box(LEFT + number * STEP, 4, SIDE, SIDE, TEXTURES[row["verdict"]], told))
    worst = min(rows, key=lambda row: WORST.index(row["verdict"]))
    at = LEFT + len(rows) * STEP + 10
    text = "well" if worst["verdict"] == "OK" else f"{worst['verdict']}: {worst['check']}"
    nodes.append(label(at, 15, text, room=WIDTH - at, soft=True))
    return Block(LINE, tuple(nodes))


def _words(rows: Sequence[Row]) -> str:
    counts = [(word, sum(row["verdict"] == word for row in rows)) for word in WORST]
    return ", ".join(f"{number} {word}" for word, number in counts if number)
