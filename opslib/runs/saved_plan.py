"""A saved plan: everything that one run would do, as one canonical JSON file that can be approved.

The file's SHA-256 is what approvals name. ``run`` is the id of the planning run: it names what will be
made, and since the applying run's id follows from it, a plan is applied once. Pure: no I/O here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.canonical import canonical, to_json
from opslib.errors import UsageError
from opslib.model import ENVIRONMENTS, UNKNOWN_UNTIL, Environment, Plan
from opslib.runs.evidence import plan_of

FORM = "opslib plan 1"
LARGEST = 16 * 1024 * 1024
"""No saved plan has more bytes."""

RUN = r"[0-9]{8}T[0-9]{6}Z(?:-[a-z0-9]+)+"
"""What the id of a planning run looks like: it becomes part of paths."""

_TEXTS = ("run", "notebook", "notebook_sha256", "code_sha256", "target", "requested_by", "requester")

COMPARED = ("action", "effect", "repeat", "parameters", "before", "after", "touches", "fingerprint")
"""What must be the same at apply as it was when it was approved; the rest is text that follows from the code."""


@dataclass(frozen=True)
class PlannedStep:
    """One step of a saved plan: its key (the cell's id) and what it would do."""

    step: str
    plan: Plan


@dataclass(frozen=True)
class SavedPlan:
    """What a planning run found. Times are UTC; ``target`` is the digest of the target's public description.

    ``requested_by`` is ``user@host`` of the operating system, ``requester`` the same person's name in the
    allowed signers. ``missing`` says in words what is still needed before it can be applied.
    """

    run: str
    notebook: str
    notebook_sha256: str
    code_sha256: str
    environment: Environment
    target: str
    parameters: Mapping[str, Any]
    requested_by: str
    requester: str
    created_at: datetime
    expires_at: datetime
    steps: tuple[PlannedStep, ...]
    missing: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the file's bytes: canonical JSON (RFC 8785) and a line's end."""
        steps = [{"step": s.step, "digest": s.plan.digest, "plan": to_json(s.plan)} for s in self.steps]
        return canonical({"form": FORM, **to_json(self), "steps": steps}) + b"\n"

    def step(self, key: str) -> Plan | None:
        """Return the plan of the step with this key, or None."""
        return next((step.plan for step in self.steps if step.step == key), None)


def sha256(data: bytes) -> str:
    """Return what approvals name of a plan's file."""
    return hashlib.sha256(data).hexdigest()


def parse(data: bytes) -> SavedPlan:
    """Return the plan in a file's bytes; raises UsageError for anything but the exact form that is written."""
    try:
        said = json.loads(data)
        form, steps = said.pop("form"), said.pop("steps")
        if form != FORM:
            raise ValueError(f"its form is {form!r}")
        if said["environment"] not in ENVIRONMENTS:
            raise ValueError("it names no environment")
        if not all(isinstance(said[name], str) for name in _TEXTS) or not isinstance(said["parameters"], dict):
            raise ValueError("a field of it is of another type")
        if not re.fullmatch(RUN, said["run"], re.ASCII):
            raise ValueError("it names no planning run")
        plan = SavedPlan(
            **{
                **said,
                "created_at": datetime.fromisoformat(said["created_at"]),
                "expires_at": datetime.fromisoformat(said["expires_at"]),
                "missing": tuple(said["missing"]),
                "steps": tuple(PlannedStep(step["step"], plan_of(step["plan"])) for step in steps),
            }
        )
        if plan.encode() != data:
            raise ValueError("it is not in its canonical form, or a step's digest is not its plan's")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError(f"This is no saved plan: {error}.", "Make one with: ops run NOTEBOOK --plan") from None
    return plan


def moved(approved: Plan, found: Plan) -> list[str]:
    """Return what differs between the plan that was approved and the one found now, one text a difference.

    Where the approved plan holds a marker of what an earlier step only would know, any known value is the
    same; a count that was unknown may be any.
    """
    pairs = ((name, _plain(getattr(approved, name)), _plain(getattr(found, name))) for name in COMPARED)
    return [text for name, before, after in pairs for text in _differences(name, before, after)]


def unknown(value: object) -> bool:
    """Say whether a plan's value stands for something that an earlier step only will know."""
    return isinstance(value, str) and value.startswith(UNKNOWN_UNTIL)


def _plain(value: Any) -> Any:
    # One of the two was read back from a file, where 24.0 stands as 24.
    return json.loads(canonical(value))


def _differences(path: str, before: Any, after: Any) -> Iterator[str]:
    if unknown(before) or (path == "touches" and before is None):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            if name not in after or name not in before:
                said = "is gone" if name in before else "is new"
                yield f"{path}.{name} {said}"
            else:
                yield from _differences(f"{path}.{name}", before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}[{number}]", one, other)
    elif type(before) is not type(after) or before != after:
        yield f"{path} was {_short(before)} and is {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
