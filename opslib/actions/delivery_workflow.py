"""A deployment workflow started at GitHub on exactly one commit, and followed to its end job by job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.probes.delivery_workflow import FOLDER, declared, shown_job
from opslib.systems.github import Job, ReadOnlyWorkflows, Run
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two looks at a run: short at first, then as GitHub's limits suggest."""
LAG_SECONDS = 6.0
"""How long a run that was just dispatched may be missing in GitHub's list."""
APART = timedelta(minutes=15)
"""How far the planning and the creation of the run that it led to may lie apart."""


class DispatchWorkflow(Action):
    """Starts ``workflow`` on ``branch`` with the boolean input ``flag`` set, and follows it for ``minutes`` at most.

    Bound to the branch's commit when it was planned. A start whose answer was lost is looked for among the runs.
    """

    name: ClassVar[str] = "dispatch-workflow"
    title: ClassVar[str] = "Start a deployment workflow and follow it to its end"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 4 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("CI-FRC-01",)
    guide: ClassVar[str] = "gh workflow run deploy-production.yml --field force_full_deploy=true"
    reason: ClassVar[str] = (
        "The product's workflow declares no such input, so GitHub refuses the guide's command (GH-09); and the command "
        "returns before anything was deployed. Here the file is read first, nothing is started while another run is "
        "under way, and the run that was started is followed to its end."
    )

    workflow: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}(\.[A-Za-z0-9_-]+){0,3}\.ya?ml$")
    branch: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    flag: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,60}$")
    minutes: float = Field(default=30.0, ge=0.1, le=180)

    def plan(self, target: PlanTarget) -> Plan:
        """Read the file at the branch's commit; raises Refused where GitHub would refuse, or a run is under way."""
        workflows = target.workflows
        commit = workflows.head(self.branch)
        self._takes(workflows, commit)
        runs = workflows.runs(self.workflow)
        if going := [run for run in runs if not run.over]:
            raise Refused(
                f"Run #{going[0].number} of {self.workflow} is {going[0].status} ({going[0].address}).",
                "Wait for its end, or cancel it at GitHub.",
            )
        before = next((run for run in runs if run.conclusion == "success"), None)
        return self.planned(
            before={"last success": f"#{before.number}, {before.commit}" if before else "none"},
            after={"run": f"{self.workflow} on {self.branch} at {commit}", self.flag: "true"},
            touches=1,
            touched="workflow runs started",
            verification="The run is on that commit and ended with success, job by job.",
            undo="None: a run that deployed is not taken back by another run. What it put out is rolled back with "
            "runbooks/roll-back-deployment; a run that is still going can be cancelled at GitHub.",
            fingerprint={"repository": target.settings.github_repository, "commit": commit},
            observed={"newest": max((run.id for run in runs), default=0), "at": now().isoformat()},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Start it and follow it; raises Refused before that when the branch has moved."""
        workflows, planned = target.workflow_starter, plan.fingerprint["commit"]
        if workflows.head(self.branch) != planned:
            raise Refused(f"{self.branch} is not at {planned} any more.", "Plan again.")
        number = workflows.dispatch(self.workflow, self.branch, {self.flag: "true"})
        progress(f"run {number} was started")
        try:
            run = workflows.run(number)
            if run.commit != planned:
                workflows.cancel(number)
                raise StepFailed(
                    f"{self.branch} moved as the run was started: it is on {run.commit}, not on {planned}. It was "
                    "told to stop.",
                    f"See what it did: {run.address}",
                )
            over = _follow(workflows, number, progress, self.minutes * 60).over
        except Unreachable as error:
            # The run is known, and goes on without us: the verification looks again.
            progress(error.message)
            over = False
        return {"run": number, "over": over}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the run and each of its jobs; wait for its end if nobody followed it."""
        number = int(values["run"])
        workflows = target.workflows
        run = workflows.run(number)
        if not run.over and values.get("over") is None:
            run = _follow(workflows, number, _silent, self.minutes * 60)
        jobs = workflows.jobs(number)
        rows: Rows = tuple(shown_job(job) for job in jobs)
        said = f"Run #{run.number} ({run.address})"
        if run.commit != plan.fingerprint["commit"]:
            return Verification(Verdict.CRITICAL, f"{said} is on {run.commit}, which was not planned.", rows)
        if not run.over:
            return Verification(Verdict.UNKNOWN, f"{said} is {run.status} still: {_standing(jobs)}.", rows)
        if run.conclusion != "success":
            bad = [job.name for job in jobs if job.conclusion not in ("success", "skipped", None)]
            first = f", first at {bad[0]}" if bad else ""
            return Verification(Verdict.CRITICAL, f"{said} ended with {run.conclusion}{first}.", rows)
        done = sum(job.conclusion == "success" for job in jobs)
        if not done:
            return Verification(Verdict.UNKNOWN, f"{said} says success, and none of its jobs ran.", rows)
        passed = f", {len(jobs) - done} were skipped" if done < len(jobs) else ""
        return Verification(Verdict.OK, f"{said} ended with success: {done} jobs{passed}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for a run that was dispatched on the branch since the planning; one is ours, more can't be told."""
        workflows, planned = target.workflows, datetime.fromisoformat(str(plan.observed["at"]))
        until = time.monotonic() + LAG_SECONDS
        while True:
            listed = workflows.runs(self.workflow, event="workflow_dispatch", branch=self.branch, most=100)
            new = [run for run in listed if run.id > int(plan.observed["newest"])]
            if new or time.monotonic() > until:
                break
            progress("looking for the run")
            time.sleep(FIRST_PAUSE)
        if not new:
            return Settled(Outcome.NOT_DONE, f"GitHub lists no run of {self.workflow} that was dispatched since.")
        numbers = ", ".join(f"#{run.number}" for run in new)
        ours = [run for run in new if run.commit == plan.fingerprint["commit"] and abs(run.created - planned) < APART]
        if len(new) == len(ours) == 1:
            return Settled(Outcome.DONE, f"It started run {numbers}.", {"run": new[0].id})
        return Settled(Outcome.UNKNOWN, f"Which of the runs dispatched since is this step's is not known: {numbers}.")

    def _takes(self, workflows: ReadOnlyWorkflows, commit: str) -> None:
        where = f"{self.workflow} at {commit[:12]}"
        if (state := workflows.state(self.workflow)) != "active":
            raise Refused(f"{self.workflow} is {state}: GitHub starts nothing.", "Enable it first.")
        inputs = declared(workflows.file(f"{FOLDER}/{self.workflow}", commit))
        if inputs is None:
            raise Refused(f"{where} has no workflow_dispatch: nobody can start it.", "Add it to the file.")
        if self.flag not in inputs:
            raise Refused(
                f"{where} declares no input {self.flag} (it declares: {', '.join(sorted(inputs)) or 'none'}): GitHub "
                "would refuse.",
                "Declare it in the file, and read it where the jobs decide what to deploy.",
            )
        if (kind := inputs[self.flag].get("type", "string")) not in ("boolean", "string"):
            raise Refused(f"{where} wants a {kind} for {self.flag}, and is given true.", "Name a boolean input.")
        for name, one in inputs.items():
            if name != self.flag and one.get("required") and "default" not in one:
                raise Refused(f"{where} also demands {name}, which has no default.", "Give it a default in the file.")


def _follow(workflows: ReadOnlyWorkflows, number: int, tell: Progress, seconds: float) -> Run:
    """Return the run once it is over, or as it stands when ``seconds`` have passed."""
    until, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        run, jobs = workflows.run(number), workflows.jobs(number)
        done = sum(job.conclusion is not None for job in jobs)
        waits = ", and waits for an environment's approval at GitHub" if run.status == "waiting" else ""
        tell(f"run #{run.number}: {_standing(jobs)}{waits}", done, len(jobs) or None)
        if run.over or time.monotonic() > until:
            return run
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.3)


def _standing(jobs: list[Job]) -> str:
    over = sum(job.conclusion is not None for job in jobs)
    going = [f"{job.name} {job.status}" for job in jobs if job.conclusion is None and job.status != "queued"]
    return f"{over} of {len(jobs)} jobs over" + (f", {going[0]}" if going else "")


def _silent(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody: a verification has nobody to tell."""
