"""A picture of an archive's life: runs by how they stand, silence, keys, and up to where others hold the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from opslib.guide.incident import when
from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Axis, Block, Node, Texture, box, label, line, picture, sentence

TITLE = "The archive from its first entry until now"
LEFT, ROOM, LANE, HIGH = 130.0, 430.0, 30.0, 22.0
TICKS = 4
TEXTURES: dict[str, Texture] = {
    "sealed": "soft",
    "interrupted": "dots",
    "going_on": "outline",
    "left_open": "outline",
    "in_quarantine": "hatch",
    "not_believed": "solid",
}
LEGEND = (
    "A bar: the runs that began then, high as many. Solid: what is not what was sealed; dots: interrupted; hatched: "
    "silence, quarantine; outline: open, or held by others."
)


def archive(reading: Reading) -> Picture:
    """Draw a reading of ``probes.observability.archive["days"]``."""
    if reading.unknown is not None:
        return picture(TITLE, said := f"Nobody could look: {reading.unknown.rstrip('.')}.", sentence(said))
    span = next((row for row in reading.rows if row["kind"] == "span"), None)
    if span is None:
        return picture(TITLE, said := "The archive holds no entry.", sentence(said))
    axis = Axis(when(span["from"]), when(span["until"]), LEFT, ROOM)
    columns = [row for row in reading.rows if row["kind"] == "runs"]
    most = max((row[word] for row in columns for word in TEXTURES), default=0)
    lanes = [
        Block(LANE, _runs(word, columns, axis, most))
        for word in TEXTURES
        if word == "sealed" or any(row[word] for row in columns)
    ]
    others = {kind: [row for row in reading.rows if row["kind"] == kind] for kind in ("silence", "key", "published")}
    lanes += [Block(LANE, _silences(others["silence"], axis)), Block(LANE, _keys(others["key"], axis))]
    lanes += [Block(LANE, _held(others["published"], axis))]
    return picture(TITLE, _said(axis, columns, others), Block(24, _ticks(axis)), *lanes, sentence(LEGEND), gap=3)


def _runs(word: str, columns: Sequence[Row], axis: Axis, most: int) -> tuple[Node, ...]:
    wide = ROOM / len(columns)
    drawn = []
    for row in columns:
        if row[word]:
            high = max(HIGH * row[word] / most, 4.0)
            title = f"{when(row['from']):%Y-%m-%d %H:%M}: {row[word]} {word.replace('_', ' ')}"
            drawn.append(box(axis.x(when(row["from"])), HIGH - high, max(wide - 1, 1.5), high, TEXTURES[word], title))
    count = sum(row[word] for row in columns)
    return (*_lane(word.replace("_", " "), str(count)), *drawn)


def _silences(rows: Sequence[Row], axis: Axis) -> tuple[Node, ...]:
    drawn = [
        box(x := axis.x(when(row["from"])), 2, max(axis.x(when(row["until"])) - x, 2.0), HIGH - 2, "hatch",
            f"silence from {when(row['from']):%Y-%m-%d %H:%M} until {when(row['until']):%Y-%m-%d %H:%M}")
        for row in rows
    ]  # fmt: skip
    return (*_lane("silence", str(len(rows))), *drawn)


def _keys(rows: Sequence[Row], axis: Axis) -> tuple[Node, ...]:
    drawn = [line(x := axis.x(when(row["from"])), 2, x, HIGH) for row in rows]
    return (*_lane("changes of keys", str(len(rows))), *drawn)


def _held(rows: Sequence[Row], axis: Axis) -> tuple[Node, ...]:
    drawn = [
        box(LEFT, 5, max(axis.x(when(row["until"])) - LEFT, 2.0), HIGH - 8, "outline", f"up to entry {row['entry']}")
        for row in rows
    ]
    return (*_lane("held by others", f"to entry {rows[0]['entry']}" if rows else "nothing known"), *drawn)


def _lane(name: str, says: str) -> tuple[Node, ...]:
    return (
        label(LEFT - 10, 17, name, anchor="end", room=LEFT - 12),
        line(LEFT, HIGH, LEFT + ROOM, HIGH, opacity=0.2),
        label(LEFT + ROOM + 12, 17, says, room=WIDTH - LEFT - ROOM - 12),
    )


def _ticks(axis: Axis) -> tuple[Node, ...]:
    whole = axis.last - axis.first
    form = "%m-%d %H:%M" if whole < timedelta(days=4) else "%Y-%m-%d"
    nodes: list[Node] = [line(LEFT, 20, LEFT + ROOM, 20, opacity=0.5)]
    for number in range(TICKS + 1):
        x = LEFT + ROOM * number / TICKS
        anchor = "start" if number == 0 else "end" if number == TICKS else "middle"
        at = axis.first + whole * number / TICKS
        nodes += [line(x, 17, x, 23), label(x, 12, f"{at:{form}}", anchor=anchor, size=11, room=100, soft=True)]
    return tuple(nodes)


def _said(axis: Axis, columns: Sequence[Row], others: dict[str, list[Row]]) -> str:
    counts = {word: sum(row[word] for row in columns) for word in TEXTURES}
    runs = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in counts.items() if count) or "none"
    held = f"up to entry {others['published'][0]['entry']}" if others["published"] else "nothing that is known here"
    return (
        f"From {axis.first:%Y-%m-%d %H:%M} to {axis.last:%Y-%m-%d %H:%M} (UTC): runs {runs}; times of silence "
        f"{len(others['silence'])}; changes of keys {len(others['key'])}; held by others: {held}."
    )
