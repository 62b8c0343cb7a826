"""Small pictures of how an area's checks went, run by run: the figure with its limits, and below it each verdict."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.trend import Trend, chosen
from opslib.model import Picture, Reading, Row
from opslib.pictures.figures import figure
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, element, label, line, number, picture, sentence

LEFT, ROOM, HIGH, LANE, STRIP = 205.0, 285.0, 26.0, 50.0, 8.0
MOST = 16
TEXTURES: dict[str, Texture] = {"OK": "outline", "WARNING": "dots", "UNKNOWN": "hatch", "CRITICAL": "solid"}
LEGEND = (
    "Line: the figure, a gap where there was none; dashed: its limit (w: warning, c: critical) where that is near. "
    "Strip: a box a run, empty OK, dots WARNING, hatched UNKNOWN, solid CRITICAL."
)


def trends(reading: Reading, names: str = "none", runs: int = 50, area: str = "") -> Picture:
    """Draw a reading of ``probes.observability.trends[area]``, worst first, over the newest ``runs`` of each check."""
    title = f"How the checks{f' of {area}' if area else ''} went"
    if reading.unknown is not None:
        return picture(title, said := f"Nobody could look: {reading.unknown.rstrip('.')}.", sentence(said))
    rows = {row["check"]: row for row in reading.rows}
    found = chosen(reading.rows, names, runs)
    if not found:
        return picture(title, said := "No run of this archive made these checks here.", sentence(said))
    shown = found[:MOST]
    lanes = [Block(LANE, _lane(one, rows[one.check], runs)) for one in shown]
    more = [sentence(f"and {len(found) - MOST} more, in the table below")] if len(found) > MOST else []
    alternative = "; ".join(f"{one.check}: {one.state}, {_now(one)}" for one in shown)
    return picture(title, f"{alternative}.", *lanes, *more, sentence(LEGEND), gap=2)


def _now(one: Trend) -> str:
    value = "" if one.value is None else f"{figure(one.value, one.unit)}, "
    return f"{value}{one.verdict}"


def _lane(one: Trend, row: Row, runs: int) -> tuple[Node, ...]:
    values, verdicts, at = row["value"][-runs:], row["verdict"][-runs:], row["at"][-runs:]
    ahead = f", limit in {one.days:.1f} d" if one.days is not None else ""
    first, last = at[0][:10], at[-1][:10]
    span = f"{len(at)} runs, {last if first == last else f'{first[5:]} to {last[5:]}'}"
    span += ", limits moved" if row["moved"] else ""
    return (
        label(LEFT - 10, 14, one.check, anchor="end", room=LEFT - 12),
        label(LEFT - 10, 29, one.state, anchor="end", size=11, room=LEFT - 12, soft=True),
        *_figure(values, row),
        *_strip(verdicts, at),
        label(LEFT + ROOM + 24, 14, f"{_now(one)}", room=WIDTH - LEFT - ROOM - 12),
        label(LEFT + ROOM + 24, 29, f"{span}{ahead}", size=11, room=WIDTH - LEFT - ROOM - 12, soft=True),
    )


def _x(place: int, count: int) -> float:
    return LEFT + (place + 0.5) * ROOM / count


def _figure(values: Sequence[float | None], row: Row) -> list[Node]:
    known = [value for value in values if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    near = max(high - low, abs(high) * 0.5, 1e-9)
    limits = [(row[name], name[0]) for name in ("warning", "critical") if row[name] is not None]
    limits = [(limit, name) for limit, name in limits if low - near <= limit <= high + near]
    low, high = min([low, *(limit for limit, _ in limits)]), max([high, *(limit for limit, _ in limits)])
    scale = (HIGH - 4) / ((high - low) or 1.0)
    path, pen = [], "M"
    for place, value in enumerate(values):
        if value is not None:
            path.append(f"{pen}{number(_x(place, len(values)))} {number(HIGH - 1 - (value - low) * scale)}h0.1")
        pen = "M" if value is None else "L"
    drawn = element("path", d="".join(path), fill="none", stroke="currentColor", stroke_width=1.6)
    return [drawn, *(node for limit, name in limits for node in _limit(HIGH - 1 - (limit - low) * scale, name))]


def _limit(y: float, name: str) -> tuple[Node, Node]:
    x = LEFT + ROOM + (2 if name == "w" else 10)
    return line(LEFT, y, LEFT + ROOM, y, dash="4 3", opacity=0.6), label(x, y + 4, name, size=10, room=9)


def _strip(verdicts: Sequence[str], at: Sequence[str]) -> list[Node]:
    wide = ROOM / len(verdicts)
    return [
        box(
            LEFT + place * wide, HIGH + 6, max(wide - 1, 1.0), STRIP, TEXTURES.get(verdict, "hatch"),
            f"{at[place][:16]}: {verdict}",
        )
        for place, verdict in enumerate(verdicts)
    ]  # fmt: skip
