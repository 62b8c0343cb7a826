"""For how much of a time the API could be scraped, day by day; time of which nobody knows is kept apart.

The share of each slice is that of the best instance: an API of which one instance answers is up. An outage that is
shorter than the scrape interval is not seen.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opslib.model import Probe
from opslib.probes.application_fresh import alive
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget

SLICE, SLICE_SECONDS = "10m", 600
"""Length of a slice: 30 days are 4320 points, of at most 11 000 that Prometheus gives."""
MOST_DAYS = 60


def uptime(days: int = 30) -> Probe:
    """Return the probe of the last ``days`` (at most :data:`MOST_DAYS`): a row a day, the oldest first.

    Days before the first scrape have no row. Minutes: up, down, unknown.
    """
    asked = series_question("uptime")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        alive(target)
        end = datetime.now(UTC).timestamp() // SLICE_SECONDS * SLICE_SECONDS
        start = end - min(days, MOST_DAYS) * 86400 + SLICE_SECONDS
        lines = target.prometheus.over(asked.filled(target.settings, SLICE), start, end, SLICE_SECONDS)
        known = {round(at): float(text) for line in lines for at, text in line.values}
        return _days(known, round(end))

    return Probe(
        "application-uptime",
        f"Time in which the API could be scraped, last {days} days",
        read,
        source=f"GET /api/v1/query_range?query={asked.text}&step={SLICE}",
        units={"up": "minutes", "down": "minutes", "unknown": "minutes"},
    )


def _days(known: dict[int, float], end: int) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for at in range(min(known, default=end), end + 1, SLICE_SECONDS):
        share = known.get(at)
        day = datetime.fromtimestamp(at - SLICE_SECONDS / 2, UTC).date().isoformat()
        row = found.setdefault(day, {"day": day, "up": 0.0, "down": 0.0, "unknown": 0.0})
        minutes = SLICE_SECONDS / 60
        if share is None or share != share:
            row["unknown"] += minutes
        else:
            row["up"] += minutes * share
            row["down"] += minutes * (1 - share)
    return [{name: _rounded(value) for name, value in row.items()} for row in found.values()] if known else []


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value
