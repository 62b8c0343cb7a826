"""Delivery: changes on their way to the users, and infrastructure code."""

from opslib.actions.delivery_infrastructure import ApplyInfrastructure
from opslib.actions.delivery_workflow import DispatchWorkflow

__all__ = ["ApplyInfrastructure", "DispatchWorkflow"]
