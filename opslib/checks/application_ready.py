"""Whether the application is ready to serve, by its own word."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import application as probes


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    state, status = row["state"], row["status"]
    if state == "ready":
        return Judgement(Verdict.OK, "It says that it is ready.", status, (row,))
    if state == "not ready":
        parts = {name.removesuffix("_is"): word for name, word in row.items() if name.endswith("_is")}
        ill = [name for name, word in parts.items() if word not in ("healthy", "ready")]
        said = f"It says that it is not ready; not healthy: {', '.join(ill) or 'it does not say what'}."
        if ill == ["togetherAI"]:
            # The product's readiness demands Together.ai, though requests are served through OpenAI meanwhile.
            said += " Requests may be served through the fallback all the same."
        return Judgement(Verdict.CRITICAL, said, status, (row,))
    why = {
        "absent": "the route is not there; the product's shipped server has none",
        "not allowed": "who is not logged in is not told",
        "too many": "too many requests came from here",
    }.get(state, f"it answered {status}, which says neither yes nor no")
    return Judgement(Verdict.UNKNOWN, f"Whether it is ready is not known: {why}.", status, (row,))


ready = Check(
    name="application-ready",
    title="The application is ready",
    probe=probes.readiness,
    judge=_judge,
    remedy="Look at the dependencies that it names; a route that is absent has to be mounted before it can be watched.",
    items=("RUN-DEP-07",),
)
"""200 with ready: OK. 503 with not ready: CRITICAL, naming what is ill. All else, UNKNOWN: nobody said."""
