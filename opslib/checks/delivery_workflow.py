"""Whether a deployment workflow takes what it is to be given, and whether nothing of it is under way."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import delivery as probes

BAD = frozenset({"failure", "timed_out", "startup_failure"})


def takes_input(file: str, branch: str, name: str) -> Check:
    """Return the check that a workflow can be dispatched with the input ``name``."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["state"] != "active":
            said = f"{file} is {row['state']}: nothing starts it."
        elif not row["dispatch"]:
            said = f"{file} has no workflow_dispatch: nobody can start it by hand."
        elif name not in row["inputs"]:
            takes = ", ".join(row["inputs"]) or "none"
            said = f"{file} does not declare the input {name} (it declares: {takes}): GitHub refuses such a dispatch."
        else:
            return Judgement(Verdict.OK, f"{file} declares the input {name} at {row['commit'][:12]}.", None, (row,))
        return Judgement(Verdict.CRITICAL, said, None, (row,))

    return Check(
        name="workflow-takes-input",
        title=f"{file} takes {name}",
        probe=probes.workflow(file, branch),
        judge=judge,
        remedy=(
            f"Declare {name} under on.workflow_dispatch.inputs of {file}, and read it where the jobs decide what to "
            "deploy: a commit. Until then runbooks/force-full-deployment refuses, and a commit deploys what it changes."
        ),
        items=("CI-FRC-01", "IMP-OBJ-11"),
    )


def tested(file: str, branch: str) -> Check:
    """Return the check that the newest run of a workflow on just the branch's newest commit ended with success."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        commit = row["commit"][:12]
        if not row["runs"]:
            said = f"{file} never ran on {commit}, the newest commit of {branch}: nobody has tested it."
            return Judgement(Verdict.CRITICAL, said, None, (row,))
        if row["status"] != "completed":
            said = f"Run #{row['number']} on {commit} is {row['status']} still."
            return Judgement(Verdict.CRITICAL, said, None, (row,))
        said = f"Run #{row['number']} on {commit} ended with {row['conclusion']}."
        return Judgement(Verdict.OK if row["conclusion"] == "success" else Verdict.CRITICAL, said, None, (row,))

    return Check(
        name="delivery-commit-tested",
        title=f"The newest commit of {branch} was tested, built and type-checked",
        probe=probes.commit(file, branch),
        judge=judge,
        remedy="Wait for the run's end, or mend what it found; a commit that was not tested is not deployed.",
        items=("RUN-DEP-01", "RUN-DEP-02"),
    )


def nothing_under_way(file: str) -> Check:
    """Return the check that no run of a workflow is queued, waiting or going on."""

    def judge(reading: Reading) -> Judgement:
        going = tuple(row for row in reading.rows if row["status"] != "completed")
        if going:
            said = ", ".join(f"#{row['number']} ({row['event']}, {row['status']})" for row in going)
            return Judgement(Verdict.CRITICAL, f"Under way: {said}.", len(going), going)
        return Judgement(Verdict.OK, f"None of the latest {len(reading.rows)} runs is under way.", 0, reading.rows)

    return Check(
        name="workflow-nothing-under-way",
        title=f"No run of {file} is under way",
        probe=probes.runs(file),
        judge=judge,
        remedy="Wait for its end, or cancel it at GitHub: two deployments at once leave a mixture.",
    )


def last_run(file: str) -> Check:
    """Return the check of how the newest finished run of a workflow ended."""

    def judge(reading: Reading) -> Judgement:
        over = [row for row in reading.rows if row["status"] == "completed"]
        if not over:
            return Judgement(Verdict.UNKNOWN, "No run has come to its end yet.", None, reading.rows)
        row = over[0]
        said = f"#{row['number']} ({row['event']}, {row['commit']}) ended with {row['conclusion']}."
        if row["conclusion"] == "success":
            return Judgement(Verdict.OK, said, None, reading.rows)
        return Judgement(
            Verdict.CRITICAL if row["conclusion"] in BAD else Verdict.WARNING, said, row["conclusion"], reading.rows
        )

    return Check(
        name="workflow-last-run",
        title=f"The newest run of {file} went well",
        probe=probes.runs(file),
        judge=judge,
        remedy="Open the run at its address, and look at the first job that failed.",
    )
