"""The steps of a run as its journal has them: each with the status that its lines give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opslib.runs.cards import sub, text_of
from opslib.runs.cards_steps import step_digest

Said = Mapping[str, Any]

_SAME: Final = ("planned", "applied", "kept", "settled", "resolved", "refused", "failed", "undone", "skipped")
STATUS: Final = {
    **{event: event for event in _SAME},
    "intent": "in doubt",
    "verified": "applied",
    "undoing": "undo in doubt",
}
"""The status that a line of each event gives its step."""


@dataclass(frozen=True)
class Step:
    """One step as the journal has it; ``plan`` and the others are empty where the run did not come so far."""

    key: str
    status: str
    cell: str
    seq: int
    plan: Said
    digest: str
    verification: Said
    values: Said
    message: str
    next_step: str
    seconds: float | None

    def evidence(self) -> dict[str, Any]:
        """Return the step in the form of an Evidence's JSON, for its card."""
        return {
            "status": self.status,
            "plan": {**self.plan, "digest": self.digest},
            "values": self.values,
            "verification": self.verification,
            "seconds": self.seconds,
        }


def of(lines: Sequence[Said], mode: str) -> tuple[Step, ...]:
    """Return the steps that these lines of a journal are about, in order; ``mode`` is the run's."""
    found: dict[str, list[Said]] = {}
    for line in lines:
        found.setdefault(text_of(line, "step") or text_of(line, "cell"), []).append(line)
    return tuple(_step(key, said, mode) for key, said in found.items())


def _step(key: str, lines: list[Said], mode: str) -> Step:
    merged: dict[str, Any] = {}
    for line in lines:
        merged |= {**sub(line, "evidence"), **line}
    return Step(
        key=key,
        status=_status(lines, mode),
        cell=text_of(lines[0], "cell"),
        seq=lines[0]["seq"] if isinstance(lines[0].get("seq"), int) else 0,
        plan=sub(merged, "plan") or {"title": text_of(merged, "action") or key, "action": text_of(merged, "action")},
        digest=text_of(merged, "digest") or _digest(sub(merged, "plan")),
        verification=sub(merged, "verification"),
        values=sub(merged, "values"),
        message=" ".join(filter(None, (text_of(merged, "message"), *map(_told, lines)))),
        next_step=text_of(merged, "next_step"),
        seconds=merged["seconds"] if isinstance(merged.get("seconds"), (int, float)) else None,
    )


def _digest(plan: Said) -> str:
    try:
        return step_digest(plan)
    except (TypeError, ValueError, RecursionError):
        return ""  # no plan of ours, so it has none


def _status(lines: list[Said], mode: str) -> str:
    status, doubt = "", False
    for line in lines:
        event, outcome = text_of(line, "event"), text_of(line, "outcome")
        status = STATUS[event]
        if event in ("settled", "resolved"):
            doubt = outcome not in ("done", "not done")
        elif event not in ("failed", "refused"):
            doubt = False
    if doubt:
        return "in doubt"
    return "interrupted" if status == "planned" and mode != "plan" else status


def _told(line: Said) -> str:
    """What a line says of a step besides its plan and its outcome: who did it before, what a look found."""
    event, outcome, why = text_of(line, "event"), text_of(line, "outcome"), text_of(line, "why")
    if event == "kept":
        return f"Done before, by {text_of(line, 'from')}."
    if event == "settled":
        return f"Settled by a look at the target: {outcome}. {why}".strip()
    if event == "skipped":
        return f"Left out: {text_of(line, 'reason')}"
    if event == "resolved":
        return f"Resolved by {text_of(line, 'by')}: {outcome}, as {text_of(line, 'evidence')} shows."
    return ""
