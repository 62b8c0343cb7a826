"""Which jobs of a workflow run for a change: its filters, outputs, conditions and matrices worked out by hand.

What depends on something that is not in the file and the change (a secret, a script's output) is not decided.
Source: GitHub, "Using jobs in a workflow": a job is skipped where one before it was, unless its condition has a
status function; the same along a whole chain (actions/runner#491).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.probes.delivery_expressions import STATUS, UNKNOWN, Context, Undecided, filled, holds
from opslib.probes.delivery_graph import Change, Filter, Job, Workflow


@dataclass(frozen=True)
class Decision:
    """Whether a job runs (None: not decided) and why; ``legs`` are its matrix' combinations, ``fault`` what breaks."""

    job: str
    runs: bool | None
    why: str = ""
    legs: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class Case:
    """One change as a workflow meets it: which filters it fits, the event, its inputs, and jobs taken to fail."""

    fits: frozenset[str]
    event: str = "push"
    branch: str = "main"
    inputs: Mapping[str, Any] | None = None
    fails: frozenset[str] = frozenset()


def fitting(flow: Workflow, changes: Sequence[Change]) -> frozenset[str]:
    """Return the names of the filters that any of the changed files fits."""
    rules = [rule for one in flow.filters for rule in one.rules]
    return frozenset(rule.name for rule in rules if any(rule.fits(change) for change in changes))


def decide(flow: Workflow, case: Case) -> dict[str, Decision]:
    """Return what each job does, in the order in which they come; raises Unreachable where they have no order."""
    found: dict[str, Decision] = {}
    results: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    given = dict(case.inputs or {})
    github = _Github(event_name=case.event, ref=f"refs/heads/{case.branch}", ref_name=case.branch)
    # A dispatched event carries its inputs as text.
    github["event"] = _Github(inputs={name: str(one).lower() for name, one in given.items()})
    for name in flow.order():
        job = flow.jobs[name]
        needs = {one: {"result": results[one], "outputs": outputs.get(one, {})} for one in job.needs}
        before = tuple(results[one] for one in flow.ancestors(name))
        context = Context({"github": github, "inputs": given, "needs": needs}, before)
        found[name] = _decided(job, context, case)
        results[name] = _result(found[name], case)
        if found[name].runs:
            outputs[name] = _outputs(flow, job, context, case)
    return found


class _Github(dict[str, Any]):
    """GitHub's context: what is not set here is not null but not known."""

    def get(self, name: Any, default: Any = None) -> Any:
        return super().get(name, UNKNOWN)


def _decided(job: Job, context: Context, case: Case) -> Decision:
    try:
        if not holds(job.condition, context):
            return Decision(job.name, False, _why_not(job, context))
        legs = _legs(job, context)
    except Undecided as error:
        return Decision(job.name, None, f"depends on {error}")
    if legs is not None and not legs:
        said = "its matrix has no value: GitHub fails such a job"
        return Decision(job.name, True, said, (), said)
    why = "fails, as assumed" if job.name in case.fails else "always" if not job.condition else "its condition holds"
    return Decision(job.name, True, why, legs or ())


def _why_not(job: Job, context: Context) -> str:
    if STATUS.search(job.condition):
        return "its condition does not hold"
    for name, one in context.values["needs"].items():
        if one["result"] in ("skipped", "failure"):
            return f"{name} {'failed' if one['result'] == 'failure' else 'was skipped'}"
    others = [one for one in ("failure", "skipped") if one in context.results]
    if others and not job.condition:
        return f"a job further before it was {'skipped' if others[0] == 'skipped' else 'failed'}"
    return "its condition does not hold"


def _result(one: Decision, case: Case) -> Any:
    if one.runs is None:
        return UNKNOWN
    if one.runs:
        return "failure" if one.fault or one.job in case.fails else "success"
    return "skipped"


def _legs(job: Job, context: Context) -> tuple[str, ...] | None:
    """Return the combinations of a job's matrix, or None where it has none."""
    matrix = filled(job.matrix, context)
    if matrix is None:
        return None
    if not isinstance(matrix, Mapping):
        raise Undecided("a matrix that is not read here")
    axes = {str(name): filled(many, context) for name, many in matrix.items() if name not in ("include", "exclude")}
    made: list[dict[str, Any]] = [{}] if axes else []
    for name, many in axes.items():
        if not isinstance(many, list):
            raise Undecided(f"the matrix' {name}")
        if not many:
            return ()
        made = [{**one, name: value} for one in made for value in many]
    for rule in filled(matrix.get("exclude"), context) or ():
        made = [one for one in made if any(one.get(key) != value for key, value in rule.items())]
    for more in filled(matrix.get("include"), context) or ():
        # What fits combinations that are there widens them; else it is one of its own.
        shared = [key for key in more if key in axes]
        if not any(all(one.get(key) == more[key] for key in shared) for one in made):
            made.append({str(key): value for key, value in more.items()})
    return tuple(", ".join(map(str, one.values())) for one in made)


def _outputs(flow: Workflow, job: Job, context: Context, case: Case) -> dict[str, Any]:
    steps: dict[str, Any] = {one: {"outputs": UNKNOWN} for one in job.steps}
    steps |= {one.id: {"outputs": _said(one, case)} for one in flow.filters if one.job == job.name and one.id}
    seen = Context({**context.values, "steps": steps}, context.results)
    made: dict[str, Any] = {}
    for name, template in job.outputs.items():
        try:
            made[str(name)] = filled(template, seen)
        except Undecided:
            made[str(name)] = UNKNOWN
    return made


def _said(one: Filter, case: Case) -> dict[str, Any]:
    """Return the outputs of a paths-filter step."""
    names = [rule.name for rule in one.rules]
    fits = [name for name in names if name in case.fits]
    return {
        **{name: "true" if name in fits else "false" for name in names},
        "changes": json.dumps(fits, separators=(",", ":")),
    }
