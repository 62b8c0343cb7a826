"""Errors and slow answers since a deployment, beside a window as long right before it. From Prometheus alone."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.guide.thresholds import threshold
from opslib.model import Probe, Reading, now
from opslib.probes.application_fresh import alive
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget

LONGEST, SHORTEST = 60, 5
"""Minutes: a window is as long as it is since the deployment, but no longer, and no shorter."""
TARGET = threshold("response-time-p95").warning or 0.0


def moment_of(deployed: Reading) -> datetime | None:
    """Return when something was last deployed, by the reading of ``probes.triage.deployed``; None where unknown."""
    found = [row["at"] for row in deployed.rows if row["at"]]
    return max(datetime.fromisoformat(str(at)) for at in found) if found else None


def compared(deployed: Reading) -> Probe:
    """Return the probe of two windows: a row ``before`` and a row ``since`` the deployment.

    Each has requests, failures (5xx) and ``slow``, those beyond the guide's target; None where there is no such series.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        at = moment_of(deployed)
        if at is None:
            raise Unreachable(
                f"When it was deployed is not known: {deployed.unknown or 'nothing tells it'}", "See deployed."
            )
        alive(target)
        minutes = math.floor((now() - at).total_seconds() / 60)
        if minutes < SHORTEST:
            raise Unreachable(f"It was deployed {max(0, minutes)} minutes ago.", f"Look after {SHORTEST} minutes.")
        span = min(minutes, LONGEST)
        ends = {"before": at.timestamp(), "since": now().timestamp()}
        return [
            {"when": name, "minutes": span, "until": _text(end), **_window(target, f"{span}m", end)}
            for name, end in ends.items()
        ]

    questions = " · ".join(series_question(name).text for name in ("requests", "durations"))
    return Probe(
        "application-compared",
        "What the API answered before and since the deployment",
        read,
        source=f"GET /api/v1/query?time=…&query={questions}",
        units={"minutes": "min"},
    )


def _window(target: ReadTarget, span: str, end: float) -> dict[str, Any]:
    statuses = target.prometheus.ask(series_question("requests").filled(target.settings, span), end)
    edges = target.prometheus.ask(series_question("durations").filled(target.settings, span), end)
    answered = [(one.labels.get("status_code", ""), one.number) for one in statuses if not math.isnan(one.number)]
    within = {float(one.labels["le"]): one.number for one in edges if "le" in one.labels}
    timed, fast = within.get(math.inf), within.get(TARGET)
    return {
        "requests": round(sum(number for _, number in answered)) if answered else None,
        "failures": round(sum(number for status, number in answered if status.startswith("5"))),
        "timed": None if timed is None else round(timed),
        "slow": None if timed is None or fast is None else round(timed - fast),
    }


def _text(end: float) -> str:
    return datetime.fromtimestamp(end).astimezone().isoformat(timespec="seconds")
