"""Delivery: changes on their way to the users."""

from opslib.actions.delivery_workflow import DispatchWorkflow

__all__ = ["DispatchWorkflow"]
