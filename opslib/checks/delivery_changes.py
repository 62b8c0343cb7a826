"""Changes against the workflow's filters: what one change would deploy, and what no filter covers."""

from __future__ import annotations

from collections import Counter

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import delivery_changes as probes

MOST_SAID = 4
REMEDY = (
    "Add the files to the filter of what is built from them (package-lock.json, index.html, vite.config.ts and "
    "tsconfig belong to the front end, a shared library to each service that uses it). What was missed is deployed "
    "with runbooks/force-full-deployment."
)


def change(file: str, branch: str, base: str, head: str, paths: str) -> Check:
    """Return the check of one change: each file is covered, and each job's decision is known."""
    return Check(
        name="delivery-change",
        title="What a change would deploy",
        probe=probes.change(file, branch, base, head, paths),
        judge=_judge_change,
        remedy=REMEDY,
    )


def _judge_change(reading: Reading) -> Judgement:
    first = reading.rows[0]
    jobs = [row for row in reading.rows if row["what"] == "job"]
    missed = [row["file"] for row in reading.rows if row["what"] == "file" and not row["covered"]]
    rows = tuple({name: row[name] for name in ("job", "runs", "why", "legs")} for row in jobs)
    if not first["files"]:
        return Judgement(
            Verdict.UNKNOWN, f"Nothing differs ({first['between']}): there is no change to look at.", 0, rows
        )
    if missed:
        return Judgement(
            Verdict.CRITICAL, f"No filter covers {_named(missed)}: no job would deploy it.", len(missed), rows
        )
    if faults := [row for row in jobs if row["fault"]]:
        return Judgement(Verdict.CRITICAL, f"{faults[0]['job']}: {faults[0]['fault']}.", len(faults), rows)
    open_ = [row["job"] for row in jobs if row["runs"] is None]
    if open_:
        return Judgement(Verdict.UNKNOWN, f"Not decided by the file alone: {', '.join(open_)}.", len(open_), rows)
    runs = [f"{row['job']} ×{len(row['legs'])}" if row["legs"] else row["job"] for row in jobs if row["runs"]]
    said = (
        f"{first['files']} files ({first['between']}): {', '.join(runs)} run; {len(jobs) - len(runs)} jobs are skipped"
    )
    return Judgement(Verdict.OK, f"{said}.", len(runs), rows)


def uncovered(file: str, branch: str, commits: int) -> Check:
    """Return the check that every file which changed lately is covered by a filter, or need not be deployed.

    CRITICAL for a file that changed and was not covered; WARNING for one that only lies there.
    """
    return Check(
        name="delivery-uncovered",
        title="No change of the past would have been missed",
        probe=probes.replay(file, branch, commits),
        judge=_judge_uncovered,
        remedy=REMEDY,
    )


def _judge_uncovered(reading: Reading) -> Judgement:
    commits = [row for row in reading.rows if row["what"] == "commit"]
    tree = [path for row in reading.rows if row["what"] == "tree" for path in row["uncovered"]]
    counted = Counter(path for row in commits for path in row["uncovered"])
    rows = tuple({"file": path, "commits": number, "missed": "changed"} for path, number in counted.most_common(20))
    rows += tuple({"file": path, "commits": 0, "missed": "not yet"} for path in tree if path not in counted)[:20]
    if not commits:
        return Judgement(Verdict.UNKNOWN, "The checkout has no commit with one before it.", None, rows)
    if counted:
        missed = sum(bool(row["uncovered"]) for row in commits)
        said = f"{missed} of {len(commits)} commits changed what no filter covers: {_named(list(counted))}"
        return Judgement(Verdict.CRITICAL, f"{said}.", len(counted), rows)
    if tree:
        said = f"{len(tree)} files are covered by no filter, and have not changed in {len(commits)} commits"
        return Judgement(Verdict.WARNING, f"{said}: {_named(tree)}.", len(tree), rows)
    spent, whole = sum(row["minutes"] for row in commits), probes.MINUTES_FULL * len(commits)
    kinds = Counter(row["kind"] for row in commits)
    said = (
        f"Every file of {len(commits)} commits is covered ({', '.join(f'{n} × {kind}' for kind, n in kinds.items())})"
    )
    saved = f"by the guide's own minutes {spent} instead of {whole}, {100 * (whole - spent) / whole:.0f} % saved"
    shown = tuple({k: row[k] for k in ("commit", "moment", "files", "kind", "minutes")} for row in commits[:20])
    return Judgement(Verdict.OK, f"{said}; {saved}.", 0, shown)


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_SAID} more" if len(paths) > MOST_SAID else ""
    return f"{', '.join(paths[:MOST_SAID])}{more}"
