"""The executor: owns a run's journal and the credentials that can write, and applies named actions.

It lives in the runner's process (headless) or in a process of its own (interactive), never in the
notebook's. A notebook can change what is asked for; what is allowed is decided here.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from pydantic import ValidationError

from opslib.actions.base import Action, Progress, faults
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, StepFailed, UsageError
from opslib.model import Evidence, Verdict
from opslib.redaction import Redactor
from opslib.runs import asked
from opslib.runs.channel import Tell
from opslib.runs.findings import Findings
from opslib.runs.journal import Journal
from opslib.runs.locks import Locks
from opslib.runs.looking_back import look_back
from opslib.runs.stepping import Stepper
from opslib.runs.steps import StepRecord
from opslib.runs.waiting import Waiting
from opslib.runs.work import Work

Verb = Callable[[Mapping[str, Any], Tell], Any]


class Executor:
    """Answers the verbs of one run."""

    def __init__(
        self,
        work: Work,
        *,
        locks: Locks | None = None,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.work, self.settings = work, work.settings
        self.redactor = Redactor(work.settings.secrets())
        self.cell: str | None = None
        self.finished = False
        self.stopping = ""
        self.findings = Findings()
        self._troubles: dict[str, OpsError] = {}
        self._asked: dict[str, str] = {}
        self._busy = threading.Lock()
        self._progress = progress
        self.locks = locks or Locks(work.settings, work.run)
        self.journal = Journal(work.folder / "journal.jsonl", self.redactor, cell=lambda: self.cell)
        self.journal.append("opened", run=work.run)
        self.stepper = Stepper(work, self.journal, self.redactor, self.locks, self._may_begin)
        self._waiting = Waiting(work, self.journal, self._may_begin, progress)

    def answer(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Carry out one request of the notebook (``verb`` and its fields); raises OpsError."""
        verbs = self.verbs()
        verb = verbs.get(str(request.get("verb")))
        if verb is None:
            raise UsageError(f"The executor knows no verb {request.get('verb')!r}.", f"It knows: {', '.join(verbs)}.")
        return verb(request, progress)

    def verbs(self) -> dict[str, Verb]:
        """Return what a notebook can ask for, by name."""
        return {
            "hello": self._hello,
            "reading": self._reading,
            "take": self._take,
            "take all": self._take_all,
            "result": self._result,
            "look back": self._look_back,
            "note": self._note,
            "confirm": self._confirm,
            "rest": self._rest,
            "step": self._step,
            "finish": self._finish,
        }

    @property
    def trouble(self) -> OpsError | None:
        """Why the first step that did not succeed, and was not done since, did not."""
        return next(iter(self._troubles.values()), None)

    def stop(self, by: str) -> None:
        """Begin nothing any more, and break off the step that is under way where it next tells its progress."""
        if not self.stopping:
            self.stopping = by
            self.journal.append("stopping", by=by)

    def settle(self, seconds: float = -1) -> bool:
        """Wait for the step that is under way, at most ``seconds`` (-1: as long as it takes); False if it still is."""
        if not self._busy.acquire(timeout=seconds):
            return False
        self._busy.release()
        return True

    def take_back(self, known: StepRecord) -> None:
        """Undo a step that an earlier run of this work applied; raises OpsError when it cannot be, or is unproven."""
        with self._busy:
            try:
                parameters = known.plan.get("parameters")
                action = self._action({"action": known.action, "parameters": parameters})
                looked = self.stepper.take_back(known, action, self._teller(action, lambda said: None, None))
            except Exception as error:
                raise self._told(known.step, known.action, error) from error
            if looked is not None:
                self.findings.verified(known.step, looked.verdict)

    def close(self, state: str, verdict: Verdict) -> None:
        """Write the run's last line and give its locks back; nothing can be asked afterwards."""
        try:
            for finding in self.locks.findings:
                self.journal.append("note", text=finding)
            self.journal.append("closed", state=state, verdict=verdict)
        finally:
            self.journal.close()
            self.locks.close()

    def _hello(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        asked = request.get("environment")
        if asked not in (None, self.settings.environment):
            raise Refused(
                f"The notebook asks for {asked}, but this run was started on {self.settings.environment}.",
                "Start the run with --environment, and leave the parameter alone.",
            )
        return self._about()

    def _about(self) -> dict[str, Any]:
        work = self.work
        return {
            "run": work.run,
            "notebook": work.notebook,
            "environment": work.settings.environment,
            "mode": work.mode,
        }

    def _reading(self, request: Mapping[str, Any], progress: Tell) -> int:
        return self.journal.append("reading", reading=request["reading"])

    def _take(self, request: Mapping[str, Any], progress: Tell) -> Any:
        taken = asked.take(self.work, str(request.get("probe")), self.redactor)
        self.journal.append("reading", reading=taken)
        return taken

    def _take_all(self, request: Mapping[str, Any], progress: Tell) -> Any:
        lanes = [[str(name) for name in lane] for lane in request["lanes"]]
        found = asked.take_all(self.work, lanes, self.redactor, float(request["seconds"]))
        # In the order asked for, whoever was first.
        for one in found:
            if one and "reading" in one:
                self.journal.append("reading", reading=one["reading"])
        return found

    def _result(self, request: Mapping[str, Any], progress: Tell) -> int:
        result = request["result"]
        verdict = Verdict(result["verdict"])
        seq = self.journal.append("result", result=result)
        self.findings.checked(result, verdict)
        return seq

    def _look_back(self, request: Mapping[str, Any], progress: Tell) -> Any:
        folder, checks = self.work.folder, [str(name) for name in request["checks"]]
        said = look_back(folder.parent, folder.name, self.settings.environment, checks)
        return self.redactor.tree(said)

    def _note(self, request: Mapping[str, Any], progress: Tell) -> int:
        return self.journal.append("note", text=str(request["text"]))

    def _confirm(self, request: Mapping[str, Any], progress: Tell) -> str:
        return self._waiting.confirm(str(request["text"]), float(request["minutes"]))

    def _rest(self, request: Mapping[str, Any], progress: Tell) -> None:
        self._waiting.rest(float(request["seconds"]), self.redactor.text(str(request["text"])))

    def _finish(self, request: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
        self.finished = True
        self.journal.append("finished", verdict=self.findings.verdict)
        return {
            **self._about(),
            "verdict": self.findings.verdict.value,
            "counts": {verdict.value: self.findings.counts[verdict.value] for verdict in Verdict},
            "steps": len(self._asked),
        }

    def _step(self, request: Mapping[str, Any], progress: Tell) -> Any:
        with self._busy:
            name = str(request.get("action"))
            step = self._key(name)
            try:
                action = self._action(request)
                tell = self._teller(action, progress, time.monotonic() + action.seconds)
                evidence = self._judged(step, self._carry_out(step, action, tell))
            except Exception as error:
                raise self._told(step, name, error) from error
            self._troubles.pop(step, None)
            return self.redactor.tree(to_json(evidence))

    def _carry_out(self, step: str, action: Action, tell: Progress) -> Evidence:
        return self.stepper.carry_out(step, action, tell)

    def _judged(self, step: str, evidence: Evidence) -> Evidence:
        looked = evidence.verification
        if looked is None:
            return evidence
        self.findings.verified(step, looked.verdict)
        if looked.verdict is not Verdict.OK:
            raise StepFailed(
                f"{evidence.action} was applied, but its verification says {looked.verdict}: {looked.summary}",
                f"Undo: {evidence.plan.undo}",
            )
        return evidence

    def _told(self, step: str, action: str, error: Exception) -> OpsError:
        """Journal why a step was not done and return it without secrets; a notebook that goes on can't hide it."""
        said = error if isinstance(error, OpsError) else None
        if said is None:
            said = StepFailed(
                f"{action} broke off: {type(error).__name__}: {error}",
                "The journal says how far it came; look at the target before trying again.",
            )
        said = type(said)(self.redactor.text(said.message), self.redactor.text(said.next_step))
        self._troubles.setdefault(step, said)
        self.findings.not_done(step)
        event = "refused" if isinstance(said, Refused) else "failed"
        self.journal.append(event, step=step, action=action, message=said.message, next_step=said.next_step)
        return said

    def _teller(self, action: Action, progress: Tell, until: float | None) -> Progress:
        def tell(text: str, done: float | None = None, total: float | None = None) -> None:
            text = self.redactor.text(text)
            share = f" ({done / total:.0%})" if done is not None and total else ""
            self._progress(f"{action.name}: {text}{share}")
            progress({"text": text, "done": done, "total": total})
            if until is not None and self.stopping:
                raise StepFailed(f"{action.name} was broken off: {self.stopping}.", "Resume or undo the run.")
            if until is not None:
                self._go_on(action)
            if until is not None and time.monotonic() > until:
                raise StepFailed(f"{action.name} took longer than {action.seconds:g} s.", "Look why it is so slow.")

        return tell

    def _go_on(self, action: Action) -> None:
        """Raise StepFailed where the step under way is to be broken off and its run goes on."""

    def _may_begin(self) -> None:
        if self.stopping:
            raise Refused(f"Nothing is begun any more: {self.stopping}.", "Resume or undo the run.")

    def _key(self, action: str) -> str:
        # The step's key is its cell's id; evidence is a file of that name, so nothing else may stand in it.
        # The same action asked for again by its cell, after it was not done, is another try of the same step.
        cell = re.sub(r"[^a-z0-9-]+", "-", (self.cell or "").lower()).strip("-")[:80] or "step"
        keys = (cell if n == 1 else f"{cell}-{n}" for n in count(1))
        key = next(key for key in keys if key not in self._asked or self._again(key, action))
        self._asked[key] = action
        return key

    def _again(self, key: str, action: str) -> bool:
        return key in self._troubles and self._asked[key] == action

    def _action(self, request: Mapping[str, Any]) -> Action:
        name = str(request.get("action"))
        kind = self.work.actions.get(name)
        if kind is None:
            raise UsageError(
                f"There is no action {name!r}.", f"The executor knows: {', '.join(sorted(self.work.actions))}."
            )
        try:
            return kind.model_validate_json(json.dumps(request.get("parameters") or {}))
        except ValidationError as error:
            raise Refused(
                f"{name} was asked for with wrong parameters: {faults(error)}.", "Correct the notebook's cell."
            ) from None
