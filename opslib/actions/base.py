"""What every action is: a frozen, named value that plans, applies, verifies and undoes one effect.

An action holds parameters only, never a handle and never an ``if dry_run``: what it can do is decided
by the handles that it is given. Only the actions listed in :data:`opslib.actions.ACTIONS` exist for the
executor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from opslib.errors import Refused
from opslib.model import Effect, Plan, Repeat, Verification
from opslib.systems.target import ReadTarget, WriteTarget


def faults(error: ValidationError) -> str:
    """Return what is wrong with an action's parameters, in one line that repeats no value."""
    said = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'parameters'}: {one['msg']}" for one in said)


class Progress(Protocol):
    """Tells how far a long work is; ``total`` is None where it can't be known."""

    def __call__(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Show ``text`` with ``done`` of ``total`` (any unit, the same for both)."""


class Action(BaseModel):
    """One effect on a target. The class says what it is; the fields are its validated parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: ClassVar[str]
    title: ClassVar[str]
    effect: ClassVar[Effect]
    repeat: ClassVar[Repeat]
    items: ClassVar[tuple[str, ...]] = ()
    guide: ClassVar[str] = ""
    reason: ClassVar[str] = ""

    def plan(self, target: ReadTarget) -> Plan:
        """Look, through handles that cannot write, and say what would change; raises Refused if it must not."""
        raise NotImplementedError

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Do exactly what ``plan`` says; returns the values that later steps and the undo need."""
        raise NotImplementedError

    def verify(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look again at the target itself and say whether the effect is there."""
        raise NotImplementedError

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
