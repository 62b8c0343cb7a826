"""A picture of an incident that is over: between which moments each thing happened, and what was done meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from opslib.guide.incident import looks, when
from opslib.guide.review import Moment, Times, Told, times
from opslib.guide.review_timeline import runs
from opslib.model import Picture, Reading, Row
from opslib.pictures.figures import duration
from opslib.pictures.svg import WIDTH, Axis, Block, Node, Texture, box, heading, label, line, picture, sentence

TITLE = "The incident from its beginning to its end"
LEFT, ROOM, LANE, HIGH = 190.0, 360.0, 24.0, 14.0
MOST_RUNS = 14
TICKS = 4
LEGEND = (
    "A bar's ends are the moments between which it happened. Solid run: changed something; dots: looked; "
    "outline: not believed, or not sealed."
)


def timeline(told: Told, reading: Reading) -> Picture:
    """Draw the moments of an incident, each as the interval that it lies in, and the runs made meanwhile.

    ``reading`` is of ``probes.observability.incident_record``.
    """
    if reading.unknown is not None:
        return picture(TITLE, said := f"Nobody could look: {reading.unknown.rstrip('.')}.", sentence(said))
    found = times(told, reading.rows, reading.taken_at)
    if "began" not in found.moments:
        said = "There is nothing to be drawn: nobody says when it began."
        return picture(TITLE, said, sentence(said))
    own = runs(told, found, reading.rows, reading.taken_at)
    shown = _shown(own)
    axis = _axis(found, shown, reading.taken_at)
    lanes = [Block(LANE, _moment(name, one, axis)) for name, one in found.moments.items()]
    done = [Block(LANE, _run(row, axis)) for row in shown] or [sentence("no run was made in that time")]
    more = [sentence(f"and {len(own) - len(shown)} more, which only looked or are in the table")]
    blocks = [Block(24, _ticks(axis)), heading("When (UTC)"), *lanes, heading("What was done"), *done]
    blocks += more if len(own) > len(shown) else []
    return picture(TITLE, _alternative(told, found, own), *blocks, sentence(LEGEND), gap=3)


def _shown(own: Sequence[Row]) -> list[Row]:
    """Return the runs that are drawn: where there are too many, first those that changed something or are not whole."""
    weight = sorted(own, key=lambda row: (not row["steps"] and not row["untrusted"], looks(row["notebook"])))
    kept = weight[:MOST_RUNS]
    return [row for row in own if row in kept]


def _axis(found: Times, own: Sequence[Row], now: datetime) -> Axis:
    ends = [moment.latest for moment in found.moments.values()] + [_end(row) for row in own]
    first, last = min(moment.earliest for moment in found.moments.values()), min(max(ends), now + timedelta(minutes=1))
    return Axis(first, max(last, first + timedelta(seconds=1)), LEFT, ROOM)


def _end(row: Row) -> datetime:
    return when(row["finished_at"] or row["started_at"])


def _moment(name: str, one: Moment, axis: Axis) -> tuple[Node, ...]:
    first, last = axis.x(one.earliest), axis.x(one.latest)
    words = f"{one.earliest:%H:%M:%S} to {one.latest:%H:%M:%S}"
    return (
        label(LEFT - 10, 14, name, anchor="end", room=LEFT - 14),
        line(LEFT, 9, LEFT + ROOM, 9, opacity=0.15),
        box(first, 3, max(last - first, 2.0), HIGH, "hatch", f"{name}: {words} ({one.source})"),
        label(LEFT + ROOM + 10, 14, words, room=WIDTH - LEFT - ROOM - 10),
    )


def _run(row: Row, axis: Axis) -> tuple[Node, ...]:
    first, last = axis.x(when(row["started_at"])), axis.x(_end(row))
    came = "not believed" if row["untrusted"] else row["verdict"] or row["state"] or row["sealed"]
    texture: Texture = "outline" if row["untrusted"] or row["sealed"] != "sealed" else "dots"
    if row["steps"]:
        texture = "solid"
    title = f"{row['run']}: {came}"
    return (
        label(LEFT - 10, 14, str(row["notebook"] or row["run"]), anchor="end", room=LEFT - 14),
        line(LEFT, 9, LEFT + ROOM, 9, opacity=0.15),
        box(first, 3, max(last - first, 3.0), HIGH, texture, title),
        label(LEFT + ROOM + 10, 14, f"{str(row['started_at'])[11:19]} {came}", room=WIDTH - LEFT - ROOM - 10),
    )


def _ticks(axis: Axis) -> tuple[Node, ...]:
    whole = axis.last - axis.first
    form = "%H:%M:%S" if whole < timedelta(minutes=30) else "%H:%M" if whole < timedelta(days=1) else "%m-%d %H:%M"
    nodes: list[Node] = [line(LEFT, 20, LEFT + ROOM, 20, opacity=0.5)]
    for number in range(TICKS + 1):
        x = LEFT + ROOM * number / TICKS
        anchor = "start" if number == 0 else "end" if number == TICKS else "middle"
        at = axis.first + whole * number / TICKS
        nodes += [line(x, 17, x, 23), label(x, 12, f"{at:{form}}", anchor=anchor, size=11, room=90, soft=True)]
    return tuple(nodes)


def _alternative(told: Told, found: Times, own: Sequence[Row]) -> str:
    each = [f"{name} between {one.earliest:%H:%M:%S} and {one.latest:%H:%M:%S}" for name, one in found.moments.items()]
    changed, doubted = sum(bool(row["steps"]) for row in own), sum(bool(row["untrusted"]) for row in own)
    ends = found.span("resolved")
    took = f" It took at most {duration(ends.most)}." if ends else ""
    return (
        f"{told.title}, {found.moments['began'].earliest:%Y-%m-%d} (UTC): {', '.join(each)}. {len(own)} runs were made "
        f"meanwhile, {changed} of them changed something, {doubted} are not believed.{took}"
    )
