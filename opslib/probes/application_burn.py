"""How fast the budget of failures is used up, window by window (:mod:`opslib.guide.objectives`)."""

from __future__ import annotations

from typing import Any

from opslib.guide.objectives import MONTH, PAIRS
from opslib.model import Probe
from opslib.probes.application_fresh import alive
from opslib.probes.application_window import answered, summed
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget


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
