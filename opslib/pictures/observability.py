"""Pictures of who watches: the guide's alerts, which of them can fire; an incident, while it lasts and afterwards."""

from __future__ import annotations

from opslib.model import Picture, Result, Row
from opslib.pictures.observability_audit import archive
from opslib.pictures.observability_incident import clock
from opslib.pictures.observability_review import timeline
from opslib.pictures.observability_trends import trends
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

__all__ = ["alerts", "archive", "clock", "timeline", "trends"]

TITLE = "The guide's alerts"
LINE, SIDE, LEFT, MIDDLE = 24.0, 14.0, 26.0, 290.0
LEGEND = "Solid: can fire at the guide's limit. Hatched: at another.", "Outline: no rule, or one that can never fire."


def alerts(seen: object) -> Picture:
    """Draw the result of ``checks.observability.guide_alerts``: a line an alert, with what its rule is worth."""
    rows = list(seen.rows) if isinstance(seen, Result) else []
    if not isinstance(seen, Result) or seen.reading.unknown is not None or not rows:
        why = seen.reading.unknown if isinstance(seen, Result) else None
        said = f"Unknown: {why or 'no rule was read'}"
        return picture(TITLE, said, sentence(said))
    words = [f"{row['alert']}: {row['state']}" for row in rows]
    lines: list[Node] = []
    for number, row in enumerate(rows):
        lines += _line(number * LINE, row)
    return picture(TITLE, f"{'; '.join(words)}.", Block(len(rows) * LINE, tuple(lines)), *map(sentence, LEGEND))


def _line(y: float, row: Row) -> list[Node]:
    state = str(row["state"])
    return [
        box(0, y + 3, SIDE, SIDE, _texture(row), f"{row['alert']}: {state}"),
        label(LEFT, y + 14, str(row["alert"]), room=MIDDLE - LEFT - 10),
        label(MIDDLE, y + 14, f"{row['rule']}: {state}" if row["rule"] and row["rule"] not in state else state,
              room=WIDTH - MIDDLE, soft=True),
    ]  # fmt: skip


def _texture(row: Row) -> Texture:
    if row["state"] == "can fire":
        return "solid"
    return "outline" if "there is no rule" in row["state"] or "can never fire" in row["state"] else "hatch"
