"""Readings that a notebook asks its executor for by name: they need a credential that could write as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from opslib.canonical import to_json
from opslib.errors import UsageError
from opslib.model import Probe
from opslib.redaction import Redactor
from opslib.runs import overlapping, reading
from opslib.runs.work import Work
from opslib.systems.target import PlanTarget


def take(work: Work, name: str, redactor: Redactor) -> Any:
    """Take the probe ``name`` of ``work.probes`` on its target; returns the Reading as JSON, without secrets.

    Only what is listed there can be asked for. Raises UsageError for another name; a system that cannot be looked
    at gives a reading that says so.
    """
    probe = _known(work.probes, name)
    target = PlanTarget(work.settings, work.id)
    try:
        return redactor.tree(to_json(reading.take(probe, target)))
    finally:
        target.close()


def take_all(
    work: Work, lanes: Sequence[Sequence[str]], redactor: Redactor, seconds: float
) -> list[dict[str, Any] | None]:
    """Take the probes of all lanes, the lanes side by side, and return an object for each, in the order asked for.

    It has ``reading`` as :func:`take` returns it, or ``failed``: why there is none, be it a defect of the probe or a
    name that can't be asked for. None stands for one that has not come within ``seconds``.
    """
    numbers = count()
    asked = [[(next(numbers), name) for name in lane] for lane in lanes]
    known = work.probes  # before the threads: it may have to be made first

    def made(one: tuple[int, str], target: PlanTarget) -> dict[str, Any]:
        try:
            return {"reading": redactor.tree(to_json(reading.take(_known(known, one[1]), target)))}
        except Exception as error:
            return {"failed": redactor.text(f"{type(error).__name__}: {error}")}

    found = overlapping.overlapped(asked, lambda: PlanTarget(work.settings, work.id), made, seconds)
    said = {number: told for (number, _), told in found}
    return [said.get(number) for lane in asked for number, _ in lane]


def _known(probes: Mapping[str, Probe], name: str) -> Probe:
    probe = probes.get(name)
    if probe is None:
        known = ", ".join(sorted(probes)) or "none"
        raise UsageError(f"The executor takes no reading {name!r}.", f"It takes: {known}.")
    return probe
