"""What the API says of its health, and whether others' outages can make the cluster restart it."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import application as probes
from opslib.probes.application_ready import SPARE
from opslib.probes.application_shapes import WELL

Finding = tuple[Verdict, str]
NAMES = {
    "router": "the health router",
    "description": "the interface description",
    "predecessor": "the predecessor (/healthz, /ready)",
    "static": "the shipped server, which looks at nothing",
    "other": "no documented form",
}
_WHY = {
    "absent": "is not there, which says nothing of the API's health",
    "not allowed": "does not tell who is not logged in",
    "limited": "has had too many requests from here",
    "unhealthy": "fails before the API itself answers",
    "odd": "answers with something that is no word of the API's (a front end answers every path)",
}


def _judge_health(reading: Reading) -> Judgement:
    there = [row for row in reading.rows if row["route"] == "there"]
    if not there:
        return _none(reading)
    found = [_route(row) for row in there]
    found += [(Verdict.CRITICAL, _absent(row)) for row in reading.rows if row["route"] == "unhealthy"]
    shapes = dict.fromkeys(NAMES[row["shape"]] for row in there)
    if set(shapes) == {NAMES["static"]}:
        found.append((Verdict.WARNING, "The route answers and looks at nothing: how its dependencies are is unsaid"))
    said = [text for verdict, text in found if verdict is not Verdict.OK]
    ways = ", ".join(row["path"] for row in there)
    summary = "; ".join(dict.fromkeys(said)) or f"Well, by {ways}"
    form = f"Form: {', '.join(shapes)}"
    return Judgement(Verdict.worst([verdict for verdict, _ in found]), f"{summary}. {form}.", None, _shown(reading))


def _none(reading: Reading) -> Judgement:
    broken = [row for row in reading.rows if row["route"] == "unhealthy"]
    said = "; ".join(dict.fromkeys(_absent(row) for row in broken or reading.rows))
    verdict = Verdict.CRITICAL if broken else Verdict.UNKNOWN
    return Judgement(verdict, f"No health route answers: {said}.", None, _shown(reading))


def _shown(reading: Reading) -> tuple[Row, ...]:
    rows = []
    for row in reading.rows:
        odd = [
            f"{name} {state}"
            for name, state in sorted(row["parts"].items())
            if state not in WELL or state == "degraded"
        ]
        parts = "; ".join(odd) or (f"all {len(row['parts'])} well" if row["parts"] else "none told")
        rows.append({**row, "parts": parts})
    return tuple(rows)


def _absent(row: Row) -> str:
    return f"{row['path']} ({row['status']}) {_WHY[row['route']]}"


def _route(row: Row) -> Finding:
    """Return what one route that is there says."""
    ill = sorted(name for name, state in row["parts"].items() if state not in (*WELL, "not_configured"))
    slow = sorted(name for name, state in row["parts"].items() if state == "degraded")
    bare = sorted(name for name, state in row["parts"].items() if state == "not_configured")
    why = f"{row['path']} says {row['word']!r} ({row['status']})"
    if row["status"] != 200 or row["word"] in ("unhealthy", "not_ready", "not ready", "starting"):
        if ill == [SPARE]:
            return Verdict.WARNING, f"{why} for Together.ai's sake alone: the fallback serves meanwhile"
        return Verdict.CRITICAL, f"{why}{_named(ill or bare)}"
    if ill:
        return Verdict.WARNING, f"{row['path']} is content while these are ill{_named(ill)}"
    if slow or row["word"] == "degraded":
        return Verdict.WARNING, f"{why}, slow{_named(slow)}"
    if bare:
        return Verdict.WARNING, f"{row['path']}: not configured{_named(bare)}"
    return Verdict.OK, ""


def _named(names: Sequence[str]) -> str:
    return f": {', '.join(names)}" if names else ""


health = Check(
    name="application-health",
    title="The API answers, and says that it is well",
    probe=probes.health,
    judge=_judge_health,
    remedy=(
        "See which dependency is ill: diagnostics/database, diagnostics/llm, diagnostics/cache. Together.ai alone: "
        "disaster/recover-llm. Supabase alone: pods that still have a replaced key start anew in "
        "runbooks/rotate-api-keys; a table that moved: runbooks/migrate-database. No route at all: see which build is "
        "deployed (diagnostics/delivery)."
    ),
    items=("MON-APP-01T", "MON-APP-01A"),
)
"""CRITICAL where the API fails for more than the spare provider's sake; UNKNOWN where no route tells anything."""


def _judge_coupling(reading: Reading) -> Judgement:
    found = [_coupled(row) for row in reading.rows]
    if not found:
        return Judgement(Verdict.UNKNOWN, "The deployment has no container.", None, reading.rows)
    said = "; ".join(text for verdict, text in found if verdict is not Verdict.OK)
    fine = "No outage of anybody else restarts the API's pods or takes them out of service"
    return Judgement(Verdict.worst([verdict for verdict, _ in found]), f"{said or fine}.", None, reading.rows)


def _coupled(row: Row) -> Finding:
    on = ", ".join(row["depends_on"])
    if row["what"] == "liveness":
        if row["asks"] == "nothing":
            return Verdict.WARNING, f"nothing restarts {row['container']} when it hangs: it has no liveness probe"
        if on:
            after = f"{row['fails_after']:g} s"
            said = f"{row['asks']} depends on {on}: {after} without them restart every pod of {row['container']}"
            return Verdict.CRITICAL, said
    elif row["asks"] == "nothing":
        return Verdict.WARNING, f"{row['container']} gets traffic before it is ready: it has no readiness probe"
    elif on:
        said = f"{row['asks']} depends on {on}: without one, every pod of {row['container']} leaves service at once"
        return Verdict.WARNING, said
    return Verdict.OK, ""


coupling = Check(
    name="application-coupling",
    title="No outage of others restarts the API",
    probe=probes.coupling,
    judge=_judge_coupling,
    remedy=(
        "Let liveness ask /health/live, which depends on nobody, and readiness only what no fallback replaces: an "
        "outage of Together.ai (P1) must not take the API away (P0). It is a change of the manifests, by a commit. "
        "Since the newest rollout: disaster/recover-everything with services=api, back=previous."
    ),
)
"""CRITICAL for a liveness probe that depends on others; WARNING for such a readiness probe, or none."""
