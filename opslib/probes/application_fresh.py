"""How old the newest metrics of the API are, instance by instance: looked at before anything is said of them.

Ages are by Prometheus' own clock (the moment at which it answers), so that a clock that is wrong here does no harm.
"""

from __future__ import annotations

import re
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.series_questions import series_question
from opslib.systems.prometheus import Target
from opslib.systems.target import ReadTarget

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
USUAL_INTERVAL = 60.0
"""Prometheus' default, where a target does not say (before 2.30)."""
MISSED = 4.0
"""Scrape intervals after which figures are too old to be judged."""


def interval(text: str) -> float:
    """Return a duration as Prometheus writes it (``15s``, ``1m30s``) in seconds; the default for one that is none."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts) or USUAL_INTERVAL


def read(target: ReadTarget) -> list[dict[str, Any]]:
    """Return a row per instance: its health, the newest sample's age, and how many scrape intervals that is."""
    job = target.settings.prometheus_job
    ages = {}
    for sample in target.prometheus.ask(series_question("newest").filled(target.settings)):
        ages[sample.labels.get("instance", "")] = max(0.0, sample.value[0] - sample.number)
    scraped = [one for one in target.prometheus.targets() if one.labels.get("job", one.pool) == job]
    return [_row(one, ages.get(one.labels.get("instance", ""))) for one in scraped]


def _row(one: Target, age: float | None) -> dict[str, Any]:
    every = interval(one.interval)
    return {
        "instance": one.labels.get("instance", "?"),
        "health": one.health,
        "age": None if age is None else round(age, 1),
        "interval": every,
        "missed": None if age is None else round(age / every, 2),
        "last_scrape": one.scraped,
        "why": one.error,
    }


def alive(target: ReadTarget) -> None:
    """Raise Unreachable where no instance's metrics are fresh: nothing may be said of older ones."""
    rows = read(target)
    job = target.settings.prometheus_job
    if not rows:
        raise Unreachable(
            f"Prometheus has no target of the job {job}.", "Correct OPS_PROMETHEUS_JOB, or its scrape configuration."
        )
    if not any(row["missed"] is not None and row["missed"] <= MISSED for row in rows):
        raise Unreachable(
            f"The metrics of {job} are too old to judge: none of {len(rows)} instances was scraped lately.",
            "See why they are not scraped (diagnostics/observability).",
            "stale",
        )


fresh = Probe(
    "application-fresh",
    "How old the newest metrics of the API are",
    read,
    source=f"GET /api/v1/query?query={series_question('newest').text} · GET /api/v1/targets",
    units={"age": "s", "interval": "s"},
)
"""One row an instance; ``age`` is None where the newest sample is older than Prometheus looks back (5 min)."""
