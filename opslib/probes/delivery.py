"""Delivery: how a change gets to its users."""

from opslib.probes.delivery_changes import change, replay
from opslib.probes.delivery_durations import durations, pace
from opslib.probes.delivery_infrastructure import rebuild
from opslib.probes.delivery_stages import graph, scenarios
from opslib.probes.delivery_workflow import commit, jobs, runs, workflow

__all__ = [
    "change",
    "commit",
    "durations",
    "graph",
    "jobs",
    "pace",
    "rebuild",
    "replay",
    "runs",
    "scenarios",
    "workflow",
]
