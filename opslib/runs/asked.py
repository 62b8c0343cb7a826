"""Readings that a notebook asks its executor for by name: they need a credential that could write as well."""

from __future__ import annotations

from typing import Any

from opslib.canonical import to_json
from opslib.errors import UsageError
from opslib.redaction import Redactor
from opslib.runs import reading
from opslib.runs.work import Work
from opslib.systems.target import PlanTarget


def take(work: Work, name: str, redactor: Redactor) -> Any:
    """Take the probe ``name`` of ``work.probes`` on its target; returns the Reading as JSON, without secrets.

    Only what is listed there can be asked for. Raises UsageError for another name; a system that cannot be looked
    at gives a reading that says so.
    """
    probe = work.probes.get(name)
    if probe is None:
        raise UsageError(
            f"The executor takes no reading {name!r}.", f"It takes: {', '.join(sorted(work.probes)) or 'none'}."
        )
    target = PlanTarget(work.settings, work.id)
    try:
        return redactor.tree(to_json(reading.take(probe, target)))
    finally:
        target.close()
