"""What must hold before a step changes anything. A pure rule: everything it judges is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from opslib.errors import Refused
from opslib.model import Plan
from opslib.runs import approval
from opslib.runs.saved_plan import moved
from opslib.runs.steps import State, StepRecord
from opslib.runs.work import Work
from opslib.settings import Settings

RESERVE = 16 * 1024 * 1024
"""Bytes that must be free where the journal lies: an effect whose outcome cannot be recorded is not begun."""


def allow(plan: Plan, work: Work, step: str, *, moment: datetime, free: int) -> None:
    """Return if ``plan`` may be applied as ``step`` of ``work`` now; raises Refused with what forbids it.

    ``free`` is the archive's free bytes. Steps that only read or stay on this machine need room and no more.
    """
    if free < RESERVE:
        raise Refused(
            f"The archive's disk has {free} bytes free; a step needs {RESERVE} for its record.",
            "Free space, then run again.",
        )
    as_approved(plan, work, step)
    if not plan.effect.on_target:
        return
    if work.approved is None:
        approval.require(plan, work.settings.environment, work.settings.unattended_actions)
    unfrozen(work.settings, moment, work.break_glass)
    _within_limit(plan, work)


def unfrozen(target: Settings, moment: datetime, break_glass: bool) -> None:
    """Return if the target may be changed at ``moment``; raises Refused while it is frozen and no glass is broken."""
    end = target.frozen_until(moment)
    if end is not None and not break_glass:
        raise Refused(
            f"{target.environment} is frozen until {end:%Y-%m-%d %H:%M} UTC (OPS_FREEZE).",
            "Wait, or have a plan approved with ops approve --break-glass.",
        )


def in_order(step: str, work: Work, steps: Mapping[str, StepRecord]) -> None:
    """Return if every step before ``step`` in the approved plan was done and verified; raises Refused otherwise.

    ``steps`` is where they stand. Who approved a sequence did not approve its end without its beginning.
    """
    for before in work.approved.steps if work.approved else ():
        if before.step == step:
            return
        known = steps.get(before.step)
        if known is None or known.state is not State.VERIFIED:
            raise Refused(
                f"The step {before.step} comes before {step} in the plan that was approved, and is not done and "
                "verified.",
                "Carry out the notebook in its order.",
            )


def as_approved(plan: Plan, work: Work, step: str) -> None:
    """Return if ``plan`` is what was approved for ``step``, or nothing had to be; raises Refused with what moved."""
    if work.approved is None:
        return
    approved = work.approved.step(step)
    if approved is None:
        raise Refused(
            f"The step {step} ({plan.action}) is not in the plan that was approved.",
            f"Plan again: ops run {work.notebook} --environment {work.settings.environment} --plan",
        )
    if differences := moved(approved, plan):
        raise Refused(
            f"{plan.action} is not what was approved any more: {'; '.join(differences[:5])}.",
            f"Look why it moved, then plan again: ops run {work.notebook} "
            f"--environment {work.settings.environment} --plan",
        )


def _within_limit(plan: Plan, work: Work) -> None:
    kind = work.actions.get(plan.action)
    limit = work.settings.most.get(plan.action, kind.most if kind else 0)
    if plan.touches is None:
        raise Refused(f"How much {plan.action} would touch is not known.", "Run the steps before it first.")
    if plan.touches > limit:
        raise Refused(
            f"{plan.action} would touch {plan.touches} {plan.touched}; at most {limit} are allowed at once.",
            f"If that is meant, the target's owner raises the limit: OPS_MOST={plan.action}={plan.touches}",
        )
