"""How fast the budget of failures is used up, in pairs of windows: a long one that is sure, a short one that is quick.

Source: Google's SRE workbook, chapter 5 (multiwindow, multi-burn-rate alerts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opslib.guide.thresholds import threshold
from opslib.model import Probe, Threshold
from opslib.probes.application_fresh import alive
from opslib.probes.application_window import answered, summed
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget


@dataclass(frozen=True)
class Pair:
    """A long and a short window, and how many times the budget's pace is too fast in both."""

    long: str
    short: str

    @property
    def limit(self) -> Threshold:
        """The threshold of the pair: critical for a page, warning for a ticket."""
        return threshold(f"burn-rate-{self.long}")


PAIRS = (Pair("1h", "5m"), Pair("6h", "30m"), Pair("1d", "2h"), Pair("3d", "6h"))
MONTH = "30d"


def burn(objective: float, month: bool = True) -> Probe:
    """Return the probe of the pace at which ``100 - objective`` percent of failures is used up.

    A row per window: requests, failures, and the pace (1: exactly used up in 30 days); None where nobody asked
    anything. ``month`` adds the window of 30 days, which takes Prometheus longest.
    """
    budget = (100 - objective) / 100
    spans = tuple(dict.fromkeys(span for pair in PAIRS for span in (pair.long, pair.short)))

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        alive(target)
        rows = []
        for span in (*spans, MONTH) if month else spans:
            said = summed(answered(target, span))
            requests, failures = said["requests"], said["failures"]
            pace = failures / requests / budget if requests and failures is not None else None
            rows.append({"window": span, **said, "pace": None if pace is None else round(pace, 3)})
        return rows

    return Probe(
        "application-burn",
        f"Pace at which the budget of {100 - objective:g} % failures is used up",
        read,
        source=f"GET /api/v1/query?query={series_question('requests').text}",
    )
