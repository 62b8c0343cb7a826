"""What a workflow does for real changes: of one change set each job's decision, of the past what no filter covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.delivery_decisions import Case, Decision, decide, fitting
from opslib.probes.delivery_globs import matches
from opslib.probes.delivery_graph import Change, Workflow
from opslib.probes.delivery_stages import AREAS, load
from opslib.systems.checkout import Checkout
from opslib.systems.target import ReadTarget

ELSEWHERE = (
    *("docs/**", "**/*.md", "tests/**", "**/*.test.*", "supabase/**", "LICENSE*", "**/.gitignore", ".env.example"),
    *(".vscode/**", ".editorconfig", ".github/ISSUE_TEMPLATE/**"),
)
"""Files that the workflow need not deploy: documents, tests, and Supabase's, which have runbooks of their own."""
MOST_FILES = 3000
PREVIOUS, NONE = "previous", "none"
MINUTES = {"documentation": 2, "front end": 3, "infrastructure": 4, "one service": 5, "several services": 8}
MINUTES_MIXED, MINUTES_FULL = 10, 20
"""What the guide and the product's own document on its pipeline say that a run of each kind takes."""


def change(file: str, branch: str, base: str, head: str, paths: str) -> Probe:
    """Return the probe of one change set: which filters each file fits, and what each job does.

    ``paths`` (by commas; ``none``: the files that differ between the commits ``base`` and ``head`` of the checkout).
    ``base`` may be ``previous``: the first parent of ``head``. The rows differ by ``what``: change, file, job.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        _, _, flow = load(target, file, branch)
        between, changes = _changes(target, base, head, paths)
        if len(changes) > MOST_FILES:
            raise Unreachable(f"{len(changes)} files differ.", "Ask for commits nearer to each other.", "large")
        decided = decide(flow, Case(fitting(flow, changes), branch=branch))
        first = {"what": "change", "between": between, "files": len(changes), "areas": list(AREAS)}
        return [first, *_files(flow, branch, changes, decided), *_decisions(flow, decided)]

    return Probe(
        name="workflow-change",
        title=f"What {file} does for a change",
        read=read,
        source=f"git diff-tree -r --no-renames --name-status {base} {head}" if paths == NONE else paths,
    )


def _changes(target: ReadTarget, base: str, head: str, paths: str) -> tuple[str, list[Change]]:
    if paths != NONE:
        return "the files named", [(path, "M") for path in paths.split(",")]
    checkout = target.checkout
    newest = checkout.commit(head)
    if base != PREVIOUS:
        oldest = checkout.commit(base)
        return f"{oldest[:12]}..{newest[:12]}", checkout.changed(oldest, newest)
    (made,) = checkout.history(newest, 1)
    return f"{(made.parent or 'nothing')[:12]}..{newest[:12]}", list(made.changes)


def _files(
    flow: Workflow, branch: str, changes: Sequence[Change], decided: dict[str, Decision]
) -> list[dict[str, Any]]:
    alone: dict[frozenset[str], list[str]] = {}
    never = {name for name, one in decide(flow, Case(frozenset(), branch=branch)).items() if one.runs}
    rows = []
    for path, how in changes:
        fits = fitting(flow, [(path, how)])
        if fits not in alone:
            made = decide(flow, Case(fits, branch=branch))
            alone[fits] = [name for name, one in made.items() if one.runs and name not in never]
        elsewhere = not fits and any(matches(glob, path) for glob in ELSEWHERE)
        covered = "filter" if fits else "elsewhere" if elsewhere else ""
        jobs = [name for name in alone[fits] if decided[name].runs]
        rows.append(
            {"what": "file", "file": path, "how": how, "filters": sorted(fits), "covered": covered, "jobs": jobs}
        )
    return rows


def _decisions(flow: Workflow, decided: dict[str, Decision]) -> list[dict[str, Any]]:
    return [
        {
            "what": "job",
            "job": one.job,
            "runs": one.runs,
            "why": one.why,
            "legs": list(one.legs),
            "fault": one.fault,
            "needs": list(flow.jobs[one.job].needs),
        }
        for one in decided.values()
    ]


def replay(file: str, branch: str, commits: int) -> Probe:
    """Return the probe of the last ``commits`` commits of the checkout, as today's filters would have taken them.

    A row per commit (``what``: commit), and one of what lies in the newest one and no filter covers (``what``: tree).
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        _, _, flow = load(target, file, branch)
        checkout = target.checkout
        newest = checkout.commit(branch)
        made = checkout.history(newest, commits)
        # The first commit brings everything: no push was like that.
        rows = [_replayed(flow, one.commit, one.moment.isoformat(), one.changes) for one in made if one.parent]
        return [*rows, {"what": "tree", "commit": newest, "uncovered": _uncovered_tree(flow, checkout, newest)}]

    return Probe(
        name="workflow-replay",
        title=f"The last {commits} commits, as {file} would take them",
        read=read,
        source=f"git rev-list --first-parent --max-count={commits} {branch} | git diff-tree --stdin --name-status",
    )


def _replayed(flow: Workflow, commit: str, moment: str, changes: Sequence[Change]) -> dict[str, Any]:
    fits = fitting(flow, changes[:MOST_FILES])
    kind, minutes = _kind(fits)
    return {
        "what": "commit",
        "commit": commit[:12],
        "moment": moment,
        "files": len(changes),
        "kind": kind,
        "minutes": minutes,
        "uncovered": [path for path, how in changes[:MOST_FILES] if not _covered(flow, (path, how))],
    }


def _kind(fits: frozenset[str]) -> tuple[str, int]:
    many = fits - set(AREAS)
    parts = ["infrastructure"] if "infrastructure" in fits else []
    parts += ["front end"] if "frontend" in fits else []
    parts += ["one service" if len(many) == 1 else "several services"] if many else []
    kind = " and ".join(parts) or "documentation"
    return kind, MINUTES.get(kind, MINUTES_FULL if len(parts) == 3 else MINUTES_MIXED)


def _covered(flow: Workflow, change: Change) -> bool:
    return bool(fitting(flow, [change])) or any(matches(glob, change[0]) for glob in ELSEWHERE)


def _uncovered_tree(flow: Workflow, checkout: Checkout, commit: str) -> list[str]:
    paths = [entry.path for entry in checkout.entries(commit)][:MOST_FILES]
    return [path for path in paths if not _covered(flow, (path, "M"))]
