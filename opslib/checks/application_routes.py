"""The 95th percentile of each route by itself: one that is slow is lost among all the others' requests."""

from __future__ import annotations

from typing import Any

from opslib.checks.application_rates import LEAST, above, percentile
from opslib.checks.application_watch import RESPONSE_TIME
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count
from opslib.probes import application as probes

SHOWN = 15
MODELS = ("/api/llm",)
"""Beginnings of routes that wait for a language model: the guide gives those 5 s, diagnostics/llm their times."""

Judged = tuple[Verdict | None, dict[str, Any]]
"""The verdict on a route, None where it is not judged; and its row."""


def routes(hours: int = 1, seconds: float = 5.0, least: int = LEAST) -> Check:
    """Return the check of each route's 95th percentile over ``hours`` (else ``seconds``), by the histogram's edges.

    As for all routes together: CRITICAL where the percentile is above the guide's alert for certain, UNKNOWN where the
    histogram ends below it. Routes with fewer than ``least`` requests are shown; without any other it is UNKNOWN.
    """

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "There is no such series: no route has a histogram. Empty is no zero.")
        found = [_judged(row, least) for row in reading.rows]
        order = [None, *Verdict]
        found.sort(key=lambda one: (-order.index(one[0]), -one[1]["requests"]))
        rows = tuple(row for _, row in found[:SHOWN])
        verdicts = [verdict for verdict, _ in found if verdict is not None]
        left = len(found) - len(verdicts)
        aside = f"; {left} more {'is' if left == 1 else 'are'} not judged" if left else ""
        source = reading.rows[0]["source"]
        if not verdicts:
            said = f"{source}: none of {len(found)} routes had {least} requests; fewer have no 95th percentile."
            return Judgement(Verdict.UNKNOWN, said, None, rows)
        worst = Verdict.worst(verdicts)
        # Of those that are judged; None where the slowest lies above the histogram's last edge.
        times = [row["p95_ms"] for verdict, row in found if verdict is not None]
        slowest = None if None in times else max(times)
        if worst is Verdict.OK:
            routes = "1 route has" if len(verdicts) == 1 else f"{len(verdicts)} routes have"
            said = f"{source}: {routes} a P95 within {RESPONSE_TIME.warning:g} ms{aside}."
            return Judgement(worst, said, slowest, rows)
        slow = [row for verdict, row in found if verdict is worst]
        named = "; ".join(f"{row['route']} {row['finding']}" for row in slow[:4])
        more = f"; {len(slow) - 4} more" if len(slow) > 4 else ""
        return Judgement(worst, f"{source}: {named}{more}{aside}.", slowest, rows)

    return Check(
        name="application-routes",
        title="95th percentile of each route",
        probe=probes.routes(hours, seconds),
        judge=judge,
        remedy=(
            "One route that became slow with the API's newest version: disaster/recover-everything with services=api, "
            "back=previous. Else what it asks for: diagnostics/database (slow statements, missing indexes), "
            "diagnostics/llm. UNKNOWN: the histogram needs an edge above the guide's alert."
        ),
        threshold=RESPONSE_TIME,
        items=("MON-APP-02T", "MON-APP-02A"),
    )


def _judged(row: Row, least: int) -> Judged:
    edges: dict[str, float] = row["edges"]
    requests, place = edges.get("+Inf", 0.0), percentile(edges)
    limit = RESPONSE_TIME.critical or 0.0
    share = above(edges, limit)
    shown: dict[str, Any] = {
        "route": row["route"] or "(no route)",
        "requests": round(requests),
        "p95_ms": None if place is None or place.value is None else round(place.value),
        "above_alert_percent": None if share is None else round(share, 2),
        "finding": "",
    }
    if row["route"].startswith(MODELS):
        return None, shown | {"finding": "waits for a language model: see diagnostics/llm"}
    if requests < least or place is None:
        return None, shown | {"finding": f"has {count(round(requests))} requests: too few"}
    target, alert = (place.beyond(one or 0.0) for one in (RESPONSE_TIME.warning, RESPONSE_TIME.critical))
    over = "" if share is None else f"; {share:.2f} % took longer than {limit:g} ms"
    if alert is None:
        ends = f"has a P95 between {place.low:g} and {place.high:g} ms, where the histogram has no edge that could tell"
        return Verdict.UNKNOWN, shown | {"finding": f"{ends}{over}"}
    verdict = Verdict.CRITICAL if alert else Verdict.OK if target is False else Verdict.WARNING
    where = f"above {place.low:g} ms" if place.value is None else f"of {place.value:.0f} ms"
    return verdict, shown | {"finding": f"has a P95 {where}{over}"}
