"""Who must have agreed before an action is applied: a pure rule.

This version knows two answers: the target's own description lets the action run unattended, or it is
refused. Signed approvals bound to a plan's digest come with the approval command; until then nothing
that needs one can be applied to staging or production.
"""

from __future__ import annotations

from opslib.errors import Refused
from opslib.model import Effect, Environment, Plan

NEEDS_APPROVAL: dict[Environment, frozenset[Effect]] = {
    "lab": frozenset(),
    "staging": frozenset({Effect.DESTRUCTIVE}),
    "production": frozenset({Effect.CHANGE, Effect.DESTRUCTIVE}),
}
"""The effect classes that nobody applies alone, by environment."""


def require(plan: Plan, environment: Environment, unattended: tuple[str, ...]) -> None:
    """Return if ``plan`` may be applied now; raises Refused with what is missing otherwise."""
    if plan.effect not in NEEDS_APPROVAL[environment] or plan.action in unattended:
        return
    raise Refused(
        f"{plan.action} is a {plan.effect} step on {environment} and has no approval.",
        f"Read its plan (ops run … --plan; digest {plan.digest[:12]}). The target's owner can name the action in "
        "OPS_UNATTENDED_ACTIONS of the target description; nobody else can let it run.",
    )
