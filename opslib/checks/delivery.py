"""Delivery: whether a change may go to its users, and whether it got there."""

from opslib.checks.delivery_workflow import last_run, nothing_under_way, takes_input, tested

__all__ = ["last_run", "nothing_under_way", "takes_input", "tested"]
