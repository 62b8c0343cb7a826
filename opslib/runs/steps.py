"""Where each step of one work stands, folded from the journals of all its runs. Pure: lines in, states out.

A work is what one plan set out to do; its runs are the run that applied it, and the runs that resumed,
resolved or undid it, in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from opslib.model import Outcome, Verdict

Said = Mapping[str, Any]

DRILL = "drill"
"""What run.json of a drill's own run says for its mode."""

_SUFFIX = re.compile(r"-(?:apply|(?:resume|undo|resolve)-([1-9][0-9]*))$", re.ASCII)


class State(StrEnum):
    """Where a step stands. IN_DOUBT: its effect may have happened, in part or wholly; nobody looked yet."""

    NOT_DONE = "not done"
    IN_DOUBT = "in doubt"
    APPLIED = "applied"
    VERIFIED = "verified"
    UNDO_IN_DOUBT = "undo in doubt"
    UNDONE = "undone"


@dataclass(frozen=True)
class StepRecord:
    """One step of a work: what was last planned, what it produced, and the run that said so last."""

    step: str
    action: str
    state: State
    run: str
    plan: Said = field(default_factory=dict)
    values: Said = field(default_factory=dict)
    verification: Said = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether the target may be other than before the step."""
        return self.state not in (State.NOT_DONE, State.UNDONE)


def work_of(run: str) -> str:
    """Return the id of the work that a run's id belongs to."""
    return _SUFFIX.sub("", run)


def number_of(run: str) -> int:
    """Return a run's place in its work: the run that planned or did it is 0, the one that applied its plan 0 too."""
    found = _SUFFIX.search(run)
    return int(found[1] or 0) if found else 0


def in_order(runs: Iterable[str], work: str) -> list[str]:
    """Return those of ``runs`` that belong to ``work``, in the order in which they were started."""
    return sorted((run for run in runs if work_of(run) == work), key=lambda run: (number_of(run), len(run)))


def fold(
    journals: Iterable[tuple[str, Iterable[Said]]], before: Mapping[str, StepRecord] | None = None
) -> dict[str, StepRecord]:
    """Return the steps by key, in the order in which they first changed something or were planned.

    ``journals`` pairs each run of the work with its journal's lines, oldest run first; ``before`` is where the
    steps stood before them.
    """
    steps: dict[str, StepRecord] = dict(before or {})
    for run, lines in journals:
        for line in lines:
            step = line.get("step")
            if not isinstance(step, str):
                continue
            now = steps.get(step, StepRecord(step, "", State.NOT_DONE, run))
            after = _after(now, line)
            if after is not now or step not in steps:
                # The order of the first effect counts for undo, so a step that begins moves to the end.
                if now.state is State.NOT_DONE and after.state is State.IN_DOUBT:
                    steps.pop(step, now)
                steps[step] = replace(after, run=run)
    return steps


def _after(step: StepRecord, line: Said) -> StepRecord:
    event = line.get("event")
    if event == "planned":
        plan = _part(line, "plan")
        return replace(step, plan=plan, action=str(plan.get("action", step.action)))
    rule = _RULES.get(str(event))
    return step if rule is None else rule(step, line)


def _part(line: Said, name: str) -> Said:
    # A journal that somebody has damaged must not keep the next run from starting.
    part = line.get(name)
    return part if isinstance(part, Mapping) else {}


def _intent(step: StepRecord, line: Said) -> StepRecord:
    return replace(step, state=State.IN_DOUBT, action=str(line.get("action", step.action)))


def _applied(step: StepRecord, line: Said) -> StepRecord:
    seconds = line.get("seconds")
    took = float(seconds) if isinstance(seconds, (int, float)) else 0.0
    return replace(step, state=State.APPLIED, values=_part(line, "values"), seconds=took)


def _verified(step: StepRecord, line: Said) -> StepRecord:
    looked = _part(line, "verification")
    sound = looked.get("verdict") == Verdict.OK
    return replace(step, state=State.VERIFIED if sound else State.APPLIED, verification=looked)


def _settled(step: StepRecord, line: Said) -> StepRecord:
    if line.get("outcome") == Outcome.DONE:
        return replace(step, state=State.APPLIED, values=_part(line, "values"))
    if line.get("outcome") == Outcome.NOT_DONE:
        return replace(step, state=State.NOT_DONE)
    return replace(step, state=State.IN_DOUBT)


def _undoing(step: StepRecord, line: Said) -> StepRecord:
    return replace(step, state=State.UNDO_IN_DOUBT)


def _undone(step: StepRecord, line: Said) -> StepRecord:
    looked = _part(line, "verification")
    return replace(step, state=State.UNDONE) if looked.get("verdict") == Verdict.OK else step


_RULES = {
    "intent": _intent,
    "applied": _applied,
    "verified": _verified,
    "settled": _settled,
    "resolved": _settled,
    "undoing": _undoing,
    "undone": _undone,
}
