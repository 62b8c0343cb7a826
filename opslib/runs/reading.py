"""Taking a reading and judging it: where a probe's failure becomes UNKNOWN instead of a traceback."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from opslib.canonical import to_json
from opslib.errors import OpsError
from opslib.model import Check, Judgement, Probe, Reading, Result, Verdict, Watch, now
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
        remedy="" if judgement.verdict is Verdict.OK else judgement.remedy or check.remedy,
        items=check.items,
    )


def watched(watch: Watch, samples: Sequence[Reading], *, last: bool) -> Result | None:
    """Return what ``watch`` says of its ``samples``; None while it goes on looking. Pure.

    The result's reading holds the rows of all samples. Where none could be taken, it is UNKNOWN.
    """
    taken = [sample for sample in samples if sample.unknown is None]
    reading = replace(samples[-1], rows=tuple(row for sample in taken for row in sample.rows))
    if not taken:
        judgement = Judgement(Verdict.UNKNOWN, f"Could not look: {reading.unknown}") if last else None
    else:
        reading = replace(reading, unknown=None)
        judgement = watch.decide(samples, last)
    if judgement is None:
        return None
    return Result(
        check=watch.name,
        title=watch.title,
        verdict=judgement.verdict,
        summary=judgement.summary,
        reading=reading,
        value=judgement.value,
        threshold=watch.threshold,
        rows=judgement.rows,
        remedy="" if judgement.verdict is Verdict.OK else watch.remedy,
        items=watch.items,
    )


def evaluate(check: Check, target: ReadTarget) -> Result:
    """Take the check's reading on ``target`` and judge it."""
    return judge(check, take(check.probe, target))


def reading_of(said: Mapping[str, Any]) -> Reading:
    """Return the Reading that ``said``, as the executor answers it, stands for."""
    rows = tuple(said["rows"])
    return Reading(**{**said, "rows": rows, "taken_at": datetime.fromisoformat(said["taken_at"])})
