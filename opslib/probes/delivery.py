"""Delivery: how a change gets to its users."""

from opslib.probes.delivery_changes import change, replay
from opslib.probes.delivery_durations import durations, pace
from opslib.probes.delivery_guide import carried_out as guide_carried_out
from opslib.probes.delivery_infrastructure import rebuild
from opslib.probes.delivery_map import codes as guide_codes
from opslib.probes.delivery_map import due as guide_due
from opslib.probes.delivery_map import newest as guide_newest
from opslib.probes.delivery_map import sections as guide_sections
from opslib.probes.delivery_map import symptoms as guide_symptoms
from opslib.probes.delivery_stages import graph, scenarios
from opslib.probes.delivery_workflow import commit, jobs, runs, workflow

__all__ = [
    "change",
    "commit",
    "durations",
    "graph",
    "guide_carried_out",
    "guide_codes",
    "guide_due",
    "guide_newest",
    "guide_sections",
    "guide_symptoms",
    "jobs",
    "pace",
    "rebuild",
    "replay",
    "runs",
    "scenarios",
    "workflow",
]
