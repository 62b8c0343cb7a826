"""What the application has answered so far: requests, failures and slow ones, from its own counters.

Counters belong to a process: behind a load balancer each look may reach another one, so each row says whose it is
(``process_start_time_seconds``), and only figures of one process are ever subtracted. Names: the product's server
(``<prefix>http_requests_total``, ``<prefix>http_request_duration_ms``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Row
from opslib.systems.target import ReadTarget

OURS = ("/metrics", "/health", "/healthz", "/ready", "/node-metrics")
"""Beginnings of routes that nobody but monitoring asks for; they are not counted."""
EDGES = (500.0, 1000.0)
"""Milliseconds of the guide's target and alert for response times; counted only where the histogram has that edge."""


@dataclass(frozen=True)
class Window:
    """What happened between the first and the last of several looks: counts, and the processes that were seen.

    ``slow`` is how many took longer than each of :data:`EDGES`, None where the histogram has no such edge.
    """

    requests: int
    failures: int
    slow: tuple[int | None, ...]
    processes: int


@dataclass(frozen=True)
class Counters:
    """What a process has counted since it began. ``within`` is how many took at most so many milliseconds.

    ``routes`` is the same by route.
    """

    process: float | None
    requests: float
    failures: float
    durations: float
    within: dict[float, float]
    routes: dict[str, dict[float, float]] = field(default_factory=dict)


def counters(text: str, prefix: str) -> Counters:
    """Return the counters of Prometheus ``text``; raises Unreachable when it has no counter of that prefix."""
    from prometheus_client.parser import text_string_to_metric_families

    requests = failures = durations = 0.0
    within: dict[float, float] = {}
    routes: dict[str, dict[float, float]] = {}
    process, seen = None, False
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "process_start_time_seconds":
                    process = sample.value
                if not sample.name.startswith(prefix) or str(sample.labels.get("route", "")).startswith(OURS):
                    continue
                name = sample.name.removeprefix(prefix)
                if name == "http_requests_total":
                    seen = True
                    requests += sample.value
                    failures += sample.value * sample.labels.get("status_code", "").startswith("5")
                elif name == "http_request_duration_ms_bucket":
                    edge = float(sample.labels.get("le", "nan"))
                    within[edge] = within.get(edge, 0.0) + sample.value
                    route = routes.setdefault(str(sample.labels.get("route", "")), {})
                    route[edge] = route.get(edge, 0.0) + sample.value
                elif name == "http_request_duration_ms_count":
                    durations += sample.value
    except ValueError as error:
        raise Unreachable(f"The metrics are no Prometheus text ({error}).", "Look at /metrics.", "malformed") from None
    if not seen and f"{prefix}http_requests_total" not in text:
        raise Unreachable(
            f"The metrics hold no {prefix}http_requests_total.",
            "Correct OPS_METRICS_PREFIX, or look at /metrics.",
            "other",
        )
    return Counters(process, requests, failures, durations, within, routes)


def counted(text: str, prefix: str) -> dict[str, Any]:
    """Return the counters of Prometheus ``text``: requests, failures (5xx), slow by edge, and whose they are."""
    said = counters(text, prefix)
    slow = {
        f"over_{edge:g}_ms": int(said.durations - said.within[edge]) if edge in said.within else None for edge in EDGES
    }
    return {"process": said.process, "requests": int(said.requests), "failures": int(said.failures), **slow}


def between(rows: Sequence[Row]) -> Window | None:
    """Return what happened over ``rows`` of the probe, in the order in which they were taken; None of less than two.

    Figures of different processes are kept apart; what a process did before it was first seen does not count.
    """
    if len(rows) < 2:
        return None
    by_process: dict[Any, list[Row]] = {}
    for row in rows:
        by_process.setdefault(row["process"], []).append(row)
    names = ("requests", "failures", *(f"over_{edge:g}_ms" for edge in EDGES))
    sums: dict[str, int | None] = dict.fromkeys(names, 0)
    for seen in by_process.values():
        for name in names:
            known = sums[name]
            sums[name] = (
                None if known is None or any(one[name] is None for one in seen) else known + _growth(seen, name)
            )
    requests, failures = sums["requests"] or 0, sums["failures"] or 0
    return Window(requests, failures, tuple(sums[name] for name in names[2:]), len(by_process))


def _growth(seen: Sequence[Row], name: str) -> int:
    # A counter that fell was begun anew without a word of it; what it holds came since.
    return sum(last[name] - first[name] if last[name] >= first[name] else last[name] for first, last in pairwise(seen))


def address(target: ReadTarget, path: str) -> str:
    """Return an address of the application; raises Unreachable when its base is not described."""
    base = target.settings.application_url
    if base is None:
        raise Unreachable(
            "The application's address is not in the target description.", "Set VITE_API_BASE_URL.", "unset"
        )
    return base.rstrip("/") + path


def looked(target: ReadTarget) -> Counters:
    """Return the application's counters as they stand now; raises Unreachable where it serves none."""
    return counters(_text(target), target.settings.metrics_prefix)


def counts(target: ReadTarget) -> dict[str, Any]:
    """Return the same as one row; raises Unreachable as :func:`looked`."""
    return counted(_text(target), target.settings.metrics_prefix)


def _text(target: ReadTarget) -> str:
    where = address(target, "/metrics")
    answer = target.web.get(where)
    if answer.status != 200:
        raise Unreachable(f"{where} answered {answer.status}.", "Look whether metrics are served there.", "other")
    return answer.text
