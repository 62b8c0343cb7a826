"""A picture of a decision tree: which branch explains what somebody sees, which are excluded, which nobody saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.model import Picture, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, clean, element, fit, label, picture, sentence

SIDE, LINE, STEP = 13.0, 42.0, 26.0
STATE = 96.0
"""Room for the word at the right edge."""
LEGEND = "Solid: explains it. Empty: excluded. Dotted: not seen. Grey: not reached, behind another."
_TEXTURES: Mapping[str, Texture] = {"explains": "solid", "excluded": "outline", "not seen": "dots"}
_ORDER = ("explains", "not seen", "not reached", "excluded")


def tree(rows: Sequence[Row], states: Mapping[str, str] | None = None, symptom: str = "What explains it") -> Picture:
    """Draw the branches of a tree in their order, each with its state and what its check said.

    ``rows`` have ``check``, ``cause``, ``after`` (the check before it, or nothing), ``summary`` and, unless
    ``states`` has it by the check's name, ``state``: explains, excluded, not seen or not reached.
    """
    every = [{**row, "state": (states or {}).get(row["check"]) or row.get("state") or "not seen"} for row in rows]
    if not every:
        return picture(symptom, "There is no branch.", sentence("There is no branch."))
    depths: dict[str, int] = {}
    places: dict[str, int] = {}
    nodes: list[Node] = []
    for number, row in enumerate(every):
        depths[row["check"]] = depths.get(row["after"], -1) + 1 if row["after"] else 0
        places[row["check"]] = number
        nodes += _branch(row, number, depths[row["check"]], places.get(row["after"]))
    return picture(symptom, _words(every), Block(LINE * len(every), tuple(nodes)), sentence(LEGEND))


def _branch(row: Row, number: int, depth: int, parent: int | None) -> list[Node]:
    x, y, state = depth * STEP, number * LINE, str(row["state"])
    nodes: list[Node] = []
    if parent is not None:
        start, corner = x - STEP + SIDE / 2, y + 5 + SIDE / 2
        path = f"M{start:g} {parent * LINE + 5 + SIDE:g}V{corner:g}H{x:g}"
        nodes.append(element("path", d=path, fill="none", stroke="currentColor", stroke_opacity=0.5))
    left, room = x + SIDE + 10, WIDTH - x - SIDE - 10 - STATE
    found = state == "explains"
    cause = clean(row["cause"])
    nodes.append(box(x, y + 5, SIDE, SIDE, _TEXTURES.get(state, "soft"), f"{row['cause']}: {state}"))
    shown = element("title", cause), fit(cause, room)
    nodes.append(element("text", *shown, x=left, y=y + 16, font_weight="600" if found else None))
    nodes.append(label(WIDTH, y + 16, state, anchor="end", room=STATE))
    nodes.append(label(left, y + 33, str(row["summary"]), size=12, room=WIDTH - left, soft=True))
    return nodes


def _words(rows: Sequence[Row]) -> str:
    by = {state: [str(row["cause"]) for row in rows if row["state"] == state] for state in _ORDER}
    said = [f"{state}: {'; '.join(causes)}" for state, causes in by.items() if causes and state != "excluded"]
    if not by["explains"]:
        said.insert(0, "nothing that was seen explains it")
    return f"{'. '.join(said)}. Excluded: {len(by['excluded'])} of {len(rows)}."
