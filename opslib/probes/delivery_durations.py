"""How long runs of a workflow really took, by what they deployed; and how often and how fast changes go out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Any

from opslib.model import Probe, now
from opslib.systems.github import Job, Run
from opslib.systems.target import ReadTarget

FRONT_END, INFRASTRUCTURE, IMAGES, KUBERNETES = (
    *("deploy-frontend", "deploy-infrastructure"),
    *("build-images", "deploy-kubernetes"),
)
KINDS = ("front end only", "one service", "documentation only")
"""The cases of the guide's table; what else a run did is named, and not held against it."""


def durations(file: str, branch: str, most: int) -> Probe:
    """Return the probe of the newest ``most`` runs that ended well: what each deployed, and minutes from its start."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        runs = target.workflows.runs(file, branch=branch, most=most)
        return [_row(run, target.workflows.jobs(run.id)) for run in runs if run.conclusion == "success"]

    return Probe(
        name="workflow-durations",
        title=f"How long runs of {file} took",
        read=read,
        source=f"GET /repos/…/actions/workflows/{file}/runs?per_page={most} · GET /repos/…/actions/runs/ID/jobs",
        units={"minutes": "min"},
    )


def _row(run: Run, jobs: Sequence[Job]) -> dict[str, Any]:
    ends = [job.completed for job in jobs if job.completed and job.conclusion != "skipped"]
    minutes = (max(ends) - run.created).total_seconds() / 60 if ends else None
    return {
        "number": run.number,
        "event": run.event,
        "commit": run.commit[:12],
        "created": run.created.isoformat(),
        "kind": kind(jobs),
        "minutes": None if minutes is None else round(minutes, 1),
    }


def kind(jobs: Sequence[Job]) -> str:
    """Return what a run deployed, by the jobs that were not skipped."""
    done = [job.name.partition(" (")[0] for job in jobs if job.conclusion == "success"]
    images = done.count(IMAGES) or (KUBERNETES in done)
    parts = ["front end"] if FRONT_END in done else []
    parts += ["infrastructure"] if INFRASTRUCTURE in done else []
    parts += ["one service" if images == 1 else "several services"] if images else []
    if parts == ["front end"]:
        return "front end only"
    return " and ".join(parts) or "documentation only"


def pace(file: str, branch: str, days: int) -> Probe:
    """Return the probe of what is called delivery performance: how many runs, how many failed, how fast changes go out.

    Of at most the newest 100 runs within ``days``; from a commit's moment to the end of its run is its lead time.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        since = now() - timedelta(days=days)
        runs = target.workflows.runs(file, branch=branch, most=100)
        over = [run for run in runs if run.over and run.created >= since]
        good = [run for run in over if run.conclusion == "success"]
        leads = [(run.updated - run.committed).total_seconds() for run in good if run.committed]
        back = _recoveries(over)
        return [
            {
                "period": days,
                "runs": len(over),
                "per_week": round(7 * len(over) / days, 1),
                "failed": len(over) - len(good),
                "failed_share": round(100 * (len(over) - len(good)) / len(over), 1) if over else None,
                "lead_time": median(leads) if leads else None,
                "recoveries": len(back),
                "recovery_time": median(back) if back else None,
            }
        ]

    return Probe(
        name="workflow-pace",
        title=f"How often and how fast changes of {branch} go out",
        read=read,
        source=f"GET /repos/…/actions/workflows/{file}/runs?branch={branch}&per_page=100",
        units={"period": "days", "failed_share": "%", "lead_time": "s", "recovery_time": "s"},
    )


def _recoveries(runs: Sequence[Run]) -> list[float]:
    """Return the seconds from the end of each first failed run to the end of the next good one."""
    found, failed = [], None
    for run in sorted(runs, key=lambda one: one.created):
        if run.conclusion != "success":
            failed = failed or run.updated
        elif failed is not None:
            found.append((run.updated - failed).total_seconds())
            failed = None
    return found
