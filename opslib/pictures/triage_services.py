"""A picture of the order of recovery: a lane per priority, a box per service with its state and what is promised."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, heading, label, picture, sentence

TITLE = "The order of recovery"
LEGEND = (
    "From above: what is below rests on it.",
    "Solid: out. Hatched: ill or strained. Dotted: not known. Outline: well.",
)
TEXTURES: dict[str, Texture] = {"out": "solid", "ill": "hatch", "strained": "hatch", "not known": "dots"}
LEFT, SIDE, LINE = 24.0, 16.0, 40.0


def order(reading: Reading) -> Picture:
    """Draw the reading of ``checks.triage.services``: first what comes first, with its promise and its way back."""
    if reading.unknown is not None or not reading.rows:
        said = f"Unknown: {reading.unknown or 'no service was looked at'}."
        return picture(TITLE, said, sentence(said))
    blocks: list[Block] = []
    for priority in dict.fromkeys(str(row["priority"]) for row in reading.rows):
        own = [row for row in reading.rows if row["priority"] == priority]
        blocks += [heading(f"{priority}: {_when(priority)}"), *(_service(row) for row in own)]
    return picture(TITLE, _words(reading.rows), *blocks, *map(sentence, LEGEND), gap=4)


def _when(priority: str) -> str:
    return {"P0": "first", "P1": "then", "P2": "last"}.get(priority, "after that")


def _service(row: Row) -> Block:
    texture = TEXTURES.get(str(row["state"]), "outline")
    loss = "no loss promised" if row["may_lose"] == "not promised" else f"may lose {row['may_lose']}"
    promised = f"back within {row['back_within']}, {loss}"
    nodes: list[Node] = [
        box(LEFT, 3, SIDE, SIDE, texture, f"{row['service']}: {row['state']}. {row['saw']}"),
        label(LEFT + 26, 16, f"{row['service']}: {row['state']}", room=190),
        label(LEFT + 226, 16, promised, room=WIDTH - LEFT - 226, soft=True),
    ]
    next_step = row["saw"] if row["state"] == "well" else f"{row['recovered_by']} · {row['saw']}"
    nodes.append(label(LEFT + 26, 33, str(next_step), size=12, soft=True, room=WIDTH - LEFT - 26))
    return Block(LINE, tuple(nodes))


def _words(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row['priority']} {row['service']} {row['state']}" for row in rows) + "."
