"""What a run's journal has, by what the cells of its report ask for: so that no cell looks through all of it again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from opslib.archive.record import Record, Step, steps
from opslib.runs.cards import rows_of

Said = Mapping[str, Any]


class Known:
    """The journal of ``record``, looked up."""

    def __init__(self, record: Record) -> None:
        self.record = record
        results = [said for line in record.events("result") if isinstance(said := line.get("result"), dict)]
        self._judged = _set((said.get("check"), said.get("verdict")) for said in results)
        self._titled = _set((said.get("title"), said.get("verdict")) for said in results)
        self._steps: dict[str, list[Step]] = {}
        for step in steps(record):
            self._steps.setdefault(step.cell, []).append(step)
        self._done = _set((step.plan.get("action"), step.status) for step in steps(record))

    def steps(self, cell: str) -> list[Step]:
        """Return the steps that this cell asked for, in order."""
        return self._steps.get(cell, [])

    def has(self, kind: str, value: Said) -> bool:
        """Whether the journal has what an output of ours claims."""
        if kind == "result":
            return _in((value.get("check"), value.get("verdict")), self._judged)
        if kind == "survey":
            return all(_in((row.get("check"), row.get("verdict")), self._titled) for row in rows_of(value))
        if kind == "evidence":
            return _in((value.get("action"), value.get("status")), self._done)
        return True


def _set(claims: Any) -> set[Hashable]:
    return {claim for claim in claims if _hashable(claim)}


def _in(claim: Hashable, claims: set[Hashable]) -> bool:
    return _hashable(claim) and claim in claims


def _hashable(claim: Hashable) -> bool:
    """Whether it can be one of ours: a name and a word. A list or an object in their place is claimed by nobody."""
    try:
        hash(claim)
    except TypeError:
        return False
    return True
