"""What a recovery lost, and what its plan said of that beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from opslib.archive import record
from opslib.errors import StepFailed
from opslib.headless.drill_course import Course, Place
from opslib.headless.drill_lab import Counted
from opslib.headless.drill_scenarios import Scenario, Stated
from opslib.probes.backups_drill import Loss, Sample, loss_of
from opslib.runs import reading
from opslib.runs.cards import sub, text_of
from opslib.systems.target import PlanTarget


def stated(folder: Path, where: Stated) -> float | None:
    """Return what the planning run in ``folder`` says of the loss, in seconds, by that probe's last reading."""
    name, field = where
    readings = [sub(line, "reading") for line in record.load(folder).events("reading")]
    last = next((one for one in reversed(readings) if text_of(one, "probe") == name and one.get("rows")), None)
    if last is None:
        return None
    value = last["rows"][-1].get(field)
    if isinstance(value, str):
        taken, newest = (datetime.fromisoformat(text) for text in (text_of(last, "taken_at"), value))
        return (taken - newest).total_seconds()
    return float(value) if isinstance(value, (int, float)) else None


def held(place: Place, scenario: Scenario) -> frozenset[str]:
    """Return the names of what may not be lost where nothing is written; raises StepFailed where nobody can look."""
    if scenario.holdings is None:
        return frozenset()
    probe, name, _ = scenario.holdings
    target = PlanTarget(place.settings, place.run)
    try:
        taken = reading.take(probe, target)
    finally:
        target.close()
    if taken.unknown is not None:
        raise StepFailed(f"{taken.title}: {taken.unknown}")
    return frozenset(str(row[name]) for row in taken.rows)


def count(course: Course, samples: Sequence[Sample], counted: Counted) -> None:
    """Set what was lost, or why nobody knows it."""
    holdings = course.scenario.holdings
    if course.trouble:
        course.uncounted = "It was not recovered by the notebook, so there is nothing to count."
    elif holdings is not None and course.kept is not None:
        gone = len(course.held - course.kept)
        seconds = None if gone else 0.0
        course.loss = Loss(counted=holdings[2], acknowledged=len(course.held), lost=gone, seconds=seconds)
    elif counted.uncounted:
        course.uncounted = counted.uncounted
    elif not counted.counted:
        course.uncounted = "Its traffic only reads: there is no write that could be missing."
    else:
        course.loss = loss_of(counted.counted, samples, counted.there, course.stated_seconds)
