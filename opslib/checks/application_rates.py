"""Error rate and response times of a window, held against the guide; nothing is green for want of requests."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opslib.checks.application_watch import ERROR_RATE, RESPONSE_TIME, Share
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count
from opslib.probes import application as probes

SHARE = 0.95
"""Of the requests whose time is judged: a 95th percentile."""
LEAST = 100
"""Requests under which no share is given."""


@dataclass(frozen=True)
class Place:
    """Where a percentile lies in a histogram: above ``low`` and at most ``high``; ``value`` by interpolation."""

    low: float
    high: float
    value: float | None

    def beyond(self, limit: float) -> bool | None:
        """Tell whether it is above ``limit``; None where the histogram has no edge that could tell."""
        if self.low >= limit:
            return True
        return False if self.high <= limit else None


def percentile(edges: dict[str, float], share: float = SHARE) -> Place | None:
    """Return where a percentile lies in cumulative counts by upper edge; None of a histogram that holds nothing.

    Interpolated as Prometheus does, but for the last bucket: what lies above every finite edge has no value.
    """
    buckets = sorted((float(edge), number) for edge, number in edges.items())
    if not buckets or not math.isinf(buckets[-1][0]) or buckets[-1][1] <= 0:
        return None
    rank, low, below = share * buckets[-1][1], 0.0, 0.0
    for edge, number in buckets:
        if number >= rank:
            inside = number - below
            value = None if math.isinf(edge) else low + (edge - low) * ((rank - below) / inside if inside else 1.0)
            return Place(low, edge, value)
        low, below = edge, number
    return None


def above(edges: dict[str, float], limit: float) -> float | None:
    """Return the percent of requests that took longer than ``limit``; None where it is no edge."""
    total = edges.get("+Inf", 0.0)
    within = next((number for edge, number in edges.items() if float(edge) == limit), None)
    return 100 * (total - within) / total if within is not None and total else None


def _few(row: Row, least: int, figure: float | None) -> str:
    """Return why a window's shares are not to be judged; empty where they are."""
    if figure is None:
        return f"There is no such series: {row['source']} holds none for this job and prefix. Empty is no zero."
    if figure <= 0:
        return f"Nobody asked anything ({row['source']}): no request is no proof of health."
    if figure < least:
        return f"Only {count(round(figure))} requests ({row['source']}); under {least} no share is given."
    return ""


def error_rate(hours: int = 1, seconds: float = 5.0, least: int = LEAST) -> Check:
    """Return the check of the share of requests that ended in a 5xx, over ``hours`` (else ``seconds``).

    UNKNOWN without requests, with fewer than ``least``, and where the 95 % interval, or what new series hide, reaches
    over the guide's alert.
    """

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        rows = _statuses(row)
        if few := _few(row, least, row["requests"]):
            return Judgement(Verdict.UNKNOWN, few, None, rows)
        failures, requests, more = (round(row[name]) for name in ("failures", "requests", "uncounted"))
        share = Share(failures, requests)
        said = f"{row['source']}: {share} of the requests failed"
        said += f", and at most {count(more)} more, of series that began within the window" if more else ""
        return Judgement(_with(share, Share(failures + more, requests + more)), f"{said}.", share.percent, rows)

    return Check(
        name="application-error-rate",
        title="Requests that end in a 5xx",
        probe=probes.window(hours, seconds),
        judge=judge,
        remedy=(
            "New since the API was deployed: disaster/recover-everything with services=api, back=previous. Else: "
            "diagnostics/dependencies (new issues at Sentry), diagnostics/database, diagnostics/llm. What has failed "
            "stays in the figure until it is older than the window."
        ),
        threshold=ERROR_RATE,
        items=("MON-APP-03T", "MON-APP-03A"),
    )


def _with(least: Share, most: Share) -> Verdict:
    """Return the verdict on a share that is known to lie between two; UNKNOWN where an alert depends on which."""
    low, high = (one.against(ERROR_RATE.warning or 0.0, ERROR_RATE.critical or 0.0) for one in (least, most))
    if low is high or Verdict.CRITICAL not in (low, high):
        return Verdict.worst((low, high))
    return Verdict.UNKNOWN


def _statuses(row: Row) -> tuple[Row, ...]:
    total = row["requests"]
    said = row["statuses"] or {"5xx": row["failures"]}
    return tuple(
        {"status": status, "requests": number, "share": round(100 * number / total, 3) if total else None}
        for status, number in said.items()
    )


def response_time(hours: int = 1, seconds: float = 5.0, least: int = LEAST) -> Check:
    """Return the check of the 95th percentile of response times, judged by exact shares above the histogram's edges.

    UNKNOWN where the histogram has no edge that could tell: a limit at which no bucket ends, or above them all.
    """

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        edges: dict[str, float] = row["edges"]
        rows = _rows(edges)
        place = percentile(edges)
        if few := _few(row, least, edges.get("+Inf")):
            return Judgement(Verdict.UNKNOWN, few, None, rows)
        assert place is not None
        target, alert = (place.beyond(limit or 0.0) for limit in (RESPONSE_TIME.warning, RESPONSE_TIME.critical))
        if alert:
            verdict = Verdict.CRITICAL
        elif alert is None:
            verdict = Verdict.UNKNOWN
        else:
            verdict = Verdict.OK if target is False else Verdict.WARNING
        return Judgement(verdict, f"{row['source']}: {_said(edges, place)}.", place.value, rows)

    return Check(
        name="application-response-time",
        title="95th percentile of response times",
        probe=probes.window(hours, seconds),
        judge=judge,
        remedy=(
            "See which routes are slow (below), then diagnostics/database and diagnostics/llm; if it is load and "
            "nothing else, runbooks/scale-for-high-traffic. UNKNOWN: the histogram needs an edge at the limit and one "
            "above it."
        ),
        threshold=RESPONSE_TIME,
        items=("MON-APP-02T", "MON-APP-02A"),
    )


def _said(edges: dict[str, float], place: Place) -> str:
    limits = [limit for limit in (RESPONSE_TIME.warning, RESPONSE_TIME.critical) if limit is not None]
    shares = [f"above {limit:g} ms {_percent(above(edges, limit))}" for limit in limits]
    if place.value is None:
        top = above(edges, place.low)
        where = f"the P95 is UNKNOWN: more than {place.low:g} ms, where the histogram ends; {_percent(top)} took longer"
    else:
        where = f"the P95 is between {place.low:g} and {place.high:g} ms (interpolated: {place.value:.0f} ms)"
    return f"{where}; {', '.join(shares)}; limit 5 %"


def _percent(share: float | None) -> str:
    return "unknown (no edge there)" if share is None else f"{share:.2f} %"


def _rows(edges: dict[str, float]) -> tuple[Row, ...]:
    total = edges.get("+Inf", 0.0)
    return tuple(
        {"at_most_ms": edge, "requests": number, "above": round(100 * (total - number) / total, 3) if total else None}
        for edge, number in sorted(edges.items(), key=lambda one: float(one[0]))
    )
