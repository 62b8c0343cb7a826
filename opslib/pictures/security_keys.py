"""A picture of the providers' keys: which version of the vault's each store has."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "What the stores have of the providers' keys"
LEGEND = (
    "Solid: the vault's current key. Hatched: another one. Dotted: not told. Empty: not set. Neither values nor "
    "digests are shown."
)
LEFT, LINE, SIDE = 380.0, 22, 13.0
_TEXTURES: dict[str, Texture] = {"AWSCURRENT": "solid", "not told": "dots", "not set": "outline"}
_WORDS = {"AWSCURRENT": "the current key", "AWSPREVIOUS": "the previous key", "neither": "another key"}


def keys(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security.stores``: one line for each key in each store."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "there is no store"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    nodes: list[Node] = []
    for number, row in enumerate(reading.rows):
        y, name = number * LINE, f"{row['key']} in {row['store']}"
        nodes.append(label(LEFT - 10, y + 13, name, anchor="end", room=LEFT - 10))
        nodes.append(box(LEFT, y + 3, SIDE, SIDE, _TEXTURES.get(row["holds"], "hatch"), f"{name}: {_word(row)}"))
        nodes.append(label(LEFT + 24, y + 13, _word(row), room=WIDTH - LEFT - 24))
    held = [row for row in reading.rows if row["holds"] != "not set"]
    others = [f"{row['store']} ({row['key']})" for row in held if row["holds"] not in ("AWSCURRENT", "not told")]
    well = sum(row["holds"] == "AWSCURRENT" for row in held)
    more = f"; another key: {', '.join(others)}" if others else ""
    said = f"{well} of {len(held)} places that have a key have the vault's current one{more}."
    return picture(TITLE, said, Block(len(reading.rows) * LINE, tuple(nodes)), sentence(LEGEND))


def _word(row: Row) -> str:
    return _WORDS.get(str(row["holds"]), str(row["holds"]))
