"""How many values the labels of the application's metrics have, and how many series that makes.

Each value is a series more for every metric with that label, in Prometheus' memory for hours after its last sample: a
label that holds what somebody asked for, or who asked, ends the server that should tell of it. Source: Prometheus'
documentation ("Metric and label naming", "Instrumentation": do not overuse labels); HTTP API (labels, label values).
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget

MOST = 5001
"""Values that are counted at most: more of them prove nothing more."""
KNOWN = ("__name__", "le", "quantile", "job", "instance")
"""Labels whose values nobody's requests make: the metrics, a histogram's edges, and what is scraped."""
LONGEST = 60
"""Characters of an example that are shown: its text may be whatever somebody asked for."""


def _labels(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    selector = f'{{job="{settings.prometheus_job}",__name__=~"{settings.metrics_prefix}.+"}}'
    counted = target.prometheus.ask(series_question("series").filled(settings))
    if not counted:
        raise Unreachable(
            f"The job {settings.prometheus_job} has no series that begins with {settings.metrics_prefix}.",
            "Correct OPS_PROMETHEUS_JOB or OPS_METRICS_PREFIX, or see what is scraped (diagnostics/observability).",
            "missing",
        )
    rows: list[dict[str, Any]] = []
    for name in target.prometheus.labels(selector):
        if name not in KNOWN:
            values = target.prometheus.values(selector, name, MOST)
            shown = ", ".join(value[:LONGEST] for value in values[:3])
            rows.append({"what": "label", "name": name, "number": len(values), "such_as": shown})
    metrics = [(one.labels.get("__name__", ""), int(one.number)) for one in counted]
    rows += [{"what": "metric", "name": name, "number": number, "such_as": ""} for name, number in metrics]
    return sorted(rows, key=lambda row: (row["what"], -row["number"]))


labels = Probe(
    "observability-labels",
    "Values of each label, and series of each metric, of the application",
    _labels,
    source=f"GET /api/v1/labels · /api/v1/label/NAME/values?limit={MOST} · query={series_question('series').text}",
)
"""A row a label (``number`` of values) and a metric (``number`` of series), most first."""
