"""Pictures of Supabase: the secrets that functions need, and those that are there."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "Secrets of the functions"
LEGEND = (
    "Solid: set. Hatched: needed and not set. Dotted: set by the platform itself. Values and digests are not shown."
)
LEFT, LINE, SIDE = 300.0, 22, 13.0


def secrets_grid(reading: Reading) -> Picture:
    """Draw the reading of ``probes.supabase.secrets``: one line a secret, whether it is there, and since when."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "there are no secrets, and none is needed"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    nodes: list[Node] = []
    for number, row in enumerate(reading.rows):
        y = number * LINE
        nodes.append(label(LEFT - 10, y + 13, row["secret"], anchor="end", room=LEFT - 10))
        nodes.append(box(LEFT, y + 3, SIDE, SIDE, _texture(row), f"{row['secret']}: {_word(row)}"))
        nodes.append(label(LEFT + 24, y + 13, _word(row), room=WIDTH - LEFT - 24))
    needed = [row for row in reading.rows if row["needed"]]
    missing = [row["secret"] for row in needed if not row["set"]]
    lacking = f"; not set: {', '.join(missing)}" if missing else ""
    said = f"{len(needed) - len(missing)} of {len(needed)} secrets that functions need are set{lacking}."
    return picture(TITLE, said, Block(len(reading.rows) * LINE, tuple(nodes)), sentence(LEGEND))


def _texture(row: Row) -> Texture:
    if not row["set"]:
        return "hatch"
    return "dots" if row["platform"] else "solid"


def _word(row: Row) -> str:
    if not row["set"]:
        return "not set"
    age = "" if row["days"] is None else f", {row['days']:g} days ago"
    return f"set{age}{'' if row['needed'] or row['platform'] else ', no function is said to need it'}"
