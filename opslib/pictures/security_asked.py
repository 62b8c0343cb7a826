"""A picture of what logs answered: requests by the hour."""

from __future__ import annotations

from opslib.model import Picture, Reading
from opslib.pictures.charts import line_chart
from opslib.pictures.svg import picture, sentence

TITLE = "Requests by the hour"


def requests(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security.log_hours``: requests of each hour that had any, oldest left."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "no line of the window says a status"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    rows = reading.rows
    counts = [row["lines"] for row in rows]
    most = max(range(len(counts)), key=counts.__getitem__)
    begin, end = _moment(rows[0]["slot"]), _moment(rows[-1]["slot"])
    said = f"{sum(counts)} requests in {len(counts)} hours, from {begin} to {end} UTC"
    said += f"; most, {counts[most]}, in the hour from {_moment(rows[most]['slot'])}"
    return picture(TITLE, f"{said}.", line_chart(counts, begin, end, "requests"))


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
