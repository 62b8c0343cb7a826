"""Whether one commit is fit to go out: each run of the pipeline on it is green, and somebody else has approved it."""

from __future__ import annotations

from opslib.checks.delivery_workflow import BAD
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import delivery_version as probes


def commit_tested(file: str, commit: str = probes.NEWEST, branch: str = "main") -> Check:
    """Return the check that the newest run on a commit, of each event that started one, is green."""
    return Check(
        name="delivery-commit-tested",
        title="The pipeline's newest run on the commit is all green",
        probe=probes.runs_of(file, commit, branch),
        judge=_tested,
        remedy=(
            "Open the run and mend what failed, or run it again: runbooks/force-full-deployment starts all of it. A "
            "commit that no run tested is not ready, whatever its neighbours' runs say."
        ),
    )


def _tested(reading: Reading) -> Judgement:
    rows = [row for row in reading.rows if row["run"] is not None]
    short = reading.rows[0]["of"][:12]
    if not rows:
        return Judgement(Verdict.UNKNOWN, f"No run of the pipeline has tested {short}.", None, reading.rows)
    newest = {row["event"]: row for row in reversed(rows)}
    failed = [row for row in newest.values() if row["conclusion"] in BAD]
    if failed:
        return Judgement(
            Verdict.CRITICAL,
            f"On {short} run {failed[0]['run']} ended as {failed[0]['conclusion']}.",
            None,
            tuple(rows),
        )
    going = [row for row in newest.values() if row["status"] != "completed"]
    if going:
        return Judgement(
            Verdict.UNKNOWN, f"Run {going[0]['run']} on {short} is {going[0]['status']}.", None, tuple(rows)
        )
    other = [row for row in newest.values() if row["conclusion"] != "success"]
    if other:
        said = f"Run {other[0]['run']} on {short} ended as {other[0]['conclusion']}: not all of it was tested"
        return Judgement(Verdict.WARNING, f"{said}.", None, tuple(rows))
    return Judgement(Verdict.OK, f"{len(newest)} of {len(newest)} runs on {short} are green.", None, tuple(rows))


def commit_reviewed(commit: str = probes.NEWEST, branch: str = "main") -> Check:
    """Return the check that a pull request holds a commit, and somebody other than its author approved that."""
    return Check(
        name="delivery-commit-reviewed",
        title="Somebody other than its author approved the commit's pull request",
        probe=probes.reviewed(commit, branch),
        judge=_reviewed,
        remedy=(
            "Ask for a review at GitHub. Where the review was elsewhere (no pull request holds the commit), who made "
            "it signs it off."
        ),
    )


def _reviewed(reading: Reading) -> Judgement:
    rows = reading.rows
    if not rows:
        return Judgement(Verdict.UNKNOWN, "No pull request at GitHub holds the commit.", None, ())
    if wanted := [row for row in rows if row["changes_wanted_by"]]:
        said = f"{', '.join(wanted[0]['changes_wanted_by'])} wants changes of pull request {wanted[0]['pull']}"
        return Judgement(Verdict.CRITICAL, f"{said}.", None, rows)
    approved = [row for row in rows if row["approved_by"]]
    if not approved:
        said = ", ".join(f"{row['pull']} of {row['author']}" for row in rows)
        return Judgement(Verdict.CRITICAL, f"Nobody else has approved pull request {said}.", None, rows)
    if not any(row["of_its_newest_commit"] for row in approved):
        said = f"{', '.join(approved[0]['approved_by'])} approved pull request {approved[0]['pull']}"
        return Judgement(Verdict.WARNING, f"{said}, and commits came after that.", None, rows)
    first = next(row for row in approved if row["of_its_newest_commit"])
    said = f"{', '.join(first['of_its_newest_commit'])} approved pull request {first['pull']} of {first['author']}"
    return Judgement(Verdict.OK, f"{said}.", None, rows)
