"""A deployment workflow at GitHub: what its file takes, which runs there were, how one went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import yaml

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.github import Job, Run
from opslib.systems.target import ReadTarget

FOLDER = ".github/workflows"
LARGEST = 512 * 1024
"""Characters of a workflow's file that are read; GitHub's own limit is the same."""


def declared(text: str) -> dict[str, dict[str, Any]] | None:
    """Return the inputs that a workflow's file declares for a dispatch, or None where it can't be dispatched.

    Raises Unreachable when the file is no YAML of that form.
    """
    try:
        said = yaml.safe_load(text[:LARGEST])
        # YAML 1.1 reads the bare word "on" as true.
        events = said.get("on", said.get(True))
        if isinstance(events, (str, list)):
            return {} if "workflow_dispatch" in ([events] if isinstance(events, str) else events) else None
        if "workflow_dispatch" not in events:
            return None
        inputs = (events["workflow_dispatch"] or {}).get("inputs") or {}
        return {str(name): dict(one or {}) for name, one in inputs.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise Unreachable(
            f"The workflow's file is not of the form that GitHub documents ({type(error).__name__}).",
            "Look at the file.",
            "malformed",
        ) from None


def shown_run(run: Run) -> dict[str, Any]:
    """Return a run as reports show it."""
    return {
        "run": run.id,
        "number": run.number,
        "event": run.event,
        "branch": run.branch,
        "commit": run.commit[:12],
        "status": run.status,
        "conclusion": run.conclusion,
        "created": run.created.isoformat(),
        "address": run.address,
    }


def shown_job(job: Job) -> dict[str, Any]:
    """Return a job as reports show it."""
    return {
        "job": job.name,
        "status": job.status,
        "conclusion": job.conclusion,
        "started": job.started and job.started.isoformat(),
        "seconds": _seconds(job.started, job.completed),
    }


def workflow(file: str, branch: str) -> Probe:
    """Return the probe of a workflow's file as it is on ``branch`` now: state, commit, the inputs it declares."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit = target.workflows.head(branch)
        inputs = declared(target.workflows.file(f"{FOLDER}/{file}", commit))
        return [
            {
                "workflow": file,
                "branch": branch,
                "commit": commit,
                "state": target.workflows.state(file),
                "dispatch": inputs is not None,
                "inputs": sorted(inputs or {}),
            }
        ]

    return Probe(
        name="workflow",
        title=f"What {file} takes, on {branch}",
        read=read,
        source=f"GET /repos/…/contents/{FOLDER}/{file}?ref={branch}",
    )


def runs(file: str, most: int = 10) -> Probe:
    """Return the probe of a workflow's latest runs, newest first."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return [shown_run(run) for run in target.workflows.runs(file, most=most)]

    return Probe(
        name="workflow-runs",
        title=f"Latest runs of {file}",
        read=read,
        source=f"GET /repos/…/actions/workflows/{file}/runs?per_page={most}",
    )


def commit(file: str, branch: str) -> Probe:
    """Return the probe of a branch's newest commit, and of the runs of a workflow that tested just that one."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        head = target.workflows.head(branch)
        tested = [run for run in target.workflows.runs(file, branch=branch, most=100) if run.commit == head]
        newest = tested[0] if tested else None
        return [
            {
                "branch": branch,
                "commit": head,
                "workflow": file,
                "runs": len(tested),
                "number": newest.number if newest else None,
                "status": newest.status if newest else None,
                "conclusion": newest.conclusion if newest else None,
                "address": newest.address if newest else None,
            }
        ]

    return Probe(
        name="delivery-commit",
        title=f"The newest commit of {branch}, and whether it was tested",
        read=read,
        source=f"GET /repos/…/commits/{branch} · GET /repos/…/actions/workflows/{file}/runs?branch={branch}",
    )


def jobs(file: str) -> Probe:
    """Return the probe of the jobs of a workflow's newest run; no rows where it never ran."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        newest = target.workflows.runs(file, most=1)
        return [
            {**shown_job(job), "run": newest[0].id, "created": newest[0].created.isoformat()}
            for run in newest
            for job in target.workflows.jobs(run.id)
        ]

    return Probe(
        name="workflow-jobs",
        title=f"Jobs of the newest run of {file}",
        read=read,
        source="GET /repos/…/actions/runs/ID/jobs",
        units={"seconds": "s"},
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
