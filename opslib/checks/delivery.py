"""Delivery: whether a change may go to its users, and whether it got there."""

from opslib.checks.delivery_changes import change, uncovered
from opslib.checks.delivery_guide import (
    guide_age,
    guide_carried_out,
    guide_files,
    guide_notes,
    guide_resources,
    guide_version,
)
from opslib.checks.delivery_rebuild import rebuild
from opslib.checks.delivery_runs import durations, run_stages
from opslib.checks.delivery_scenarios import scenarios
from opslib.checks.delivery_sources import merged
from opslib.checks.delivery_stages import change_detection, filters, pinned, stages
from opslib.checks.delivery_version import commit_reviewed, commit_tested
from opslib.checks.delivery_workflow import last_run, nothing_under_way, takes_input, tested
from opslib.checks.tree import Tree
from opslib.model import Check

WORKFLOW, BRANCH, FLAG = "deploy-production.yml", "main", "force_full_deploy"
"""As the guide names them."""

DECISIVE: tuple[Check, ...] = (
    run_stages(WORKFLOW),
    last_run(WORKFLOW),
    stages(WORKFLOW, BRANCH),
    scenarios(WORKFLOW, BRANCH, FLAG),
    uncovered(WORKFLOW, BRANCH, 50),
    takes_input(WORKFLOW, BRANCH, FLAG),
)
TREES: tuple[Tree, ...] = ()

__all__ = [
    "BRANCH",
    "DECISIVE",
    "FLAG",
    "TREES",
    "WORKFLOW",
    "change",
    "change_detection",
    "commit_reviewed",
    "commit_tested",
    "durations",
    "filters",
    "guide_age",
    "guide_carried_out",
    "guide_files",
    "guide_notes",
    "guide_resources",
    "guide_version",
    "last_run",
    "merged",
    "nothing_under_way",
    "pinned",
    "rebuild",
    "run_stages",
    "scenarios",
    "stages",
    "takes_input",
    "tested",
    "uncovered",
]
