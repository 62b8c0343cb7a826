"""Whether the API is ready to serve: its own word, and what that word rests on."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import application_ready as probes


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    asked = f"GET {row['address']}"
    if row["route"] != "there":
        return _not_there(reading, asked)
    slow = sorted(name for name, said in row["parts"].items() if said == "degraded")
    state, ill = probes.state(row), probes.ill(row)
    if state == "ready":
        if slow:
            said = f"The API is ready; slow: {', '.join(slow)}"
            return Judgement(Verdict.WARNING, f"{said}.", row["status"], reading.rows)
        return Judgement(Verdict.OK, "The API says that it is ready.", row["status"], reading.rows)
    if state == "without spare":
        said = "The API says not ready for Together.ai's sake alone: the fallback serves meanwhile"
        return Judgement(Verdict.WARNING, f"{said}.", row["status"], reading.rows)
    why = f": {', '.join(ill)}" if ill else ""
    said = f"The API says {row['word']!r} with {row['status']}{why}."
    return Judgement(Verdict.CRITICAL, said, row["status"], reading.rows)


def _not_there(reading: Reading, asked: str) -> Judgement:
    row = reading.row
    status = row["status"]
    if row["route"] == "unhealthy":
        said = f"{asked} fails with {status}, and not in the API's own words: what stands before it fails."
        return Judgement(Verdict.CRITICAL, said, status, reading.rows)
    why = {
        "absent": "the route is not there, which says nothing of the API's health",
        "not allowed": "who is not logged in is not told",
        "limited": "too many requests came from here; look again later",
    }.get(row["route"], "that is not the API's answer (a front end answers every path so)")
    return Judgement(Verdict.UNKNOWN, f"{asked} is answered with {status}: {why}.", status, reading.rows)


ready = Check(
    name="application-ready",
    title="The API is ready",
    probe=probes.ready,
    judge=_judge,
    remedy="See which dependency is ill. A front end that is rolled back does not mend its API.",
    items=("RUN-DEP-07", "RUN-RBK-02"),
)
"""CRITICAL where the API or what stands before it fails; WARNING where a part is slow or the spare provider serves."""
