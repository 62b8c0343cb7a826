"""Taking a reading and judging it: where a probe's failure becomes UNKNOWN instead of a traceback."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opslib.canonical import to_json
from opslib.errors import OpsError
from opslib.model import Check, Judgement, Probe, Reading, Result, Verdict, now
from opslib.systems.target import ReadTarget


def take(probe: Probe, target: ReadTarget) -> Reading:
    """Read ``probe`` on ``target``; a system that cannot be looked at gives a reading with ``unknown`` set.

    Other exceptions (a defect in the probe) are not swallowed.
    """
    taken_at, started = now(), time.monotonic()
    rows: tuple[dict[str, object], ...] = ()
    unknown = None
    try:
        rows = tuple(to_json(row) for row in probe.read(target))
    except OpsError as error:
        unknown = str(error)
    return Reading(
        probe=probe.name,
        title=probe.title,
        environment=target.environment,
        taken_at=taken_at,
        seconds=round(time.monotonic() - started, 4),
        rows=rows,
        source=probe.source,
        units=probe.units,
        unknown=unknown,
    )


def judge(check: Check, reading: Reading) -> Result:
    """Return what ``check`` says of ``reading``; pure. A reading that could not be taken is UNKNOWN."""
    if reading.unknown is not None:
        judgement = Judgement(Verdict.UNKNOWN, f"Could not look: {reading.unknown}")
    else:
        judgement = check.judge(reading)
    return Result(
        check=check.name,
        title=check.title,
        verdict=judgement.verdict,
        summary=judgement.summary,
        reading=reading,
        value=judgement.value,
        threshold=check.threshold,
        rows=judgement.rows,
        remedy="" if judgement.verdict is Verdict.OK else check.remedy,
        items=check.items,
    )


def evaluate(check: Check, target: ReadTarget) -> Result:
    """Take the check's reading on ``target`` and judge it."""
    return judge(check, take(check.probe, target))


def reading_of(said: Mapping[str, Any]) -> Reading:
    """Return the Reading that ``said``, as the executor answers it, stands for."""
    rows = tuple(said["rows"])
    return Reading(**{**said, "rows": rows, "taken_at": datetime.fromisoformat(said["taken_at"])})
