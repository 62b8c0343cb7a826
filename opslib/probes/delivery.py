"""Delivery: how a change gets to its users."""

from opslib.probes.delivery_workflow import commit, jobs, runs, workflow

__all__ = ["commit", "jobs", "runs", "workflow"]
