"""The executor: owns a run's journal and the credentials that can write, and applies named actions.

It lives in the runner's process (headless) or in a process of its own (interactive), never in the
notebook's. A notebook can change what is asked for; what is allowed is decided here.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from opslib import files
from opslib.actions import ACTIONS
from opslib.actions.base import Action, Progress, faults
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, StepFailed, UsageError
from opslib.model import Evidence, Plan, StepStatus, Verdict, Verification
from opslib.redaction import Redactor
from opslib.runs import approval
from opslib.runs.channel import Tell
from opslib.runs.evidence import plan_of
from opslib.runs.journal import Journal
from opslib.settings import Settings
from opslib.systems.target import ReadTarget, WriteTarget

Mode = Literal["run", "plan"]


class Executor:
    """Answers the verbs of one run. ``folder`` is the run's folder in the archive, already open."""

    def __init__(
        self,
        *,
        run: str,
        notebook: str,
        settings: Settings,
        folder: Path,
        mode: Mode,
        progress: Callable[[str], None] = lambda text: None,
        actions: Mapping[str, type[Action]] = ACTIONS,
    ) -> None:
        self.run, self.notebook, self.settings, self.folder, self.mode = run, notebook, settings, folder, mode
        self.redactor = Redactor(settings.secrets())
        self.cell: str | None = None
        self.finished = False
        self.trouble: OpsError | None = None
        self.plans: list[dict[str, Any]] = []
        self._latest: dict[str, Verdict] = {}
        self._said: dict[str, str] = {}
        self._steps: set[str] = set()
        self._busy = threading.Lock()
        self._progress = progress
        self._actions = actions
        self.journal = Journal(folder / "journal.jsonl", self.redactor, cell=lambda: self.cell)
        self.journal.append("opened", run=run)

    def answer(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Carry out one request of the notebook (``verb`` and its fields); raises OpsError."""
        verbs: dict[str, Callable[[Mapping[str, Any], Tell], Any]] = {
            "hello": self._hello,
            "reading": self._reading,
            "result": self._result,
            "note": self._note,
            "step": self._step,
            "finish": self._finish,
        }
        verb = verbs.get(str(request.get("verb")))
        if verb is None:
            raise UsageError(f"The executor knows no verb {request.get('verb')!r}.", f"It knows: {', '.join(verbs)}.")
        if request.get("cell"):
            self.cell = str(request["cell"])
        return verb(request, progress)

    @property
    def verdict(self) -> Verdict:
        """The worst of each check's latest result and each step's verification; UNKNOWN when there is none."""
        return Verdict.worst(list(self._latest.values()))

    @property
    def why(self) -> str:
        """One sentence of a check that the verdict rests on; empty when it is OK, or when no check said it."""
        names = [name for name, verdict in self._latest.items() if verdict is self.verdict is not Verdict.OK]
        return next((self._said[name] for name in names if name in self._said), "")

    @property
    def counts(self) -> Counter[str]:
        """How often each verdict stands among them."""
        return Counter(verdict.value for verdict in self._latest.values())

    def settle(self) -> None:
        """Wait for the step that is under way, if one is."""
        with self._busy:
            return

    def undo(self, step: str, said: Mapping[str, Any], values: Mapping[str, Any]) -> Verification:
        """Take back a step that an earlier run applied: ``said`` is its recorded plan, ``values`` what it produced.

        A step that touched nothing has nothing to take back. Raises Refused where an undo is impossible or
        not approved, StepFailed when it does not verify.
        """
        plan = plan_of(said)
        if plan.touches == 0:
            return Verification(Verdict.OK, f"{plan.action} had touched nothing.")
        action = self._action({"action": plan.action, "parameters": plan.parameters})
        target = WriteTarget(self.settings, self.run)
        self.plans.append({"step": step, "digest": plan.digest, "plan": to_json(plan)})
        self.journal.append("planned", step=step, plan=plan, digest=plan.digest)
        try:
            approval.require(plan, self.settings.environment, self.settings.unattended_actions)
            self.journal.append("intent", step=step, action=plan.action, digest=plan.digest)
            looked = action.undo(target, plan, values, self._teller(action, lambda said: None))
        except Exception as error:
            raise self._told(step, plan.action, error) from error
        finally:
            target.close()
        self.journal.append("undone", step=step, verification=looked)
        self._latest[f"step {step}"] = looked.verdict
        if looked.verdict is not Verdict.OK:
            raise StepFailed(
                f"The undo of {plan.action} says {looked.verdict}: {looked.summary}", "Look at the target."
            )
        return looked

    def close(self, state: str, verdict: Verdict) -> None:
        """Write the run's last line and its plans; nothing can be asked afterwards."""
        self.journal.append("closed", state=state, verdict=verdict, cell=None)
        self.journal.close()
        files.write_json(self.folder / "plan.json", self.redactor.tree(self.plans))

    def _hello(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        asked = request.get("environment")
        if asked not in (None, self.settings.environment):
            raise Refused(
                f"The notebook asks for {asked}, but this run was started on {self.settings.environment}.",
                "Start the run with --environment, and leave the parameter alone.",
            )
        return {"run": self.run, "notebook": self.notebook, "environment": self.settings.environment, "mode": self.mode}

    def _reading(self, request: Mapping[str, Any], progress: Tell) -> int:
        return self.journal.append("reading", reading=request["reading"])

    def _result(self, request: Mapping[str, Any], progress: Tell) -> int:
        result = request["result"]
        verdict = Verdict(result["verdict"])
        seq = self.journal.append("result", result=result)
        self._latest[f"check {result['check']}"] = verdict
        self._said[f"check {result['check']}"] = f"{result['summary']} ({result['title']})"
        return seq

    def _note(self, request: Mapping[str, Any], progress: Tell) -> int:
        return self.journal.append("note", text=str(request["text"]))

    def _finish(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        self.finished = True
        self.journal.append("finished", verdict=self.verdict)
        return {
            "run": self.run,
            "notebook": self.notebook,
            "environment": self.settings.environment,
            "mode": self.mode,
            "verdict": self.verdict.value,
            "counts": {verdict.value: self.counts[verdict.value] for verdict in Verdict},
            "steps": len(self._steps),
        }

    def _step(self, request: Mapping[str, Any], progress: Tell) -> Any:
        with self._busy:
            step = self._key()
            try:
                action = self._action(request)
                return self.redactor.tree(to_json(self._carry_out(step, action, self._teller(action, progress))))
            except Exception as error:
                raise self._told(step, str(request.get("action")), error) from error

    def _told(self, step: str, action: str, error: Exception) -> OpsError:
        """Journal why a step was not done and return it without secrets; a notebook that goes on can't hide it."""
        said = error if isinstance(error, OpsError) else None
        if said is None:
            said = StepFailed(
                f"{action} broke off: {type(error).__name__}: {error}",
                "The journal says how far it came; look at the target before trying again.",
            )
        said = type(said)(self.redactor.text(said.message), self.redactor.text(said.next_step))
        self.trouble = self.trouble or said
        self._latest.setdefault(f"step {step}", Verdict.UNKNOWN)
        event = "refused" if isinstance(said, Refused) else "failed"
        self.journal.append(event, step=step, action=action, message=said.message, next_step=said.next_step)
        return said

    def _teller(self, action: Action, progress: Tell) -> Progress:
        def tell(text: str, done: float | None = None, total: float | None = None) -> None:
            text = self.redactor.text(text)
            share = f" ({done / total:.0%})" if done is not None and total else ""
            self._progress(f"{action.name}: {text}{share}")
            progress({"text": text, "done": done, "total": total})

        return tell

    def _carry_out(self, step: str, action: Action, tell: Progress) -> Evidence:
        started = time.monotonic()
        plan = self._plan(action)
        self.plans.append({"step": step, "digest": plan.digest, "plan": to_json(plan)})
        self.journal.append("planned", step=step, plan=plan, digest=plan.digest)
        if self.mode == "plan":
            return Evidence(action.name, action.title, StepStatus.PLANNED, plan)
        approval.require(plan, self.settings.environment, self.settings.unattended_actions)
        self.journal.append("intent", step=step, action=action.name, digest=plan.digest)
        target = WriteTarget(self.settings, self.run)
        try:
            values = action.apply(target, plan, tell)
            seconds = round(time.monotonic() - started, 3)
            self.journal.append("applied", step=step, values=values, seconds=seconds)
            tell("verifying")
            verification = action.verify(target, plan, values)
        finally:
            target.close()
        return self._verified(step, plan, values, verification, started)

    def _plan(self, action: Action) -> Plan:
        target = ReadTarget(self.settings.reading(), self.run)
        try:
            return action.plan(target)
        finally:
            target.close()

    def _verified(
        self, step: str, plan: Plan, values: Mapping[str, Any], verification: Verification, started: float
    ) -> Evidence:
        self.journal.append("verified", step=step, verification=verification)
        self._latest[f"step {step}"] = verification.verdict
        evidence = Evidence(
            action=plan.action,
            title=plan.title,
            status=StepStatus.APPLIED,
            plan=plan,
            values=values,
            verification=verification,
            seconds=round(time.monotonic() - started, 3),
        )
        files.write_json(self.folder / "evidence" / f"{step}.json", self.redactor.tree(to_json(evidence)))
        if verification.verdict is not Verdict.OK:
            raise StepFailed(
                f"{plan.action} was applied, but its verification says {verification.verdict}: {verification.summary}",
                f"Undo: {plan.undo}",
            )
        return evidence

    def _key(self) -> str:
        # The step's key is its cell's id; evidence is a file of that name, so nothing else may stand in it.
        cell = re.sub(r"[^a-z0-9-]+", "-", (self.cell or "").lower()).strip("-")[:80] or "step"
        key = next(key for n in count(1) if (key := cell if n == 1 else f"{cell}-{n}") not in self._steps)
        self._steps.add(key)
        return key

    def _action(self, request: Mapping[str, Any]) -> Action:
        name = str(request.get("action"))
        kind = self._actions.get(name)
        if kind is None:
            raise UsageError(
                f"There is no action {name!r}.", f"The executor knows: {', '.join(sorted(self._actions))}."
            )
        try:
            return kind.model_validate_json(json.dumps(request.get("parameters") or {}))
        except ValidationError as error:
            raise Refused(
                f"{name} was asked for with wrong parameters: {faults(error)}.", "Correct the notebook's cell."
            ) from None
