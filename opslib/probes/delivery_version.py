"""One commit at GitHub: which runs tested it, and who reviewed the pull requests that hold it. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opslib.model import Probe
from opslib.probes.delivery_workflow import shown_run
from opslib.systems.github import Pull, Review
from opslib.systems.target import ReadTarget

NEWEST = "newest"
GONE = "ghost"
"""How GitHub calls an account that is gone."""


def whole(target: ReadTarget, commit: str, branch: str) -> str:
    """Return the 40 digits of a commit; of ``branch``'s newest where ``newest`` is asked for."""
    return target.workflows.head(branch if commit == NEWEST else commit)


def runs_of(file: str, commit: str, branch: str = "main") -> Probe:
    """Return the probe of one commit's runs of a workflow: a row per run with the whole ``of``, the newest first.

    Where no run tested it there is one row with no ``run``.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        sha = whole(target, commit, branch)
        runs = target.workflows.runs(file, commit=sha, most=20)
        rows = [{"of": sha, **shown_run(run)} for run in runs if run.commit == sha]
        return rows or [{"of": sha, "run": None, "event": "", "status": "", "conclusion": "", "address": ""}]

    return Probe(
        name="delivery-commit-runs",
        title=f"The runs of {file} on {commit if commit != NEWEST else f'the newest commit of {branch}'}",
        read=read,
        source=f"GET /repos/…/commits/REF · GET /repos/…/actions/workflows/{file}/runs?head_sha=…",
    )


def reviewed(commit: str, branch: str = "main") -> Probe:
    """Return the probe of the pull requests that hold a commit, each with its newest review of each person."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        sha = whole(target, commit, branch)
        pulls = target.workflows.pulls(sha)
        return [_pull(sha, pull, target.workflows.reviews(pull.number)) for pull in pulls]

    return Probe(
        name="delivery-commit-reviews",
        title="Who reviewed the pull requests that hold the commit",
        read=read,
        source="GET /repos/…/commits/REF/pulls · GET /repos/…/pulls/NUMBER/reviews",
    )


def _pull(sha: str, pull: Pull, reviews: Sequence[Review]) -> dict[str, Any]:
    author, said = pull.author.login if pull.author else GONE, dict[str, Review]()
    for one in reviews:
        who = one.author
        # A comment takes no approval back, and an app is nobody who has read it.
        if who is not None and who.login != author and who.type == "User" and one.state != "COMMENTED":
            said[who.login] = one
    by = {state: sorted(name for name, one in said.items() if one.state == state) for state in ("APPROVED", ASKED)}
    newest = [name for name in by["APPROVED"] if said[name].commit == pull.head.sha]
    return {
        "of": sha,
        "pull": pull.number,
        "author": author,
        "merged": pull.merged is not None,
        "approved_by": by["APPROVED"],
        "of_its_newest_commit": newest,
        "changes_wanted_by": by[ASKED],
        "address": pull.address,
    }


ASKED = "CHANGES_REQUESTED"
