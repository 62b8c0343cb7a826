"""A picture of a game day: where people's time went, service by service, and how sure each moment is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opslib.guide import game_day as days
from opslib.guide.game_day import Seen
from opslib.guide.promises import PROMISES, Promise
from opslib.model import Picture, Reading
from opslib.pictures.figures import duration
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, heading, label, line, picture, sentence

TITLE = "The game day, service by service"
LEFT, ROOM, HIGH, LANE, BESIDE = 120.0, 480.0, 16.0, 46.0, 130.0
PROMISED: dict[str, Promise] = {str(name): one for name, one in PROMISES.items()}
PHASES: tuple[tuple[str, Texture, str], ...] = (
    ("alerted", "solid", "nobody was told"),
    ("acknowledged", "dots", "told, and nobody on it"),
    ("opened", "soft", "taken on, without a runbook"),
    ("mitigated", "hatch", "being recovered"),
    ("resolved", "outline", "served, not all steady"),
)
"""What the time until each moment was, in their order."""
NAMES = {"injected": "broken", "noticed": "its check notices"}
KNOWN = {"drill": "measured", "run": "the archive", "word": "signed word"}


def timeline(reading: Reading, day: str = "latest") -> Picture:
    """Draw one day of the reading of ``probes.backups.game_days``: a lane per service, from fault to steady state.

    Marks below a lane show between which times a moment lies that is known by word only.
    """
    if reading.unknown is not None:
        return picture(TITLE, f"Nobody could look: {reading.unknown.rstrip('.')}.")
    rows = days.chosen(reading.rows, day)
    courses = {name: days.course(rows, name) for name in days.services(rows)}
    courses = {name: found for name, found in courses.items() if "injected" in found}
    if not courses:
        return picture(TITLE, "There is no game day to be drawn: nobody says that anything was broken.")
    promised = {name: _seconds(PROMISED[name]) for name in courses}
    longest = max(max(_end(found), promised[name]) for name, found in courses.items())
    lanes = [_lane(PROMISED[name], found, promised[name], ROOM / longest) for name, found in courses.items()]
    told = [block for name, found in courses.items() for block in _told(PROMISED[name], found)]
    alternative = " ".join(_said(PROMISED[name], found) for name, found in courses.items())
    return picture(TITLE, alternative, *lanes, _legend(), *told, gap=6)


def _seconds(promise: Promise) -> float:
    return 60 * (promise.rto.critical or 0.0)


def _after(found: dict[str, Seen], moment: str) -> float:
    return max(0.0, (found[moment].at - found["injected"].at).total_seconds())


def _end(found: dict[str, Seen]) -> float:
    return max(_after(found, moment) + seen.within for moment, seen in found.items())


def _phases(found: dict[str, Seen]) -> Iterator[tuple[float, float, Texture, str]]:
    """Yield from, to, texture and meaning of what lies between the moments that are known."""
    start = 0.0
    for moment, texture, what in PHASES:
        if moment in found and (end := _after(found, moment)) > start:
            yield start, end, texture, what
            start = end


def _lane(promise: Promise, found: dict[str, Seen], promised: float, scale: float) -> Block:
    nodes = [label(LEFT - 10, 27, promise.title, anchor="end", room=LEFT - 10)]
    for start, end, texture, what in _phases(found):
        told = f"{promise.title}: {what}, {duration(end - start)}"
        nodes.append(box(LEFT + start * scale, 14, (end - start) * scale, HIGH, texture, told))
    nodes += [node for moment, seen in found.items() if seen.source == "word" for node in _mark(found, moment, scale)]
    at = LEFT + promised * scale
    nodes.append(line(at, 10, at, 34, dash="4 3"))
    anchor, shift = ("end", -4.0) if promised * scale > ROOM / 2 else ("start", 4.0)
    nodes.append(label(at + shift, 9, f"promised {duration(promised)}", anchor=anchor, size=11, room=170, soft=True))
    # Beside the lane, where the line of the promise leaves room for it.
    end = _end(found) if (promised - _end(found)) * scale > BESIDE else max(_end(found), promised)
    x = LEFT + end * scale + 8
    nodes.append(label(x, 27, _took(found), room=min(WIDTH - x, BESIDE)))
    return Block(LANE, tuple(nodes))


def _mark(found: dict[str, Seen], moment: str, scale: float) -> list[Node]:
    at, within = _after(found, moment), found[moment].within
    first, last = LEFT + max(0.0, at - within) * scale, LEFT + (at + within) * scale
    return [line(first, 37, last, 37), line(first, 34, first, 40), line(last, 34, last, 40)]


def _took(found: dict[str, Seen]) -> str:
    return duration(_after(found, "mitigated")) if "mitigated" in found else "not served again"


def _legend() -> Block:
    nodes: list[Node] = []
    for number, (_, texture, what) in enumerate(PHASES):
        x, y = (number % 3) * WIDTH / 3, (number // 3) * 19.0
        nodes += [box(x, y + 1, 13, 13, texture), label(x + 20, y + 12, what, room=WIDTH / 3 - 28)]
    x, y = 2 * WIDTH / 3, 19.0
    nodes += [line(x, y + 8, x + 13, y + 8), line(x, y + 5, x, y + 11), line(x + 13, y + 5, x + 13, y + 11)]
    nodes.append(label(x + 20, y + 12, "a signed word's uncertainty", room=WIDTH / 3 - 28))
    return Block(40, tuple(nodes))


def _told(promise: Promise, found: dict[str, Seen]) -> Sequence[Block]:
    """Return who did or saw what, a line a moment."""
    ordered = sorted((moment for moment in days.SHOWN if moment in found), key=lambda moment: found[moment].at)
    title = f"{promise.title}, {found['injected'].at:%Y-%m-%d} (UTC)"
    return [heading(title), *(sentence(_line(found, moment)) for moment in ordered)]


def _line(found: dict[str, Seen], moment: str) -> str:
    seen = found[moment]
    when = f"{seen.at:%H:%M:%S}" + (f" ± {duration(seen.within)}" if seen.within else "")
    what = f": {seen.what}" if seen.what else ""
    # What a tool has measured is nobody's merit; who broke it is somebody's word all the same.
    who = "" if seen.source == "drill" and moment != "injected" else f", {seen.by}"
    return f"{when}: {NAMES.get(moment, moment)} ({KNOWN[seen.source]}{who}){what}"


def _said(promise: Promise, found: dict[str, Seen]) -> str:
    parts = [f"{what} for {duration(end - start)}" for start, end, _, what in _phases(found)]
    missing = [
        moment for moment in ("alerted", "acknowledged", "opened", "mitigated", "resolved") if moment not in found
    ]
    unknown = f"; nobody says when it was {', '.join(missing)}" if missing else ""
    served = f"served again after {_took(found)}" if "mitigated" in found else "not served again"
    known = ", ".join(parts) or "nothing is known"
    return f"{promise.title}: {known}; {served}, promised {duration(_seconds(promise))}{unknown}."
