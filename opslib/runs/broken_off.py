"""What is said of a step that broke off, and what can be done next. Pure: what a look found is handed in."""

from __future__ import annotations

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, StepFailed
from opslib.model import Outcome


def unhindered(tell: Progress) -> Progress:
    """Return ``tell`` for a look at what was left: a step that is stopped, or late, must still be able to."""

    def still(text: str, done: float | None = None, total: float | None = None) -> None:
        try:
            tell(text, done, total)
        except StepFailed:
            return

    return still


def broken(work: str, step: str, action: Action, settled: Settled, error: Exception) -> OpsError:
    """Return what is said of a step that broke off, after a look at what it left."""
    known = isinstance(error, OpsError)
    said = error.message if known else f"{action.name} broke off: {type(error).__name__}: {error}"  # type: ignore[attr-defined]
    if settled.outcome is Outcome.NOT_DONE:
        next_step = error.next_step if known else "Look at the message, then run again."  # type: ignore[attr-defined]
        return StepFailed(f"{said} {settled.why}", next_step)
    if settled.outcome is Outcome.PARTLY:
        return StepFailed(f"{said} {settled.why}", f"Go on with: ops resume {work}")
    return StepFailed(
        f"{said} Whether {action.name} happened is not known. {settled.why}",
        f"Look at the target; then ops resume {work}, or ops resolve {work} {step}",
    )


def doubt(work: str, step: str, action: Action, why: str) -> StepFailed:
    """Return what is said of a step of which nobody can tell whether it happened."""
    return StepFailed(
        f"Whether {action.name} happened is not known. {why}",
        f"Look at the target, then say what you saw: ops resolve {work} {step} --done or --not-done",
    )
