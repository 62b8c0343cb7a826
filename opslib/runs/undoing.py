"""What undoing a step would do, as a plan that can be approved. Pure: it follows from the step's record alone."""

from __future__ import annotations

from opslib.canonical import digest
from opslib.errors import Refused
from opslib.model import Plan, Repeat
from opslib.runs.evidence import plan_of
from opslib.runs.saved_plan import SavedPlan, moved
from opslib.runs.steps import StepRecord

UNDO = "undo"
"""The parameter that names the work in a plan of its undo."""


def plan_to_undo(known: StepRecord) -> Plan:
    """Return the plan of taking ``known`` back: from what it left to what it had found."""
    done = plan_of(known.plan)
    return Plan(
        action=done.action,
        title=f"Undo: {done.title}",
        effect=done.effect,
        repeat=Repeat.ONCE,
        parameters=done.parameters,
        before=done.after,
        after=done.before,
        touches=done.touches,
        touched=done.touched,
        verification="The undo looks at the target again and says what it found.",
        undo="None: run the runbook again.",
        reason=done.undo,
        items=done.items,
        fingerprint={"plan": done.digest, "values": digest(known.values), "state": known.state.value},
    )


def to_apply(saved: SavedPlan) -> str:
    """Return the command that applies a saved plan."""
    if UNDO in saved.parameters:
        return f"ops undo {saved.parameters[UNDO]} --apply {saved.run}"
    return f"ops run --environment {saved.environment} --apply {saved.run}"


def covers(approved: SavedPlan, known: StepRecord) -> None:
    """Return if ``approved`` lets ``known`` be undone; raises Refused with what differs otherwise.

    Who approved a plan agreed to its undo with it, and to no step that a record names besides. A plan of the undo
    alone must still be what it was.
    """
    planned = approved.step(known.step)
    if planned is None:
        raise Refused(f"The undo of {known.step} is not in the plan that was approved.", "Plan the undo again.")
    found = plan_to_undo(known) if UNDO in approved.parameters else plan_of(known.plan)
    if differences := moved(planned, found):
        raise Refused(
            f"The undo of {known.step} is not what was approved any more: {'; '.join(differences[:5])}.",
            "Plan the undo again.",
        )
