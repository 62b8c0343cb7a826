"""A picture of a drill: where each recovery's time went, and how much of what was promised it took."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.promises import PROMISES, chosen
from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Limit, bar_list
from opslib.pictures.figures import duration
from opslib.pictures.svg import WIDTH, Block, Texture, box, heading, label, line, picture, sentence

TITLE = "The drill, service by service"
LEFT, ROOM, HIGH = 150.0, 430.0, 14.0
LEGEND = (
    "Solid: broken and unnoticed. Hatched: being recovered. Soft: served, and not all checks OK yet.",
    "Line below a bar: users were not served.",
)


def timeline(reading: Reading, drill: str = "latest") -> Picture:
    """Draw one drill of the reading of ``probes.backups.drills``: a lane per service, then the share of its promise."""
    if reading.unknown is not None:
        return picture(TITLE, f"Nobody could look: {reading.unknown.rstrip('.')}.")
    rows = chosen(reading.rows, drill)
    if not rows:
        return picture(TITLE, "There is no drill to be drawn.")
    if any(row["damage"] or row["unsealed"] for row in rows):
        return picture(TITLE, "The drill is not what was sealed: nothing of it is drawn.")
    longest = max([_end(row) for row in rows] + [1.0])
    lanes = [_lane(row, ROOM / longest) for row in rows]
    bars = bar_list([_bar(row) for row in rows], maximum=100, limits=[Limit(100, "the promise")])
    said = " ".join(_said(row) for row in rows)
    shares = heading("Time until users were served again, in percent of what is promised")
    return picture(TITLE, said, heading("Where the time went"), *lanes, *map(sentence, LEGEND), shares, bars, gap=8)


def _end(row: Row) -> float:
    names = ("resolved", "mitigated", "ended", "acknowledged", "detected", "broken")
    return max(float(row[f"{name}_seconds"] or 0.0) for name in names)


def _parts(row: Row) -> Sequence[tuple[float, float, Texture, str]]:
    """Return the pieces of a lane that were seen: from, to, texture, and what it is."""
    noticed, begun = row["detected_seconds"], row["acknowledged_seconds"]
    served, resolved = row["mitigated_seconds"], row["resolved_seconds"]
    back = served if served is not None else resolved
    made: list[tuple[float, float, Texture, str]] = []
    if noticed is not None:
        made.append((0.0, noticed, "solid", "unnoticed"))
    if begun is not None:
        made.append((begun, back if back is not None else _end(row), "hatch", "being recovered"))
    if back is not None and resolved is not None and resolved > back:
        made.append((back, resolved, "soft", "served, not all checks OK"))
    return made


def _lane(row: Row, scale: float) -> Block:
    title = PROMISES[row["service"]].title
    nodes = [label(LEFT - 10, 12, title, anchor="end", room=LEFT - 10)]
    if row["why"]:
        return Block(HIGH + 6, (*nodes, label(LEFT, 12, f"not drilled: {row['why']}", soft=True, room=WIDTH - LEFT)))
    for start, end, texture, what in _parts(row):
        told = f"{title}: {what}, {duration(end - start)}"
        nodes.append(box(LEFT + start * scale, 1, (end - start) * scale, HIGH, texture, told))
    out, served = row["out_seconds"], row["mitigated_seconds"]
    if out is not None:
        end = served if served is not None else _end(row)
        nodes.append(line(LEFT + out * scale, HIGH + 4, LEFT + end * scale, HIGH + 4))
    shown = "not recovered" if row["trouble"] else _took(row)
    nodes.append(label(LEFT + _end(row) * scale + 8, 12, shown, room=WIDTH - LEFT - _end(row) * scale - 8))
    return Block(HIGH + 6, tuple(nodes))


def _took(row: Row) -> str:
    return "not measured" if row["rto_seconds"] is None else duration(row["rto_seconds"])


def _bar(row: Row) -> Bar:
    promise = PROMISES[row["service"]]
    if row["why"] or row["rto_seconds"] is None:
        return Bar(promise.title, None, "not drilled" if row["why"] else "not measured")
    share = 100 * row["rto_seconds"] / 60 / (promise.rto.critical or 1)
    met = share <= 100 and not row["trouble"]
    return Bar(promise.title, share, f"{share:.0f} %", _took(row), "solid" if met else "hatch")


def _said(row: Row) -> str:
    title = PROMISES[row["service"]].title
    if row["why"]:
        return f"{title}: not drilled."
    noticed = row["detected_seconds"]
    told = f"noticed after {duration(noticed)}" if noticed is not None else "not noticed"
    back = "not recovered" if row["trouble"] else f"served again after {_took(row)}"
    return f"{title}: {told}, {back}, promised {promised(row)}."


def promised(row: Row) -> str:
    """Return what the guide promises of a service's time."""
    return duration(60 * (PROMISES[row["service"]].rto.critical or 0))
