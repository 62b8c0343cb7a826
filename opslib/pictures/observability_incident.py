"""A picture of an incident: the guide's clock, level by level, and what was run meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opslib.guide.incident import Incident, Turn, since
from opslib.model import Picture, Reading, Row
from opslib.pictures.figures import duration
from opslib.pictures.svg import Block, Node, Texture, box, heading, label, line, picture, sentence

TITLE = "The incident's clock"
LEFT, ROOM, LANE, HIGH = 232.0, 460.0, 26.0, 16.0
LEAST, MOST = 75.0, 240.0
"""Minutes that are drawn at least, so that level 4 has a lane; and at most, so that the first hour can be read."""
MOST_RUNS = 12
SOLID: dict[str, Texture] = {"told": "solid", "late": "hatch", "waits": "outline"}


def clock(said: Incident, made: Reading) -> Picture:
    """Draw an incident on the guide's clock; ``made`` is the reading of ``probes.observability.runs_made``.

    Each level's bar begins when its turn comes and ends now, or when the incident was over.
    """
    now = made.taken_at
    if faults := said.faults(now):
        return picture(TITLE, f"There is no clock to be drawn: {'; '.join(faults)}.")
    assert said.started is not None
    turns, start, end = list(said.turns(now)), said.started, said.end(now)
    age = _minutes(start, end)
    span = min(max(LEAST, 1.05 * age), MOST)
    runs = [] if made.unknown is not None else since(made.rows, start, end)
    lanes = [Block(LANE, _lane(turn, start, end, span)) for turn in turns]
    told = [sentence(_told(row)) for row in runs[:MOST_RUNS]] or [sentence(_none(made))]
    more = [sentence(f"and {len(runs) - MOST_RUNS} more, in the table below")] if len(runs) > MOST_RUNS else []
    blocks = [Block(34, _marks(said, now, span)), *lanes, Block(20, _ticks(turns, span)), Block(36, _legend())]
    return picture(
        TITLE, _alternative(said, turns, runs, now), *blocks, heading("What was run (UTC)"), *told, *more, gap=3
    )


def _minutes(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds() / 60)


def _x(minutes: float, span: float) -> float:
    return LEFT + min(minutes, span) / span * ROOM


def _state(turn: Turn) -> str:
    return "told" if turn.told else "late" if turn.late is not None else "waits"


def _lane(turn: Turn, start: datetime, end: datetime, span: float) -> tuple[Node, ...]:
    level, until = turn.level, _minutes(start, end)
    first, texture = _x(level.begins, span), SOLID[_state(turn)]
    # A turn that has not come is outlined over its whole time; one that has is filled until now.
    last = _x(max(until, level.begins), span) if turn.due_at <= end else _x(level.ends or span, span)
    words = _words(turn)
    return (
        label(LEFT - 10, 15, f"{level.number}  {level.who}", anchor="end", room=LEFT - 14),
        box(first, 2, last - first, HIGH, texture, f"Level {level.number} ({level.who}): {words}"),
        *_beside(turn, first, last),
    )


def _beside(turn: Turn, first: float, last: float) -> tuple[Node, ...]:
    """Return what is said beside a bar; before it where its turn is yet to come, for behind it there is no room."""
    if turn.told:
        return ()
    if turn.late is None:
        return (label(first - 6, 15, _words(turn), anchor="end", size=11, soft=True),)
    return (label(min(last + 6, LEFT + ROOM - 60), 15, _words(turn), size=11, soft=True),)


def _words(turn: Turn) -> str:
    if turn.told:
        return "told"
    return f"from {turn.due_at:%H:%M}" if turn.late is None else f"overdue {duration(turn.late)}"


def _marks(said: Incident, now: datetime, span: float) -> tuple[Node, ...]:
    assert said.started is not None
    moments = [
        ("began", said.started),
        ("taken on", said.acknowledged),
        ("over" if said.resolved else "now", said.end(now)),
    ]
    nodes: list[Node] = []
    for number, (what, at) in enumerate((what, at) for what, at in moments if at is not None):
        minutes = _minutes(said.started, at)
        x, y = _x(minutes, span), 11.0 + 14 * (number % 2)
        beyond = " →" if minutes > span else ""
        anchor = "end" if x > LEFT + ROOM - 90 else "start"
        nodes.append(label(x, y, f"{what} {at:%H:%M}{beyond}", anchor=anchor, size=11, room=140))
        nodes.append(line(x, y + 3, x, 34, dash=None if what == "began" else "4 3"))
    return tuple(nodes)


def _ticks(turns: Sequence[Turn], span: float) -> tuple[Node, ...]:
    nodes: list[Node] = [line(LEFT, 2, LEFT + ROOM, 2, opacity=0.5)]
    for turn in turns:
        x = _x(turn.level.begins, span)
        nodes += [line(x, 0, x, 5), label(x, 17, f"{turn.level.begins:g} min", size=11, room=60, soft=True)]
    return tuple(nodes)


def _legend() -> tuple[Node, ...]:
    nodes: list[Node] = []
    said = {"told": "told", "late": "overdue", "waits": "not yet its turn"}
    for number, (state, what) in enumerate(said.items()):
        x = LEFT + number * ROOM / 3
        nodes += [box(x, 12, 13, 13, SOLID[state]), label(x + 19, 23, what, room=150)]
    return tuple(nodes)


def _told(row: Row) -> str:
    came = row["verdict"] or row["state"] or row["sealed"]
    changed = ", changed something" if row["steps"] else ""
    return f"{str(row['started_at'])[11:19]}: {row['notebook']} ({row['mode']}, {row['by']}): {came}{changed}"


def _none(made: Reading) -> str:
    return f"Nobody could look: {made.unknown}" if made.unknown is not None else "no run since the incident began"


def _alternative(said: Incident, turns: Sequence[Turn], runs: Sequence[Row], now: datetime) -> str:
    assert said.started is not None
    age = duration((said.end(now) - said.started).total_seconds())
    took = "nobody has taken it on"
    if said.acknowledged is not None:
        took = f"taken on by {said.by} after {duration((said.acknowledged - said.started).total_seconds())}"
    each = ", ".join(f"level {turn.level.number} {_words(turn)}" for turn in turns)
    open_for = "over after" if said.resolved else "open for"
    return f"{said.title}: {open_for} {age}; {took}; {each}; {len(runs)} runs were made since."
