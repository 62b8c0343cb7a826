"""What users had of an incident: requests that failed, and how long the others took; of no data nothing is said."""

from __future__ import annotations

from typing import Any

from opslib.checks.application_rates import percentile
from opslib.checks.application_watch import Share
from opslib.guide.incident import when
from opslib.guide.review import Told
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count
from opslib.probes.observability_impact import impact as probe


def impact(told: Told) -> Check:
    """Error rate, 95th percentile and requests that failed from its beginning until it was resolved, else mitigated.

    These are facts and not judged: OK says that they are known, WARNING that a part of the window is not, and UNKNOWN
    that Prometheus holds nothing of it. Nothing is taken for zero.
    """

    def judge(reading: Reading) -> Judgement:
        whole, parts = reading.rows[0], reading.rows[1:]
        rows = tuple(_part(row) for row in parts)
        window = f"{when(whole['from']):%Y-%m-%d %H:%M} to {when(whole['to']):%H:%M} UTC"
        if not whole["requests"]:
            why = "holds no such series" if whole["requests"] is None else "saw no request, which proves nothing,"
            return Judgement(Verdict.UNKNOWN, f"{window}: Prometheus {why} in that time. Empty is no zero.", None, rows)
        share = Share(round(whole["failures"]), round(whole["requests"]))
        more = round(whole["uncounted"])
        hidden = f", and at most {count(more)} more, of series that began then" if more else ""
        slow, known = _slow(whole["edges"])
        said = f"{window}: {count(share.part)} requests failed, {share}{hidden}; {slow}"
        blind = [row for row in parts if row["requests"] is None]
        if blind:
            said += f"; of {len(blind)} of {len(parts)} parts there is nothing, so it is at least that"
        if not known:
            return Judgement(Verdict.UNKNOWN, f"{said}.", share.percent, rows)
        return Judgement(Verdict.WARNING if blind else Verdict.OK, f"{said}.", share.percent, rows)

    return Check(
        "review-impact",
        "What users had of it",
        probe(told.began, told.resolved or told.mitigated),
        judge,
        "Prometheus keeps only so long, and only what it scraped (diagnostics/observability). Ask support what users "
        "reported, and write down that the figure is not known.",
        items=("SUP-ONC-05",),
    )


def _slow(edges: dict[str, float]) -> tuple[str, bool]:
    place = percentile(edges)
    if place is None:
        return "the P95 is UNKNOWN, for there is no histogram", False
    if place.value is None:
        return f"the P95 was more than {place.low:g} ms, where the histogram ends", True
    return f"the P95 was between {place.low:g} and {place.high:g} ms", True


def _part(row: Row) -> dict[str, Any]:
    requests, failures = row["requests"], row["failures"]
    share = round(100 * failures / requests, 3) if requests else None
    return {"from": row["from"], "to": row["to"], "requests": requests, "failures": failures, "failed_percent": share}
