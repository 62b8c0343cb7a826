"""Delivery: how a change gets to its users."""

from opslib.probes.delivery_workflow import jobs, runs, workflow

__all__ = ["jobs", "runs", "workflow"]
