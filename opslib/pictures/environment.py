"""A picture of what production gets: each variable, and what every place has of it."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row, Verdict
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "What production gets, and from where"
LEGEND = (
    "Solid: the value that is judged. Soft: the same one.",
    "Hatched: another one, or one that nobody gets. Dotted: hidden, or not seen.",
)
PLACES = ("cluster", "hoster", "vault", "description")
LEFT, STEP, LINE, SIDE = 250.0, 92.0, 20, 12.0
_TEXTURES: dict[str, Texture] = {
    "given": "solid",
    "same": "soft",
    "differs": "hatch",
    "there": "hatch",
    "hidden": "dots",
    "not seen": "dots",
    "not set": "outline",
}


def production(reading: Reading) -> Picture:
    """Draw the reading of ``probes.environment_production``: a line for each variable, the worst first."""
    rows = [row for row in reading.rows if row["what"] == "variable"]
    if reading.unknown is not None or not rows:
        why = f"Unknown: {reading.unknown or 'no variable was judged'}"
        return picture(TITLE, why, sentence(why))
    nodes: list[Node] = [label(LEFT + STEP * n, 13, word, soft=True) for n, word in enumerate(PLACES)]
    nodes.append(label(LEFT + STEP * len(PLACES), 13, "verdict", soft=True))
    for number, row in enumerate(rows, 1):
        nodes += _line(number * LINE, row)
    amiss = [row for row in rows if row["standing"] != Verdict.OK]
    named = ", ".join(f"{row['variable']} {row['standing']}" for row in amiss[:10])
    said = f"{len(rows) - len(amiss)} of {len(rows)} variables are as they must be{f'; not: {named}' if named else ''}."
    lost = [row for row in reading.rows if row["what"] == "place" and row["standing"] != Verdict.OK]
    told = (*LEGEND, *(f"The {row['place']}: {row['standing']}, {row['finding']}" for row in lost))
    return picture(TITLE, said, Block((len(rows) + 1) * LINE, tuple(nodes)), *(sentence(text) for text in told))


def _line(y: float, row: Row) -> list[Node]:
    name = str(row["variable"])
    nodes = [label(LEFT - 10, y + 13, name, anchor="end", room=LEFT - 10)]
    for n, place in enumerate(PLACES):
        if word := str(row[place]):
            x = LEFT + STEP * n
            nodes.append(box(x, y + 3, SIDE, SIDE, _TEXTURES.get(word, "dots"), f"{name}, {place}: {word}"))
            nodes.append(label(x + SIDE + 6, y + 13, word, room=STEP - SIDE - 8, size=11))
    x = LEFT + STEP * len(PLACES)
    nodes.append(label(x, y + 13, str(row["standing"]), room=WIDTH - x))
    return nodes
