"""No label of the application's metrics grows with what is asked or with who asks."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count
from opslib.probes import observability as probes
from opslib.probes.observability_labels import MOST

VALUES, SERIES = threshold("label-values"), threshold("metric-series")
SHOWN = 20


def _judge(reading: Reading) -> Judgement:
    limits = {"label": VALUES, "metric": SERIES}
    judged = [(limits[row["what"]].judge(row["number"]), row) for row in reading.rows]
    judged.sort(key=lambda one: -list(Verdict).index(one[0]))
    rows = tuple(row for _, row in judged[:SHOWN])
    most = max((row["number"] for row in reading.rows if row["what"] == "label"), default=0)
    amiss = [row for verdict, row in judged if verdict is not Verdict.OK]
    total = sum(row["number"] for row in reading.rows if row["what"] == "metric")
    if amiss:
        said = "; ".join(_said(row["what"], row["name"], row["number"]) for row in amiss[:4])
        return Judgement(judged[0][0], f"{said}; {count(total)} series in all.", most, rows)
    labels = sum(row["what"] == "label" for row in reading.rows)
    said = f"{labels} labels have at most {count(most)} values each; {count(total)} series in all."
    return Judgement(Verdict.OK, said, most, rows)


def _said(what: str, name: str, number: int) -> str:
    least = "at least " if what == "label" and number >= MOST else ""
    return f"{what} {name} has {least}{count(number)} {'values' if what == 'label' else 'series'}"


labels = Check(
    name="observability-labels",
    title="No label of the metrics grows without end",
    probe=probes.labels,
    judge=_judge,
    remedy=(
        "Let the label say the route's pattern, and not the address that was asked for; drop identifiers of people, "
        "tenants and requests from it (those belong into logs and traces). Since the API's "
        "newest version: disaster/recover-everything with services=api, back=previous. Until then the label can be "
        "dropped in Prometheus (metric_relabel_configs)."
    ),
    threshold=VALUES,
)
"""WARNING and CRITICAL by the values of one label, and by the series of one metric; UNKNOWN without any series."""
