"""Pictures of delivery: a workflow run job by job, and what a change would run."""

from __future__ import annotations

from datetime import datetime

from opslib.model import Picture, Reading, Row
from opslib.pictures.delivery_change import files, graph
from opslib.pictures.figures import duration
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

__all__ = ["files", "graph", "run_by_job"]

TITLE = "The newest run, job by job"
LEGEND = "Solid: success. Hatched: failed or cancelled. Dotted: going on or waiting. Skipped or queued: no bar."
LEFT, RIGHT, LINE = 200.0, 190.0, 22


def run_by_job(reading: Reading) -> Picture:
    """Draw the reading of ``probes.delivery.jobs``: when each job began and how long it took, and how it ended."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "the workflow has never run"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    rows = list(reading.rows)
    begun = datetime.fromisoformat(rows[0]["created"])
    starts = [_since(row, begun) for row in rows]
    total = max([start + (row["seconds"] or 0) for row, start in zip(rows, starts, strict=True)] + [1.0])
    scale = (WIDTH - LEFT - RIGHT) / total
    nodes: list[Node] = []
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        y, word = i * LINE, _word(row)
        nodes.append(label(LEFT - 10, y + 13, row["job"], anchor="end", room=LEFT - 10))
        if row["conclusion"] != "skipped" and row["status"] != "queued":
            length = max(3.0, (row["seconds"] or total - start) * scale)
            nodes.append(box(LEFT + start * scale, y + 3, length, 13, _texture(row), f"{row['job']}: {word}"))
        nodes.append(label(WIDTH - RIGHT + 10, y + 13, word, room=RIGHT - 10))
    ends = [row["conclusion"] or row["status"] for row in rows]
    counts = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))
    return picture(TITLE, f"{len(rows)} jobs: {counts}.", Block(len(rows) * LINE, tuple(nodes)), sentence(LEGEND))


def _since(row: Row, begun: datetime) -> float:
    return max(0.0, (datetime.fromisoformat(row["started"]) - begun).total_seconds()) if row["started"] else 0.0


def _word(row: Row) -> str:
    took = f", {duration(row['seconds'])}" if row["seconds"] and row["conclusion"] != "skipped" else ""
    return f"{row['conclusion'] or row['status']}{took}"


def _texture(row: Row) -> Texture:
    if row["conclusion"] is None:
        return "dots"
    return "solid" if row["conclusion"] == "success" else "hatch"
