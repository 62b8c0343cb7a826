"""One step from its plan to its verification: what is looked at, journalled and done, in which order.

Intent before act, both on the disk. Whatever breaks off in between is settled by a look at the target,
now or by the run that resumes it; only what nobody can tell stays in doubt.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from opslib import files
from opslib.actions.base import Action, Progress, Settled
from opslib.canonical import to_json
from opslib.errors import ArchiveError, OpsError, Refused, StepFailed
from opslib.model import Evidence, Outcome, Plan, Repeat, StepStatus, Verdict, Verification, now
from opslib.redaction import Redactor
from opslib.runs import approval, gate, undoing
from opslib.runs.broken_off import broken, doubt, unhindered
from opslib.runs.evidence import plan_of, verification_of
from opslib.runs.journal import Journal, read
from opslib.runs.lasting import Lasting
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import PlannedStep, moved
from opslib.runs.steps import State, StepRecord, fold
from opslib.runs.work import Work
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

PLANNED = "what the broken-off run had planned"
Check = Callable[[], None]
"""Raises Refused when nothing may be begun any more (the run was asked to stop, a lease was lost)."""


class Stepper:
    """Carries out the steps of one work, one at a time. ``plans`` are those it has planned, in order."""

    def __init__(self, work: Work, journal: Journal, redactor: Redactor, locks: Locks, may_begin: Check) -> None:
        self.work, self.journal, self.redactor, self.locks = work, journal, redactor, locks
        self.plans: list[PlannedStep] = []
        self._may_begin = may_begin
        self._approval = Lasting(work)

    def carry_out(self, step: str, action: Action, tell: Progress, shown: Plan | None = None) -> Evidence:
        """Plan, and unless this is a planning run apply and verify; raises OpsError that says how far it came.

        ``shown`` is the plan that a person saw in this run: what moved since is refused.
        """
        if self.work.mode == "plan":
            return self._from_plan(step, action, tell)
        known, seen = self.recorded(step), (shown, "what was shown") if shown else None
        if known is None or not known.plan:
            return self._from_plan(step, action, tell, seen)
        if known.state is State.NOT_DONE and known.run == self.work.run:
            # Another try in the same run, after something was put right: what it finds now is its plan.
            return self._from_plan(step, action, tell, seen)
        return self._go_on(step, action, known, tell)

    def recorded(self, step: str) -> StepRecord | None:
        """Return where ``step`` stands after this run so far and the work's earlier ones; None for a new one."""
        if all(planned.step != step for planned in self.plans):
            return self.work.history.get(step)
        return self.steps().get(step)

    def steps(self) -> dict[str, StepRecord]:
        """Return where each step of the work stands, in the order in which they first changed something."""
        lines = (line.said for line in read(self.journal.path))
        return fold([(self.work.run, lines)], self.work.history)

    def take_back(self, known: StepRecord, action: Action, tell: Progress) -> Verification | None:
        """Undo one step by its recorded plan and values; settles it first where its end is not known.

        Returns None for a step that had touched nothing: nothing is done then, and nothing looked at.
        """
        plan = plan_of(known.plan)
        if plan.touches == 0 and known.state is not State.IN_DOUBT:
            looked = Verification(Verdict.OK, f"{plan.action} had touched nothing.")
            self.journal.append("undone", step=known.step, verification=looked)
            return None
        # Who approved a step by itself approved its undo with it.
        approved = self.granted(PlannedStep(known.step, plan)).approved
        if approved is None:
            # What an action does to its target is what its class says, not what a record says of it.
            classed = replace(plan, effect=action.effect, repeat=action.repeat)
            approval.require(classed, self.work.settings.environment, self.work.settings.unattended_actions)
        else:
            undoing.covers(approved, known)
        self._hold(action)
        if known.state is State.IN_DOUBT:
            settled = self._settle(known.step, action, plan, tell)
            if settled.outcome is Outcome.NOT_DONE:
                looked = Verification(Verdict.OK, settled.why)
                self.journal.append("undone", step=known.step, verification=looked)
                return looked
            if settled.outcome is Outcome.UNKNOWN:
                raise doubt(self.work.id, known.step, action, settled.why)
            known = replace(known, values=settled.values)
        self.journal.append("undoing", step=known.step, action=plan.action, plan=plan, digest=plan.digest)
        self._may_begin()
        target = WriteTarget(self.work.settings, self.work.id, self.work.files(known.step))
        try:
            looked = action.undo(target, plan, known.values, tell)
        finally:
            target.close()
        self.journal.append("undone", step=known.step, verification=looked)
        if looked.verdict is not Verdict.OK:
            raise StepFailed(
                f"The undo of {plan.action} says {looked.verdict}: {looked.summary}", "Look at the target."
            )
        return looked

    def plan_back(self, known: StepRecord) -> None:
        """Record what taking ``known`` back would do; nothing is looked at or changed."""
        plan = undoing.plan_to_undo(known)
        self._keep_plan(known.step, plan)

    def _from_plan(self, step: str, action: Action, tell: Progress, before: tuple[Plan, str] | None = None) -> Evidence:
        started = time.monotonic()
        if self.work.mode == "run":
            # Before it is planned: what another run changes meanwhile must be in the plan.
            self._hold(action)
        plan = self.plan(step, action)
        if self.work.mode == "plan":
            return Evidence(action.name, action.title, StepStatus.PLANNED, plan)
        if before is not None and (differences := moved(before[0], plan)):
            raise Refused(
                f"{action.name} is not {before[1]} any more: {'; '.join(differences[:5])}.",
                "Look why it moved; then plan it again, or undo the run and start a new one.",
            )
        self._allow(step, plan)
        return self._apply(step, action, plan, tell, started)

    def _go_on(self, step: str, action: Action, known: StepRecord, tell: Progress) -> Evidence:
        """Do what is left of a step that an earlier run of this work began."""
        plan = plan_of(known.plan)
        asked = (action.name, to_json(action.model_dump(mode="json")), action.effect, action.repeat)
        if (plan.action, plan.parameters, plan.effect, plan.repeat) != asked:
            raise Refused(
                f"The step {step} asks for another action, or for other parameters, than in {known.run}.",
                "Resume with the notebook and the parameters of that run.",
            )
        gate.as_approved(plan, self.work, step)
        if known.state in (State.UNDONE, State.UNDO_IN_DOUBT):
            raise Refused(f"The step {step} was undone in {known.run}.", "Start a new run.")
        if known.state is State.NOT_DONE or (action.repeat is Repeat.REPEATABLE and not action.effect.on_target):
            return self._from_plan(step, action, tell, (plan, PLANNED))
        if known.state is State.VERIFIED:
            return self._keep(step, plan, known)
        started = time.monotonic()
        self._keep_plan(step, plan)
        if known.state is State.IN_DOUBT:
            self._hold(action)
            settled = self._settle(step, action, plan, tell)
            if settled.outcome is Outcome.NOT_DONE:
                return self._from_plan(step, action, tell, (plan, PLANNED))
            if settled.outcome is Outcome.PARTLY:
                self._allow(step, plan)
                return self._apply(step, action, plan, tell, started, partly=True)
            if settled.outcome is Outcome.UNKNOWN:
                raise doubt(self.work.id, step, action, settled.why)
            known = replace(known, values=settled.values)
        return self._verify(step, action, plan, known.values, started)

    def _keep(self, step: str, plan: Plan, known: StepRecord) -> Evidence:
        evidence = Evidence(
            action=plan.action,
            title=plan.title,
            status=StepStatus.APPLIED,
            plan=plan,
            values=known.values,
            verification=verification_of(known.verification),
            seconds=known.seconds,
        )
        self._add(step, plan)
        said: dict[str, Any] = {"step": step, "from": known.run, "evidence": evidence}
        self.journal.append("kept", **said)
        return evidence

    def plan(self, step: str, action: Action) -> Plan:
        """Plan ``step`` and journal that; nothing is changed, and nothing is locked."""
        target = PlanTarget(self.work.settings, self.work.id)
        try:
            # What is compared, approved and recorded is the plan without secrets.
            plan = plan_of(self.redactor.tree(to_json(action.plan(target))))
        finally:
            target.close()
        self._keep_plan(step, plan)
        return plan

    def _keep_plan(self, step: str, plan: Plan) -> None:
        self._add(step, plan)
        self.journal.append("planned", step=step, plan=plan, digest=plan.digest)

    def _add(self, step: str, plan: Plan) -> None:
        # The last plan of a step counts: it may be shown, and tried, several times.
        self.plans[:] = [*(planned for planned in self.plans if planned.step != step), PlannedStep(step, plan)]

    def _allow(self, step: str, plan: Plan) -> None:
        gate.in_order(step, self.work, self.steps())
        free = shutil.disk_usage(self.work.folder).free
        gate.allow(plan, self.granted(PlannedStep(step, plan)), step, moment=now(), free=free)

    def granted(self, step: PlannedStep) -> Work:
        """Return the work with what lets this one step happen, where approvals are asked for step by step."""
        work = self.work
        needed = approval.required([step], work.settings.environment, work.settings.unattended_actions)
        if work.asking is None or not needed:
            return work
        granted = work.asking.grant(step)
        for name, data in granted.copies:
            kept = work.folder / "evidence" / f"{step.step}-approvals" / name
            files.make_folder(kept.parent)
            files.write(kept, data, kept.with_name(f".{name}.part"))
        return replace(work, approved=granted.plan, break_glass=granted.break_glass)

    def _hold(self, action: Action) -> None:
        if action.effect.on_target:
            self.locks.take(action.area)

    def _apply(
        self, step: str, action: Action, plan: Plan, tell: Progress, started: float, *, partly: bool = False
    ) -> Evidence:
        self._may_begin()
        self._approval.check()
        self.journal.append("intent", step=step, action=action.name, digest=plan.digest, fences=self.locks.fences)
        target = WriteTarget(self.work.settings, self.work.id, self.work.files(step))
        try:
            # All once more: the flush of the intent may have taken long.
            self._may_begin()
            self._approval.check()
            self.locks.check()
            values = action.apply(target, plan, tell)
        except Refused as error:
            if not partly:
                # An action refuses before it changes anything. Of what was half done already that says nothing.
                self.journal.append("settled", step=step, outcome=Outcome.NOT_DONE, why=error.message, values={})
            raise
        except ArchiveError:
            raise
        except Exception as error:
            target.close()
            settled = self._settle(step, action, plan, tell)
            if settled.outcome is not Outcome.DONE:
                raise broken(self.work.id, step, action, settled, error) from error
            values = settled.values
        finally:
            target.close()
        seconds = round(time.monotonic() - started, 3)
        self.journal.append("applied", step=step, values=values, seconds=seconds)
        tell("verifying")
        return self._verify(step, action, plan, values, started)

    def _settle(self, step: str, action: Action, plan: Plan, tell: Progress) -> Settled:
        target = WriteTarget(self.work.settings, self.work.id, self.work.files(step))
        try:
            settled = action.settle(target, plan, unhindered(tell))
        except Exception as error:
            why = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
            settled = Settled(Outcome.UNKNOWN, f"Nobody could look: {why}")
        finally:
            target.close()
        self.journal.append("settled", step=step, outcome=settled.outcome, why=settled.why, values=settled.values)
        return settled

    def _verify(self, step: str, action: Action, plan: Plan, values: Mapping[str, Any], started: float) -> Evidence:
        target = VerifyTarget(self.work.settings, self.work.id, self.work.files(step))
        try:
            verification = action.verify(target, plan, values)
        finally:
            target.close()
        self.journal.append("verified", step=step, verification=verification)
        evidence = Evidence(
            action=plan.action,
            title=plan.title,
            status=StepStatus.APPLIED,
            plan=plan,
            values=values,
            verification=verification,
            seconds=round(time.monotonic() - started, 3),
        )
        files.write_json(self.work.folder / "evidence" / f"{step}.json", self.redactor.tree(to_json(evidence)))
        return evidence
