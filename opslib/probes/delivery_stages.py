"""A deployment workflow's file as a graph, and what its jobs do in each case that the guide names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.delivery_decisions import Case, decide
from opslib.probes.delivery_globs import readable
from opslib.probes.delivery_graph import Workflow, parse
from opslib.probes.delivery_workflow import FOLDER, declared
from opslib.systems.target import ReadTarget

AREAS = ("frontend", "infrastructure")
"""Filters that are no service; every other one is."""
MOST_SERVICES = 30


def load(target: ReadTarget, file: str, branch: str) -> tuple[str, str, Workflow]:
    """Return the commit that a branch is at, the workflow's file there, and its graph; raises Unreachable."""
    workflows = target.workflows
    commit = workflows.head(branch)
    text = workflows.file(f"{FOLDER}/{file}", commit)
    return commit, text, parse(text, lambda path: workflows.file(path, commit))


def services(flow: Workflow) -> list[str]:
    """Return the names of the filters that stand for services."""
    return [rule.name for one in flow.filters for rule in one.rules if rule.name not in AREAS][:MOST_SERVICES]


def _source(file: str, branch: str) -> str:
    return f"GET /repos/…/commits/{branch} · GET /repos/…/contents/{FOLDER}/{file}?ref=COMMIT"


def graph(file: str, branch: str) -> Probe:
    """Return the probe of a workflow's triggers, jobs, filters and actions, as they are on ``branch`` now.

    The rows differ by ``what``: trigger (one), job, filter, action.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit, text, flow = load(target, file, branch)
        deployed, same = _deployed(target, file, branch, commit, text)
        trigger = {
            "what": "trigger",
            "workflow": file,
            "branch": branch,
            "commit": commit,
            "pushed": flow.pushed,
            "branches": None if flow.branches is None else list(flow.branches),
            "narrowed": flow.narrowed,
            "deployed": deployed,
            "same": same,
        }
        return [trigger, *_jobs(flow), *_filters(flow), *_actions(flow)]

    return Probe(
        name="workflow-graph",
        title=f"Triggers, jobs and filters of {file}, on {branch}",
        read=read,
        source=_source(file, branch),
    )


def _deployed(target: ReadTarget, file: str, branch: str, commit: str, text: str) -> tuple[str | None, bool | None]:
    """Return the commit of the newest run that went well, and whether the file was the same there; None: not known."""
    runs = target.workflows.runs(file, branch=branch, most=50)
    deployed = next((run.commit for run in runs if run.conclusion == "success"), None)
    if deployed is None or deployed == commit:
        return deployed, None if deployed is None else True
    try:
        return deployed, target.workflows.file(f"{FOLDER}/{file}", deployed) == text
    except Unreachable:
        return deployed, None


def _jobs(flow: Workflow) -> Iterator[dict[str, Any]]:
    for name, job in flow.jobs.items():
        yield {
            "what": "job",
            "job": name,
            "needs": list(job.needs),
            "missing": [one for one in job.needs if one not in flow.jobs],
            "after": sorted(flow.ancestors(name)),
            "condition": job.condition,
            "runs_on": job.runs_on,
            "forgiven": job.forgiven,
            "outputs": {str(key): str(one) for key, one in job.outputs.items()},
        }


def _filters(flow: Workflow) -> Iterator[dict[str, Any]]:
    for one in flow.filters:
        for rule in one.rules:
            globs = [glob for _, glob in rule.globs]
            yield {
                "what": "filter",
                "job": one.job,
                "step": one.id,
                "action": one.action,
                "filter": rule.name,
                "globs": globs,
                "unreadable": [glob for glob in globs if not readable(glob)],
            }


def _actions(flow: Workflow) -> Iterator[dict[str, Any]]:
    seen = set()
    for name, job in flow.jobs.items():
        for action in job.uses:
            if action not in seen:
                seen.add(action)
                yield {"what": "action", "job": name, "action": action}


def scenarios(file: str, branch: str, flag: str) -> Probe:
    """Return the probe of what each job does in each case: a row per case and job, worked out from the file."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        _, text, flow = load(target, file, branch)
        forced = flag in (declared(text) or {})
        return [row for name, case in _cases(flow, branch, flag if forced else "") for row in _rows(flow, name, case)]

    return Probe(
        name="workflow-scenarios",
        title=f"What {file} does, case by case",
        read=read,
        source=_source(file, branch),
    )


def _cases(flow: Workflow, branch: str, flag: str) -> Iterator[tuple[str, Case]]:
    many = services(flow)
    yield "documentation only", Case(frozenset(), branch=branch)
    for name in many:
        yield f"only {name}", Case(frozenset({name}), branch=branch)
    yield "front end only", Case(frozenset({"frontend"}), branch=branch)
    yield "infrastructure only", Case(frozenset({"infrastructure"}), branch=branch)
    every = frozenset([*many, *AREAS])
    yield "everything", Case(every, branch=branch)
    for job in ("test", "security-scan", "smoke-tests"):
        yield f"{job} fails", Case(every, branch=branch, fails=frozenset({job}))
    if flag:
        yield "forced", Case(frozenset(), "workflow_dispatch", branch, {flag: True})


def _rows(flow: Workflow, name: str, case: Case) -> Iterator[dict[str, Any]]:
    for one in decide(flow, case).values():
        yield {
            "case": name,
            "fits": services(flow) + list(AREAS) if case.event != "push" else sorted(case.fits),
            "fails": "".join(case.fails),
            "job": one.job,
            "runs": one.runs,
            "why": one.why,
            "legs": list(one.legs),
            "fault": one.fault,
        }
