"""An exercise of a game day: the drill breaks and measures, and people notice, decide and recover.

Nothing is recovered here. Whatever notebooks people run meanwhile are ordinary runs of theirs; the record refers to
them by the digests of their seals, as it does to runs that a drill begins itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from opslib.archive import seal
from opslib.archive.going import going
from opslib.archive.store import Archive
from opslib.archive.summary import Summary, started_by_id
from opslib.errors import StepFailed
from opslib.guide.game_day import recovers
from opslib.headless.drill_course import Course, Place, ill
from opslib.headless.drill_lab import Traffic
from opslib.headless.drill_loss import stated
from opslib.probes.backups_drill import Referred

LOOK = 1.0
"""Seconds between two looks whether it is steady again."""
SERVED_SECONDS = 5.0
SEALED_SECONDS = 60.0
"""How long a run under way may take to its seal once the service is steady."""
MOST_RUNS = 300
LONGEST_MINUTES = 24 * 60.0


def wait(place: Place, course: Course, traffic: Traffic) -> None:
    """Wait until people have the service steady again, then refer to what they ran.

    Raises StepFailed where nobody had it recovered in the time that they were given.
    """
    one, until = course.scenario, time.monotonic() + place.minutes * 60
    place.tell(f"people's turn ({place.day}): {place.minutes:g} minutes; expected is {one.notebook}")
    try:
        while why := _unwell(place, course, traffic):
            if time.monotonic() > until:
                raise StepFailed(f"Nobody had it recovered within {place.minutes:g} minutes. {why}")
            time.sleep(LOOK)
    except BaseException:
        # It is to be mended at once: what is still under way is not waited for.
        course.reach("ended")
        _refer(place, course, 0.0)
        raise
    course.reach("ended")
    _refer(place, course, SEALED_SECONDS)


def _unwell(place: Place, course: Course, traffic: Traffic) -> str:
    if why := ill(place.look(course.scenario.steady())):
        return why
    return "" if traffic.steady(SERVED_SECONDS) else "The checks are OK and somebody is not served."


def _refer(place: Place, course: Course, seconds: float) -> None:
    """Refer to the sealed runs that people began since the breaking; the first that recovers is the acknowledgement.

    Those under way are given so many seconds to their seals.
    """
    began = course.began_at
    assert began is not None
    until = time.monotonic() + seconds
    while _going(place, began) and time.monotonic() < until:
        time.sleep(LOOK)
    for run in sorted(_since(place, began), key=lambda run: run.started_at):
        folder = place.archive / "runs" / run.run
        verdict = run.verdict.value if run.verdict else "UNKNOWN"
        course.runs.append(
            Referred(
                run=run.run,
                what="apply" if run.run.endswith("-apply") else "plan" if run.mode == "plan" else "run",
                state=run.state,
                verdict=verdict,
                seconds=run.seconds or 0.0,
                sha256=seal.sha256(folder / seal.MANIFEST),
            )
        )
        place.tell(f"{run.who} ran {run.notebook}: {run.run} {run.state}, {verdict}")
        if recovers(run.notebook) and "acknowledged" not in course.moments:
            after = (datetime.fromisoformat(run.started_at) - began).total_seconds()
            course.moments["acknowledged"] = round(after, 3)
        if course.scenario.stated and run.notebook == course.scenario.notebook and run.mode == "plan":
            course.stated_seconds = stated(folder, course.scenario.stated)


def _going(place: Place, began: datetime) -> bool:
    return any(
        datetime.fromisoformat(started_by_id(run)) >= began.replace(microsecond=0)
        for run in going(place.archive)
        if run != place.run
    )


def _since(place: Place, began: datetime) -> Iterator[Summary]:
    for run in Archive(place.archive).runs(MOST_RUNS):
        if run.sealed == "sealed" and run.run != place.run and datetime.fromisoformat(run.started_at) >= began:
            yield run
