"""A picture of the keys that sign a project's tokens: which signs, which are trusted, which no more."""

from __future__ import annotations

from opslib.model import Picture, Reading
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "The keys that sign the project's tokens"
LEGEND = "Solid: signs. Hatched: signed before, its tokens are still taken. Dotted: next. Empty: revoked."
LEFT, LINE, SIDE = 400.0, 22, 13.0
_TEXTURES: dict[str, Texture] = {"in_use": "solid", "previously_used": "hatch", "standby": "dots"}
_WORDS = {"in_use": "signs", "previously_used": "still trusted", "standby": "next", "revoked": "revoked"}


def signing(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security.signing``: one line for each key, oldest first."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "the project signs with its older JWT secret alone"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    nodes: list[Node] = []
    for number, row in enumerate(reading.rows):
        y, since = number * LINE, row["since"][:16].replace("T", " ")
        word = f"{_WORDS.get(row['status'], row['status'])} since {since}"
        name = f"{row['algorithm']} {row['key']}"
        nodes.append(label(LEFT - 10, y + 13, name, anchor="end", room=LEFT - 10))
        nodes.append(box(LEFT, y + 3, SIDE, SIDE, _TEXTURES.get(row["status"], "outline"), f"{name}: {word}"))
        nodes.append(label(LEFT + 24, y + 13, word, room=WIDTH - LEFT - 24))
    signs = [row["key"] for row in reading.rows if row["status"] == "in_use"]
    trusted = sum(row["status"] == "previously_used" for row in reading.rows)
    said = f"{', '.join(signs) or 'no key'} signs; {trusted} more are still trusted."
    return picture(TITLE, said, Block(len(reading.rows) * LINE, tuple(nodes)), sentence(LEGEND))
