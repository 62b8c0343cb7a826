"""A picture of a routine's list over its last runs: a row per line, a box per run, so that one sees since when."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.routines import lines as guide_lines
from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, box, label, picture, sentence
from opslib.pictures.triage_areas import TEXTURES

ORDER = tuple(guide_lines())
LEFT, LINE, SIDE, STEP = 236.0, 24.0, 14.0, 18.0
MOST = 13
"""Runs that are drawn, beside the one that draws."""
LEGEND = (
    "One box per run, the oldest left, this one right. Solid: CRITICAL. Hatched: WARNING. Dotted: UNKNOWN. "
    "Outline: OK. A gap: the run has no such line.",
)


def lines(made: Reading, rows: Sequence[Row]) -> Picture:
    """Draw a list: ``made`` are its earlier runs (``probes.triage.earlier``), ``rows`` its lines as they are now.

    Rows have item, line and verdict. A run that cannot be believed is left out, and said.
    """
    title = "The list over its last runs"
    if not rows:
        return picture(title, "Unknown: the list has no lines.", sentence("Unknown: the list has no lines."))
    believed = [one for one in made.rows if one["lines"] and not one["untrusted"]]
    earlier = believed[:MOST][::-1]
    said, blocks = list[str](), list[Block]()
    for row in sorted(rows, key=lambda row: ORDER.index(row["item"])):
        words = _since(row, earlier)
        said.append(f"{row['line']}: {words}")
        blocks.append(_line(row, earlier, words))
    lost = sum(bool(one["untrusted"]) for one in made.rows)
    notes = [*LEGEND, *([f"{lost} earlier runs cannot be believed and are left out."] if lost else [])]
    notes += [f"Earlier runs could not be read: {made.unknown}"] if made.unknown else []
    notes += [_times(earlier)]
    ill = [text for text in said if not text.endswith(": OK") and ": OK since" not in text]
    told = "; ".join([f"{len(rows) - len(ill)} of {len(rows)} lines are OK", *ill])
    return picture(title, f"{told}.", *blocks, *map(sentence, notes), gap=2)


def _line(row: Row, earlier: Sequence[Row], words: str) -> Block:
    nodes: list[Node] = [label(LEFT - 10, 15, str(row["line"]), anchor="end", room=LEFT - 10)]
    boxes = [(one["lines"].get(row["item"]), str(one["started_at"])[:16]) for one in earlier]
    for place, (verdict, when) in enumerate([*boxes, (row["verdict"], "this run")]):
        if verdict in TEXTURES:
            nodes.append(box(LEFT + place * STEP, 4, SIDE, SIDE, TEXTURES[verdict], f"{when}: {verdict}"))
    at = LEFT + (len(boxes) + 1) * STEP + 8
    nodes.append(label(at, 15, words, room=WIDTH - at, soft=True))
    return Block(LINE, tuple(nodes))


def _since(row: Row, earlier: Sequence[Row]) -> str:
    """Return a line's verdict, and since which of the runs that are drawn it has been so."""
    now, since, runs = str(row["verdict"]), "", 1
    for one in reversed(earlier):
        if one["lines"].get(row["item"]) != now:
            break
        since, runs = str(one["started_at"])[:10], runs + 1
    return f"{now} since {since} ({runs} runs)" if since else now


def _times(earlier: Sequence[Row]) -> str:
    if not earlier:
        return "No earlier run of this routine is in this archive."
    many = f"{len(earlier)} earlier run{'s' if earlier[1:] else ''}"
    return f"{many}, the first on {str(earlier[0]['started_at'])[:16].replace('T', ' ')} UTC."
