"""Picture of the front end's files: what comes first and what later, each as long as it is large."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Limit, Part, bar_list, budget_bar
from opslib.pictures.figures import size
from opslib.pictures.svg import Texture, heading, picture, sentence

TITLE = "The front end's files, compressed"
LEGEND = "Solid: before anything is shown. Hatched: later. A file that could not be measured has no bar."
MOST, KIBIBYTE = 20, 1024


def bundle(reading: Reading) -> Picture:
    """Draw the reading of ``probes.frontend.bundle``: first scripts against their limits, then the largest files."""
    files = [row for row in reading.rows if row["what"] == "file"]
    if reading.unknown is not None or not files:
        why = f"Unknown: {reading.unknown}" if reading.unknown else "The document names no file."
        return picture(TITLE, why, sentence(why))
    limits = threshold("front-end-initial-scripts")
    first = [row for row in files if row["kind"] == "script" and row["initial"] and row["gzip"]]
    total = sum(row["gzip"] for row in first) / KIBIBYTE
    parts = [Part(_name(row), row["gzip"] / KIBIBYTE, _size(row), _texture(i)) for i, row in enumerate(first)]
    left = (limits.warning or 0) - total
    parts += [Part("left until the warning", left, f"{left:.0f} KiB", "outline")] if left > 0 else []
    marks = [
        Limit(limit, f"{word} {limit:g} KiB")
        for word, limit in (("warning", limits.warning), ("critical", limits.critical))
        if limit is not None
    ]
    largest = sorted(files, key=lambda row: -(row["gzip"] or 0))[:MOST]
    bars = [Bar(_name(row), row["gzip"], _size(row), _note(row), _kind(row)) for row in largest]
    said = f"{total:.0f} KiB of scripts come first, of {len(files)} files; the largest is {_name(largest[0])}."
    return picture(
        TITLE,
        said,
        heading("Scripts that come first"),
        budget_bar(parts, sum(part.value for part in parts), marks),
        heading("The largest files"),
        bar_list(bars),
        sentence(LEGEND),
    )


def _name(row: Row) -> str:
    return str(row["file"]).rpartition("/")[2] or str(row["file"])


def _size(row: Row) -> str:
    return "unknown" if row["gzip"] is None else size(row["gzip"])


def _note(row: Row) -> str:
    return "" if row["state"] == "there" else str(row["state"])


def _kind(row: Row) -> Texture:
    return "solid" if row["initial"] else "hatch"


def _texture(number: int) -> Texture:
    textures: tuple[Texture, ...] = ("solid", "soft", "hatch", "dots")
    return textures[number % len(textures)]
