"""Two runs beside one another: what they were asked, and each check and step that came out otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opslib.archive import record
from opslib.archive.record import Record
from opslib.runs.cards import sub, text_of

RUN = ("notebook", "notebook_sha256", "environment", "mode", "requested_by")
CHECK = ("verdict", "value", "summary", "threshold")
STEP = ("effect", "before", "after", "touches", "fingerprint")
LACKS = "–"
"""Stands where one of the runs has no such thing."""


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both: ``kind`` is run, target, parameter, check or step."""

    kind: str
    name: str
    what: str
    old: str
    new: str


def differences(old: Record, new: Record) -> list[Difference]:
    """Return what differs from ``old`` to ``new``, in the order in which the newer run has it; empty when nothing does.

    Times and durations are left out: they differ always.
    """
    pairs = zip(_told(old), _told(new), strict=True)
    return [one for (kind, before), (_, after) in pairs for one in _compared(kind, before, after)]


Things = Mapping[str, Mapping[str, Any]]
"""Things of one kind by name, each with its values."""


def _told(read: Record) -> Iterator[tuple[str, Things]]:
    facts = {name: read.run.get(name) for name in RUN}
    yield "run", {"run": {**facts, "state": read.state, "verdict": read.verdict}}
    yield "target", {name: {"": value} for name, value in sub(read.run, "target").items()}
    yield "parameter", {name: {"": value} for name, value in sub(read.run, "parameters").items()}
    checks = {text_of(sub(line, "result"), "check"): sub(line, "result") for line in read.events("result")}
    yield "check", {name: {what: said.get(what) for what in CHECK} for name, said in checks.items()}
    yield "step", {step.key: _step(step) for step in record.steps(read)}


def _step(step: record.Step) -> dict[str, Any]:
    said = {what: step.plan.get(what) for what in STEP}
    verified = text_of(step.verification, "verdict"), text_of(step.verification, "summary")
    return {"status": step.status, **said, "verified": " ".join(filter(None, verified)), "message": step.message}


def _compared(kind: str, old: Things, new: Things) -> Iterator[Difference]:
    for name in [*new, *(name for name in old if name not in new)]:
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            what = "made" if kind in ("check", "step") else ""
            yield Difference(kind, name, what, _of(before), _of(after))
            continue
        yield from _values(kind, name, before, after)


def _of(said: Mapping[str, Any] | None) -> str:
    if said is None:
        return LACKS
    first = next(iter(said.values()), None)
    return _shown(first)


def _values(kind: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for what in new:
        before, after = old.get(what), new.get(what)
        if isinstance(before, dict) and isinstance(after, dict):
            # A plan's before and after: each value by itself.
            parts = [*after, *(part for part in before if part not in after)]
            yield from (
                Difference(kind, name, f"{what}: {part}", _shown(before.get(part)), _shown(after.get(part)))
                for part in parts
                if before.get(part) != after.get(part)
            )
        elif before != after:
            yield Difference(kind, name, what, _shown(before), _shown(after))


def _shown(value: Any) -> str:
    return LACKS if value is None else str(value)
