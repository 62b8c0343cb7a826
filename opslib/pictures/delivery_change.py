"""Pictures of one change: which file makes which job run, and the workflow as a graph with each job's decision."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, element, label, line, number, picture, sentence

FILES, GRAPH = "Which file makes which job run", "What each job does"
FILES_LEGEND = (
    "Filled: the job runs for this file. Outline: not for it.",
    "Dots: needs no job. Hatched: no filter covers it.",
)
GRAPH_LEGEND = "Filled: runs. Outline: skipped. Dots: not decided by the file alone. Hatched: breaks."
MOST, LEFT, LINE, HEAD, COLUMN = 24, 330.0, 20.0, 96.0, 44.0
TALL, GAP, SIDE = 36.0, 26.0, 14.0


def files(reading: Reading) -> Picture:
    """Draw the reading of ``probes.delivery.change``: a line per file (at most 24), a column per job that may run."""
    if why := _nothing(reading):
        return picture(FILES, why, sentence(why))
    rows = sorted((row for row in reading.rows if row["what"] == "file"), key=lambda row: bool(row["covered"]))
    jobs = [row["job"] for row in reading.rows if row["what"] == "job" and _one_day(row["job"], rows)]
    nodes: list[Node] = [_slanted(LEFT + i * COLUMN + 14, HEAD - 8, job) for i, job in enumerate(jobs)]
    for i, row in enumerate(rows[:MOST]):
        y = HEAD + i * LINE
        nodes.append(label(LEFT - 12, y + 13, row["file"], anchor="end", room=LEFT - 12))
        for j, job in enumerate(jobs):
            word = "runs" if job in row["jobs"] else "does not run for it"
            nodes.append(box(LEFT + j * COLUMN, y + 2, 30, 14, _cell(row, job), f"{row['file']}: {job} {word}"))
        note = "" if row["covered"] == "filter" else "deployed elsewhere" if row["covered"] else "no filter"
        nodes.append(
            label(LEFT + len(jobs) * COLUMN + 4, y + 13, note, room=WIDTH - LEFT - len(jobs) * COLUMN, soft=True)
        )
    missed = sum(not row["covered"] for row in rows)
    more = f" {len(rows) - MOST} files are not drawn." if len(rows) > MOST else ""
    said = (
        f"{len(rows)} files, {len(jobs)} jobs that run for some of them; {missed} files are covered by no filter.{more}"
    )
    height = HEAD + min(len(rows), MOST) * LINE
    return picture(FILES, said, Block(height, tuple(nodes)), *map(sentence, FILES_LEGEND), gap=6)


def graph(reading: Reading) -> Picture:
    """Draw the reading of ``probes.delivery.change``: the jobs from first to last, each with what it does."""
    if why := _nothing(reading):
        return picture(GRAPH, why, sentence(why))
    jobs = {row["job"]: row for row in reading.rows if row["what"] == "job"}
    levels = _levels(jobs)
    places: dict[str, tuple[float, float, float]] = {}
    for depth in range(max(levels.values()) + 1):
        here = [name for name in jobs if levels[name] == depth]
        wide = min(220.0, (WIDTH - SIDE * (len(here) - 1)) / len(here))
        start = (WIDTH - len(here) * wide - SIDE * (len(here) - 1)) / 2
        places |= {name: (start + i * (wide + SIDE), depth * (TALL + GAP), wide) for i, name in enumerate(here)}
    nodes = [_arrow(places[one], places[name]) for name, near in _nearest(jobs).items() for one in near]
    for name, row in jobs.items():
        nodes += _job(name, row, places[name])
    counts = [sum(row["runs"] is state for row in jobs.values()) for state in (True, False, None)]
    said = f"{counts[0]} jobs run, {counts[1]} are skipped, {counts[2]} are not decided by the file alone."
    height = (max(levels.values()) + 1) * (TALL + GAP) - GAP
    return picture(GRAPH, said, Block(height, tuple(nodes)), sentence(GRAPH_LEGEND))


def _nothing(reading: Reading) -> str:
    if reading.unknown is not None:
        return f"Unknown: {reading.unknown}"
    return "" if any(row["what"] == "file" for row in reading.rows) else "There is no change to look at."


def _one_day(job: str, rows: Sequence[Row]) -> bool:
    return any(job in row["jobs"] for row in rows)


def _cell(row: Row, job: str) -> Texture:
    if job in row["jobs"]:
        return "solid"
    return "outline" if row["covered"] == "filter" else "dots" if row["covered"] else "hatch"


def _slanted(x: float, y: float, text: str) -> Node:
    return element("text", text, x=x, y=y, transform=f"rotate(-40 {number(x)} {number(y)})", font_size=12)


def _levels(jobs: dict[str, Row]) -> dict[str, int]:
    """Return how deep each job is; the jobs come in an order in which each follows what it needs."""
    found: dict[str, int] = {}
    for name, row in jobs.items():
        found[name] = 1 + max((found[one] for one in row["needs"] if one in found), default=-1)
    return found


def _nearest(jobs: dict[str, Row]) -> dict[str, set[str]]:
    """Return what each job waits for by name and not already by another of these: one line says it."""
    before: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for name, row in jobs.items():
        needs = {one for one in row["needs"] if one in before}
        far = {one for near in needs for one in before[near]}
        before[name], found[name] = needs | far, needs - far
    return found


def _arrow(above: tuple[float, float, float], below: tuple[float, float, float]) -> Node:
    return line(above[0] + above[2] / 2, above[1] + TALL, below[0] + below[2] / 2, below[1], opacity=0.35)


def _job(name: str, row: Row, place: tuple[float, float, float]) -> list[Node]:
    x, y, wide = place
    runs = row["runs"]
    word = "not decided" if runs is None else "runs" if runs else "skipped"
    times = f" ×{len(row['legs'])}" if row["legs"] else ""
    texture: Texture = "hatch" if row["fault"] else "dots" if runs is None else "soft" if runs else "outline"
    said = "breaks" if row["fault"] else f"{word}{times}"
    return [
        box(x, y, wide, TALL, texture, f"{name}: {said} ({row['why']})"),
        label(x + wide / 2, y + 15, name, anchor="middle", room=wide - 8, size=12),
        label(x + wide / 2, y + 30, said, anchor="middle", room=wide - 8, size=11, soft=True),
    ]
