"""How long each route's requests took within a window: cumulative counts by milliseconds, a row a route.

From Prometheus where the description names one, else from two scrapes of one and the same process, as for all routes
together (:mod:`.application_window`).
"""

from __future__ import annotations

import math
from typing import Any

from opslib.model import Probe
from opslib.probes.application_fresh import alive
from opslib.probes.application_traffic import Counters
from opslib.probes.application_window import named, twice
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget

LONGEST = 120
"""Characters of a route that are shown: its text is whatever somebody asked for."""


def routes(hours: int = 1, seconds: float = 5.0) -> Probe:
    """Return the probe of the last ``hours`` at Prometheus or, where there is none, of ``seconds`` between two scrapes.

    A row a route: source, route, edges (cumulative counts by milliseconds). None where the histogram has no series.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if target.settings.prometheus_url is None:
            first, last = twice(target, seconds)
            return _rows(f"two scrapes, {seconds:g} s apart", _between(first, last))
        alive(target)
        found: dict[str, dict[float, float]] = {}
        for sample in target.prometheus.ask(series_question("routes").filled(target.settings, f"{hours:d}h")):
            if "le" in sample.labels and not math.isnan(sample.number):
                route = found.setdefault(sample.labels.get("route", ""), {})
                route[float(sample.labels["le"])] = sample.number
        return _rows(f"Prometheus, the last {hours} h", found)

    return Probe(
        "application-routes",
        "How long each route's requests took",
        read,
        source=f"GET /api/v1/query?query={series_question('routes').text}",
    )


def _between(first: Counters, last: Counters) -> dict[str, dict[float, float]]:
    return {
        route: {edge: count - first.routes.get(route, {}).get(edge, 0.0) for edge, count in edges.items()}
        for route, edges in last.routes.items()
    }


def _rows(source: str, found: dict[str, dict[float, float]]) -> list[dict[str, Any]]:
    return [
        {
            "source": source,
            "route": route[:LONGEST],
            "edges": {named(edge): round(count, 1) for edge, count in sorted(edges.items())},
        }
        for route, edges in sorted(found.items())
    ]
