"""The alert rules as Prometheus has them, with what each one stands on; whom it tells; and what fires now."""

from __future__ import annotations

import math
from typing import Any

from opslib.guide.thresholds import contradictions as contradicting
from opslib.model import Probe
from opslib.probes.observability_queries import series
from opslib.systems.target import ReadTarget

LONGEST = 4000
"""Characters of a query that are read; a longer one is cut, and then has no comparison at its end."""
MOST_HISTOGRAMS = 20
BUCKET = "_bucket"


def _rules(target: ReadTarget) -> list[dict[str, Any]]:
    names = target.prometheus.names()
    known: dict[str, list[float]] = {}
    rows = []
    for group, rule in target.prometheus.rules():
        query = rule.query[:LONGEST]
        reads = series(query)
        for name in reads:
            if name.endswith(BUCKET) and name in names and name not in known and len(known) < MOST_HISTOGRAMS:
                known[name] = [edge for edge in target.prometheus.edges(name) if not math.isinf(edge)]
        rows.append(
            {
                "rule": rule.name,
                "group": group,
                "severity": rule.labels.get("severity", ""),
                "query": query,
                "for": rule.duration,
                "health": rule.health,
                "error": rule.error,
                "reads": reads,
                "nobody_exports": [name for name in reads if name not in names],
                "edges": {name: known[name] for name in reads if name in known},
                "labels": {"alertname": rule.name, **rule.labels},
            }
        )
    return rows


rules = Probe(
    "observability-rules",
    "Alert rules, and what they stand on",
    _rules,
    source="GET /api/v1/rules?type=alert · /api/v1/label/__name__/values · /api/v1/metadata · /api/v1/label/le/values",
    units={"for": "s"},
)
"""A row a rule: the series that it reads, which of them nobody exports, and the finite edges of its histograms."""


def _told(target: ReadTarget) -> list[dict[str, Any]]:
    sent_to = target.prometheus.alertmanagers()
    routing, silences = target.alertmanager.routing(), target.alertmanager.silences()
    rows = []
    for _, rule in target.prometheus.rules():
        labels = {"alertname": rule.name, **rule.labels}
        silent = [one for one in silences if one.covers(labels)]
        rows.append(
            {
                "rule": rule.name,
                "severity": rule.labels.get("severity", ""),
                "sent_to": sent_to,
                "receivers": routing.told(labels),
                "kinds": routing.kinds(labels),
                "silent_until": max((one.ends for one in silent), default=None),
                "silenced_by": ", ".join(sorted({one.by for one in silent})),
            }
        )
    return rows


told = Probe(
    "observability-told",
    "Whom each alert is sent to",
    _told,
    source="GET /api/v1/alertmanagers · Alertmanager: GET /api/v2/status · /api/v2/silences",
)
"""A row a rule: the Alertmanagers that Prometheus sends to, the receivers, their kinds, and whether it is silenced."""


def _firing(target: ReadTarget) -> list[dict[str, Any]]:
    found = sorted(target.prometheus.alerts(), key=lambda one: (one.state != "firing", one.since or ""))
    return [
        {
            "alert": one.labels.get("alertname", "?"),
            "state": one.state,
            "severity": one.labels.get("severity", ""),
            "since": one.since,
            "value": one.value,
            "says": one.annotations.get("summary") or one.annotations.get("description", ""),
            "labels": {k: v for k, v in sorted(one.labels.items()) if k not in ("alertname", "severity")},
        }
        for one in found
    ]


firing = Probe("observability-firing", "Alerts that fire or are pending now", _firing, source="GET /api/v1/alerts")
"""A row an alert, those that fire first; none where all is quiet, which says nothing of what cannot fire."""


def _contradictions(target: ReadTarget) -> list[dict[str, Any]]:
    return [dict(row) for row in contradicting()]


contradictions = Probe(
    "observability-contradictions",
    "Limits on which the sources disagree",
    _contradictions,
    source="opslib/guide/policy.tsv",
)
"""A row a figure: the limit that counts and its source, and what the others say. No system is asked."""
