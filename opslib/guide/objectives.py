"""The pairs of windows by which the pace of a budget of failures is judged: a long one is sure, a short one is quick.

Source: Google's SRE workbook, chapter 5 (multiwindow, multi-burn-rate alerts); the limits are rows of ``policy.tsv``.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.guide.thresholds import threshold
from opslib.model import Threshold


@dataclass(frozen=True)
class Pair:
    """A long and a short window; both must be beyond the limit."""

    long: str
    short: str

    @property
    def limit(self) -> Threshold:
        """How many times the budget's pace is too fast: critical for a page, warning for a ticket."""
        return threshold(f"burn-rate-{self.long}")


PAIRS = (Pair("1h", "5m"), Pair("6h", "30m"), Pair("1d", "2h"), Pair("3d", "6h"))
MONTH = "30d"
"""The window of the whole budget."""
