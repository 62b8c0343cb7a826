"""A planning run's report as the plan: what would happen, what it waits for, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.archive.log import RUN_ID
from opslib.archive.record import Record
from opslib.model import ENVIRONMENTS
from opslib.runs.cards import sub, text_of
from opslib.runs.cards_steps import step_touches
from opslib.runs.display import html_of
from opslib.runs.markup import Html
from opslib.runs.tables import moment
from opslib.runs.undoing import UNDO

Said = Mapping[str, Any]


def shown(record: Record) -> dict[str, object] | None:
    """Return what the template draws of plan.json; None for a run that has no saved plan."""
    plan = record.plan
    if not plan:
        return None
    steps, missing = record.planned, plan.get("missing")
    return {
        "sha256": record.plan_sha256,
        "expires": moment(text_of(plan, "expires_at")),
        "about": _about(plan, steps),
        "missing": [str(one) for one in missing] if isinstance(missing, list) else [],
        "steps": [_step(number, step) for number, step in enumerate(steps, 1)],
        "commands": _commands(plan),
    }


def _about(plan: Said, steps: list[Said]) -> list[tuple[str, str]]:
    effects = [text_of(sub(step, "plan"), "effect") for step in steps]
    told = ", ".join(f"{effects.count(effect)} {effect}" for effect in dict.fromkeys(effects))
    pairs = [
        ("Steps", f"{len(steps)}: {told}" if steps else "none"),
        ("Expires", moment(text_of(plan, "expires_at"))),
        ("Planned by", text_of(plan, "requester") or text_of(plan, "requested_by")),
        ("Target digest", text_of(plan, "target")),
        ("Code sha256", text_of(plan, "code_sha256")),
    ]
    return [(name, value) for name, value in pairs if value]


def _commands(plan: Said) -> str:
    run, undone = text_of(plan, "run"), text_of(sub(plan, "parameters"), UNDO)
    environment = text_of(plan, "environment")
    # What is no id and no environment could be another command: it is not offered for copying.
    if not RUN_ID.fullmatch(run) or environment not in ENVIRONMENTS or (undone and not RUN_ID.fullmatch(undone)):
        return ""
    elsewhere = "" if environment == "lab" else f" --environment {environment}"
    apply = f"ops undo {undone} --apply {run}" if undone else f"ops run --apply {run}{elsewhere}"
    # A plan that nobody has to approve is not offered for it.
    return f"ops approve {run}\n{apply}" if plan.get("missing") else apply


def _step(number: int, step: Said) -> dict[str, object]:
    plan = sub(step, "plan")
    return {
        "number": number,
        "key": text_of(step, "step"),
        "touches": step_touches(plan),
        "card": Html(html_of("plan", {**plan, "digest": text_of(step, "digest")})),
    }
