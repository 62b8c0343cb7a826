"""The executor of a run that a person steps through: it shows each plan before it is applied, and what to do after.

What can be done about a step is what the executor can do: try again, leave it out where it changed nothing, take
it back, or end the run. Whether a step may happen is decided as everywhere, by approvals, limits and locks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from opslib.actions.base import Action, Progress
from opslib.canonical import to_json
from opslib.errors import Refused, StepFailed, UsageError
from opslib.model import Evidence, Plan, StepStatus, Verdict
from opslib.runs import approval
from opslib.runs.channel import Tell
from opslib.runs.evidence import evidence_of, plan_of
from opslib.runs.executor import Executor, Verb
from opslib.runs.looking_back import durations
from opslib.runs.saved_plan import PlannedStep
from opslib.runs.steps import State, StepRecord

LONGEST_REASON = 500
"""Characters of the sentence that says why a step is left out."""

BEGUN = (State.VERIFIED, State.APPLIED, State.IN_DOUBT)
"""Where a step stands that was begun in this run already: asked for again, its own record goes on."""


class ByHand(Executor):
    """Answers the verbs of one interactive run.

    ``done`` is set when a person, or what began anew, has ended it; ``ended_by`` says who, where it was no person.
    """

    def __init__(self, *given: Any, **more: Any) -> None:
        self.done = threading.Event()
        self.ended_by = ""
        self._shown: dict[str, Plan] = {}
        self._offered: set[str] = set()
        self._cancelled = False
        self.more: dict[str, Verb] = {}
        super().__init__(*given, **more)

    def verbs(self) -> dict[str, Verb]:
        """Return what a notebook can ask for, by name: what people do with a step as well."""
        own: dict[str, Verb] = {
            "show": self._show,
            "missing": self._missing,
            "skip": self._skip,
            "undo": self._undo,
            "end": self._end,
        }
        return super().verbs() | own | self.more

    def answer(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Carry out one request; raises Refused for what comes after the run's end, cells' own words aside."""
        if self.finished and str(request.get("verb")) not in self.more:
            raise Refused(f"{self.work.run} is finished.", "Begin a new run: run the notebook from its first cell.")
        if request.get("cell"):
            # No runner knows which cell runs; where one does, the notebook must not say it.
            self.cell = str(request["cell"])
        return super().answer(request, progress)

    def begin_again(self) -> None:
        """Let the notebook begin once more in the same run: its cells ask for the same steps then, by the same keys."""
        self.journal.append("note", text="The notebook began again; the run goes on.")
        self._asked.clear()

    @property
    def changed(self) -> list[StepRecord]:
        """The steps of this run that left something, in the order in which they began."""
        return [step for step in self.stepper.steps().values() if step.changed]

    def cancel(self) -> bool:
        """Break off the step that is under way where it next tells its progress; the run goes on. False for none."""
        if self._busy.acquire(blocking=False):
            self._busy.release()
            return False
        self._cancelled = True
        self.journal.append("note", text="The step under way was asked to break off.")
        return True

    def _about(self) -> dict[str, Any]:
        return {**super()._about(), "by_hand": True}

    def _finish(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        # A cell that was run again asks for its step again; it is one step all the same.
        return {**super()._finish(request, progress), "steps": len(self.stepper.plans)}

    def _show(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        """Plan a step for a person to look at; nothing is changed. A step that was begun shows its own plan."""
        with self._busy:
            name = str(request.get("action"))
            step = self._key(name)
            try:
                action = self._action(request)
                known = self.stepper.recorded(step)
                if known and known.plan and known.state in BEGUN:
                    self._offered.add(step)
                    return self._told_of(step, plan_of(known.plan), known.state)
                plan = self._shown[step] = self.stepper.plan(step, action)
                # Until it is carried out nothing was done, and that is not green.
                self.findings.verified(step, Verdict.UNKNOWN)
                return self._told_of(step, plan, State.NOT_DONE)
            except Exception as error:
                raise self._told(step, name, error) from error

    def _told_of(self, step: str, plan: Plan, state: State) -> dict[str, Any]:
        took = durations(self.work.folder.parent, self.work.folder.name, self.settings.environment, plan.action)
        said = {"step": step, "state": state.value, "plan": to_json(plan) | {"digest": plan.digest}, "took": took}
        said["approvals"] = approval.required(
            [PlannedStep(step, plan)], self.settings.environment, self.settings.unattended_actions
        )
        return dict(self.redactor.tree(said))

    def _missing(self, request: Mapping[str, Any], progress: Tell) -> dict[str, str]:
        """Say what a shown step waits for: which file others have to approve; empty texts for nothing."""
        step = str(request.get("step"))
        plan = self._shown.get(step)
        if plan is None:
            raise UsageError(f"The step {step!r} was not shown.", "Run its cell.")
        try:
            self.stepper.granted(PlannedStep(step, plan))
        except Refused as error:
            # The panel looks again by itself.
            said = error.next_step.partition(" ; ")[0]
            return {"why": self.redactor.text(error.message), "next": self.redactor.text(said)}
        return {"why": "", "next": ""}

    def _carry_out(self, step: str, action: Action, tell: Progress) -> Evidence:
        self._cancelled = False
        self._offered.discard(step)
        return self.stepper.carry_out(step, action, tell, self._shown.pop(step, None))

    def _go_on(self, action: Action) -> None:
        if self._cancelled:
            raise StepFailed(f"{action.name} was cancelled by its operator.", "Try again, undo, or end the run.")

    def _again(self, key: str, action: str) -> bool:
        seen = key in self._shown or key in self._offered
        return super()._again(key, action) or (seen and self._asked[key] == action)

    def _skip(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Leave a step out; raises Refused unless it is sure that it changed nothing. The run cannot be OK then."""
        with self._busy:
            step, reason = self._known(request), str(request.get("reason") or "").strip()
            if not 0 < len(reason) <= LONGEST_REASON:
                raise UsageError("Why is the step left out?", f"Say it in one sentence, {LONGEST_REASON} characters.")
            if step.state not in (State.NOT_DONE, State.UNDONE):
                raise Refused(
                    f"The step {step.step} is {step.state}, so it cannot be left out.", "Try again, or undo it."
                )
            self.journal.append("skipped", step=step.step, action=step.action, reason=reason)
            self._left(step.step, f"The step {step.step} was left out: {self.redactor.text(reason)}")
            plan = plan_of(step.plan)
            return self.redactor.tree(to_json(Evidence(plan.action, plan.title, StepStatus.PLANNED, plan)))

    def _undo(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Take back a step of this run, the last one first, by its recorded plan; raises OpsError when it cannot be."""
        step = self._known(request)
        if not step.changed:
            raise Refused(f"The step {step.step} left nothing to undo.", "Try again, or leave it out.")
        later = [other.step for other in self.changed]
        if later[-1:] != [step.step]:
            raise Refused(f"{later[-1]} came after {step.step}.", f"Undo that first, or the run: ops undo {step.run}")
        self.take_back(step)
        self._left(step.step, f"The step {step.step} was undone in the same run.")
        known = self.stepper.recorded(step.step)
        looked = known.verification if known else {}
        said = {"action": step.action, "title": plan_of(step.plan).title, "status": "undone", "values": {}}
        return self.redactor.tree(
            to_json(evidence_of({**said, "plan": step.plan, "verification": looked or None, "seconds": 0.0}))
        )

    def _left(self, step: str, why: str) -> None:
        self._shown.pop(step, None)
        self._troubles.pop(step, None)
        self.findings.left_out(step, why)

    def _known(self, request: Mapping[str, Any]) -> StepRecord:
        known = self.stepper.recorded(str(request.get("step")))
        if known is None or not known.plan:
            raise UsageError(f"The step {request.get('step')!r} is not known.", "Run its cell.")
        return known

    def _end(self, request: Mapping[str, Any], progress: Tell) -> None:
        """End the run here: what was done stays, and the record says that a person ended it."""
        self.done.set()
