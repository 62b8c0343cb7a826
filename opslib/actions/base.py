"""What every action is: a frozen, named value that plans, applies, verifies and undoes one effect.

An action holds parameters only, never a handle and never an ``if dry_run``: what it can do is decided
by the handles that it is given. Only the actions listed in :data:`opslib.actions.ACTIONS` exist for the
executor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verification

if TYPE_CHECKING:
    # Whoever reads a record knows an action's outcomes, and pays for no client.
    from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


def faults(error: ValidationError) -> str:
    """Return what is wrong with an action's parameters, in one line that repeats no value."""
    said = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'parameters'}: {one['msg']}" for one in said)


class Progress(Protocol):
    """Tells how far a long work is; ``total`` is None where it can't be known."""

    def __call__(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Show ``text`` with ``done`` of ``total`` (any unit, the same for both)."""


@dataclass(frozen=True)
class Settled:
    """How a broken-off apply ended: DONE with the values that it would have returned; NOT_DONE when the target
    is as the plan found it; PARTLY when ``apply`` may be called again with the same plan and completes it;
    UNKNOWN when a person has to look. ``why`` is one sentence for the record.
    """

    outcome: Outcome
    why: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Action(BaseModel):
    """One effect on a target. The class says what it is; the fields are its validated parameters.

    ``area`` is what a run holds the lock of while it changes it; ``most`` is how many things one apply may
    touch unless the target's description says otherwise; ``seconds`` is how long one apply may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)

    name: ClassVar[str]
    title: ClassVar[str]
    effect: ClassVar[Effect]
    repeat: ClassVar[Repeat]
    items: ClassVar[tuple[str, ...]] = ()
    guide: ClassVar[str] = ""
    reason: ClassVar[str] = ""
    area: ClassVar[str] = "database"
    most: ClassVar[int] = 10
    seconds: ClassVar[float] = 12 * 3600.0

    def plan(self, target: PlanTarget) -> Plan:
        """Look, through handles that cannot write, and say what would change; raises Refused if it must not."""
        raise NotImplementedError

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Do exactly what ``plan`` says; returns the values that later steps and the undo need."""
        raise NotImplementedError

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look again at the target itself and say whether the effect is there."""
        raise NotImplementedError

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Say how an apply of ``plan`` that was broken off ended; take away what it left half done.

        Never goes on with the effect itself. Raises OpsError when it cannot look.
        """
        if self.repeat is Repeat.REPEATABLE:
            return Settled(Outcome.PARTLY, f"{self.name} may be repeated.")
        return Settled(Outcome.UNKNOWN, f"{self.name} leaves nothing by which one could tell.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Bring back the recorded "before" and verify it; raises Refused where that is impossible."""
        raise Refused(f"{self.name} cannot be undone.", plan.undo)

    def planned(self, **said: Any) -> Plan:
        """Return a Plan of this action, filled with what its class says and ``said`` (the rest of the fields)."""
        return Plan(
            action=self.name,
            title=self.title,
            effect=self.effect,
            repeat=self.repeat,
            parameters=self.model_dump(mode="json"),
            guide=self.guide,
            reason=self.reason,
            items=self.items,
            **said,
        )
