"""Incidents as people tell of them, and runs as the archive tells of them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.guide.incident import Incident
from opslib.model import Reading
from opslib.probes.observability_made import runs_made

BEGAN = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


def after(minutes: float) -> datetime:
    """Return the moment so many minutes after the incident began."""
    return BEGAN + timedelta(minutes=minutes)


def told(**said: Any) -> Incident:
    """Return a critical incident that nobody has taken on."""
    return Incident(**{"name": "INC-1", "severity": "critical", "started": BEGAN, **said})


def ran(minutes: float, notebook: str = "runbooks/maintain-cache", **said: Any) -> dict[str, Any]:
    """Return the row of a sealed run that changed one thing, begun so many minutes after the incident."""
    started = after(minutes)
    run = f"{started:%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-a1b2c3"
    known = {"run": run, "notebook": notebook, "mode": "run", "by": "ann@ops-1", "started_at": f"{started.isoformat()}"}
    known |= {"finished_at": "", "state": "finished", "verdict": "OK", "sealed": "sealed", "untrusted": ""}
    steps = [] if notebook.startswith(("diagnostics/", "reviews/")) else [{"step": "clear", "status": "applied"}]
    return {**known, "report": f"runs/{run}/report.html", "break_glass": False, "steps": steps, "ill": [], **said}


def reading(*rows: dict[str, Any], at: float = 20, **said: Any) -> Reading:
    """Return a reading of so many minutes after the incident began; of runs unless another probe is named."""
    return Reading(said.pop("probe", runs_made.name), "X", "lab", after(at), 0.1, rows, **said)


def turn(
    before: tuple[str, float], last: tuple[str, float], check: str = "cache-memory", **said: Any
) -> dict[str, Any]:
    """Return the row of a check whose verdict turned, each reading so many minutes after the incident began."""
    row: dict[str, Any] = {"kind": "turn", "check": check, "untrusted": ""}
    for which, (verdict, minutes) in (("before", before), ("after", last)):
        at = after(minutes)
        run = f"{at:%Y%m%dT%H%M%SZ}-diagnostics-cache-a1b2c3"
        row |= {which: verdict, f"{which}_at": at.isoformat(), f"{which}_run": run}
    return row | said


def did(minutes: float, notebook: str = "runbooks/maintain-cache", **said: Any) -> dict[str, Any]:
    """Return a run as ``incident-record`` tells it: like :func:`ran`, with its approver and its step's times."""
    row = ran(minutes, notebook)
    times = {"begun_at": after(minutes + 1).isoformat(), "ended_at": after(minutes + 2).isoformat()}
    steps = [{**step, "title": "Clear the cache", "verified": "OK", **times} for step in row["steps"]]
    return {**row, "kind": "run", "approved_by": ["ben@valuecanvas"] if steps else [], "steps": steps, **said}
