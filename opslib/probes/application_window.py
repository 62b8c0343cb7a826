"""What the API answered within a window: how many, by status, and how long they took.

From Prometheus where the description names one, else from two scrapes of the API itself, of one and the same process.
Empty is no zero: a series that is not there, or a window without a request, is told as None and as 0.
"""

from __future__ import annotations

import math
import time
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.application_fresh import alive
from opslib.probes.application_traffic import Counters, looked
from opslib.probes.series_questions import series_question
from opslib.systems.target import ReadTarget

LOOKS = 4
"""Scrapes after which two of one process should have been among them, however many there are behind a balancer."""


def window(hours: int = 1, seconds: float = 5.0) -> Probe:
    """Return the probe of the last ``hours`` at Prometheus or, where there is none, of ``seconds`` between two scrapes.

    One row: source, requests (None: no such series), failures, uncounted (at most so many more: series that began with
    a failure), statuses, edges (cumulative counts by milliseconds).
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if target.settings.prometheus_url is None:
            return [two_scrapes(target, seconds)]
        alive(target)
        span = f"{hours:d}h"
        statuses = answered(target, span)
        return [
            {
                "source": f"Prometheus, the last {hours} h",
                "seconds": hours * 3600.0,
                **summed(statuses),
                "uncounted": _uncounted(target, span),
                "statuses": statuses,
                "edges": _edges(target, span),
            }
        ]

    questions = " · ".join(series_question(name).text for name in ("requests", "new-failures", "durations"))
    return Probe(
        "application-window",
        "What the API answered, and how fast",
        read,
        source=f"GET /api/v1/query?query={questions}",
        units={"seconds": "s"},
    )


def answered(target: ReadTarget, span: str) -> dict[str, float]:
    """Return the requests of a window such as ``5m``, by status; empty where there is no such series.

    Raises Unreachable where the series do not say the status: no failure could be seen.
    """
    found: dict[str, float] = {}
    for sample in target.prometheus.ask(series_question("requests").filled(target.settings, span)):
        status = sample.labels.get("status_code", "")
        if not status:
            raise Unreachable("The counter of requests has no label status_code: a failure could not be told.")
        if not math.isnan(sample.number):
            found[status] = round(sample.number, 1)
    return dict(sorted(found.items()))


def summed(statuses: dict[str, float]) -> dict[str, float | None]:
    """Return requests and failures (5xx) of a window; None of both where there is no series."""
    if not statuses:
        return {"requests": None, "failures": None}
    failures = sum(value for status, value in statuses.items() if status.startswith("5"))
    return {"requests": round(sum(statuses.values()), 1), "failures": round(failures, 1)}


def two_scrapes(target: ReadTarget, seconds: float) -> dict[str, Any]:
    """Return what one process answered between two looks at its counters; raises Unreachable where none came twice."""
    return _between(*twice(target, seconds), seconds)


def twice(target: ReadTarget, seconds: float) -> tuple[Counters, Counters]:
    """Return the counters of one process, two looks apart; raises Unreachable where none came twice."""
    seen = [looked(target)]
    for _ in range(LOOKS - 1):
        time.sleep(seconds)
        last = looked(target)
        first = next((one for one in seen if one.process == last.process), None)
        if first is not None:
            return first, last
        seen.append(last)
    raise Unreachable(
        f"{LOOKS} looks reached {LOOKS} processes: counters of different ones are not subtracted.",
        "Ask one instance, or set OPS_PROMETHEUS_URL.",
        "other",
    )


def _between(first: Counters, last: Counters, seconds: float) -> dict[str, Any]:
    edges = {named(edge): count - first.within.get(edge, 0.0) for edge, count in sorted(last.within.items())}
    return {
        "source": f"two scrapes, {seconds:g} s apart",
        "seconds": seconds,
        "requests": last.requests - first.requests,
        "failures": last.failures - first.failures,
        "uncounted": 0.0,
        "statuses": {},
        "edges": edges,
    }


def _uncounted(target: ReadTarget, span: str) -> float:
    found = target.prometheus.ask(series_question("new-failures").filled(target.settings, span))
    return round(sum(one.number for one in found if not math.isnan(one.number)), 1)


def _edges(target: ReadTarget, span: str) -> dict[str, float]:
    found = target.prometheus.ask(series_question("durations").filled(target.settings, span))
    known = {float(one.labels["le"]): one.number for one in found if "le" in one.labels and not math.isnan(one.number)}
    return {named(edge): round(count, 1) for edge, count in sorted(known.items())}


def named(edge: float) -> str:
    """Return the upper edge of a bucket as rows name it."""
    return "+Inf" if math.isinf(edge) else f"{edge:g}"
