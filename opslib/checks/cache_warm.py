"""Whether the cache can be warmed up as the guide says."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cache_warm as probes


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    asked, status = f"GET {row['address']}", row["status"]
    if status == 405:
        allows = f" (allowed: {row['allows']})" if row["allows"] else ""
        return Judgement(Verdict.OK, f"{asked} is answered with 405: the route is there{allows}.", status, reading.rows)
    if status == 404:
        # Express says 404 to a GET also where only POST is served, so the answer alone proves nothing.
        said = f"{asked} is answered with 404, and the product's code has no such route: nothing warms the cache up"
        return Judgement(Verdict.WARNING, f"{said}.", status, reading.rows)
    why = {
        401: "who is not logged in is not told whether the route is there",
        403: "who may not use it is not told whether the route is there",
        429: "too many requests came from here; look again later",
    }.get(status, "that does not say whether a POST would warm anything up")
    return Judgement(Verdict.UNKNOWN, f"{asked} is answered with {status}: {why}.", status, reading.rows)


warm_up_route = Check(
    name="cache-warm-up-route",
    title="The application can warm its cache up",
    probe=probes.warm_up_route,
    judge=_judge,
    remedy=(
        "The cache fills by use: clear it in a quiet hour, and watch hit ratio (diagnostics/cache), latency and costs "
        "until it is back. Who wants the route has it made; then this check finds it."
    ),
    items=("MNT-CCH-03",),
)
"""405 to a GET: there. 404, beside the code in which it is missing (GH-01): a WARNING. All else: UNKNOWN."""
