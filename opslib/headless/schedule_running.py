"""``ops schedule run``: take the due time of this moment, run its notebook, record what became of it.

Whatever calls this may call too often, too late, or twice at once: a due time is run by who creates its claim, and what
nobody claimed is recorded as missed. Of several that passed, only the newest is still run, inside the catch-up window.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from opslib.archive.due_times import MISSED, RUN, Records
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.errors import ArchiveError, ExitCode, OpsError
from opslib.headless import mandated, notebooks, origin, runner
from opslib.headless.asked import id_of
from opslib.headless.queue_asking import AskedAlready
from opslib.headless.schedule_looking import due_times, installed
from opslib.headless.schedule_table import Schedule
from opslib.headless.schedule_times import following, newest
from opslib.model import now

BACK = timedelta(days=32)
"""What passed earlier than this is told as missed by whoever looks, and no longer recorded."""
NEAR = 200
"""So many claims before a due time are looked at for one that still goes on."""
LOOK = 1.0
"""Seconds between two looks whether the run before has ended."""

Start = Callable[..., dict[str, Any]]
Clock = Callable[[], datetime]
StillGoing = Callable[[str], Collection[str]]
"""Tells which due times of a schedule go on elsewhere, as their texts."""


def run(
    schedule: Schedule,
    archive: Path,
    *,
    clock: Clock = now,
    pause: Callable[[float], None] = time.sleep,
    start: Start = runner.run,
    still_going: StillGoing = lambda schedule: (),
    progress: runner.Tell = lambda text: None,
) -> dict[str, Any]:
    """Run what is due now, and return what was done as plain values, ``exit_code`` among them.

    ``start`` runs a notebook as :func:`opslib.headless.runner.run` does; what it raises is raised here, with the due
    time's end recorded. With a queue it asks for the run and waits; ``still_going`` tells of runs whose asker has gone.
    Under a mandate nobody else is asked: it is planned and applied here.
    """
    moment, records = clock(), Records(archive, schedule.name)
    _in_force(schedule, archive, records, moment)
    passed = due_times(records, moment - BACK, moment)
    claimed = set(records.claimed())
    free = [due for due in passed if due not in claimed]
    run_id = id_of(notebooks.find(schedule.notebook), moment)
    mine, held = None, None
    if free and free[-1] == passed[-1] and moment - free[-1] <= schedule.catch_up:
        mine = free.pop()
        held = records.claim(mine, _claim(RUN, moment, _counting(schedule, run_id)))
    try:
        missed = _missed(records, free, moment, archive)
        late = [mine] if mine and held is not None and moment - mine > schedule.grace else []
        if passed_by := [*missed, *late]:
            again = "; the newest of them is run now" if late else ""
            progress(f"{schedule.name}: {_count(passed_by)} passed without a run, {_span(passed_by)}{again}")
        if mine is None:
            did: dict[str, Any] = {"did": "nothing", "exit_code": int(ExitCode.WARNING if missed else ExitCode.OK)}
        elif held is None:
            did = {"did": "nothing", "exit_code": int(ExitCode.OK), "why": "another scheduler has this due time"}
        else:
            hands = _Hands(clock, pause, _start(schedule, start), still_going, progress)
            did = _take(schedule, archive, records, mine, run_id, hands)
    finally:
        if held is not None:
            os.close(held)
    return {
        "schedule": schedule.name,
        "due": _text(mine) if mine else None,
        "passed": [_text(due) for due in passed_by],
        "missed": [_text(due) for due in missed],
        "next": _text(following(schedule.cron, schedule.zone, moment)),
        **did,
    }


def _start(schedule: Schedule, start: Start) -> Start:
    return partial(mandated.run, schedule.mandate) if schedule.mandate else start


def _counting(schedule: Schedule, run_id: str) -> str:
    """Return the id of the run that a due time is for: under a mandate the one that applies the plan."""
    return f"{run_id}{mandated.APPLIES}" if schedule.mandate else run_id


class _Hands:
    """What a run is done with: a clock, a pause, what starts a notebook, what goes on elsewhere, and who is told."""

    def __init__(
        self,
        clock: Clock,
        pause: Callable[[float], None],
        start: Start,
        still_going: StillGoing,
        progress: runner.Tell,
    ) -> None:
        self.clock, self.pause, self.start, self.progress = clock, pause, start, progress
        self.still_going = still_going


def _in_force(schedule: Schedule, archive: Path, records: Records, moment: datetime) -> None:
    """See to it that the table's expression is in force.

    Where it was not, the due time that is being called for is the first one; none before it was ever promised.
    """
    if not installed(archive, schedule):
        return
    called = newest(schedule.cron, schedule.zone, moment, schedule.grace)
    after = max((one.since for one in records.force()), default=None)
    since = called or moment
    if after is not None and since <= after:
        since = after + timedelta(seconds=1)
    records.put_in_force(since.replace(microsecond=0), schedule.cron, schedule.zone)


def _missed(records: Records, free: list[datetime], moment: datetime, archive: Path) -> list[datetime]:
    """Record due times as missed and return those that this process recorded; the log gets one note of them."""
    found = []
    for due in free:
        handle = records.claim(due, _claim(MISSED, moment))
        if handle is not None:
            os.close(handle)
            found.append(due)
    if found:
        # The files are the record; a log that takes nothing must not keep the run from happening.
        with suppress(ArchiveError):
            Archive(archive).append("note", f"schedule {records.name}: {_count(found)} missed, {_span(found)}")
    return found


def _take(
    schedule: Schedule, archive: Path, records: Records, due: datetime, run_id: str, hands: _Hands
) -> dict[str, Any]:
    """Run a due time whose claim is held here, unless the run before still goes on."""
    if (before := _free(schedule, records, due, hands)) is not None:
        why = f"the run of {_text(before)} was still going on"
        records.end(due, {"word": "skipped", "why": why, "ended_at": to_json(hands.clock())})
        return {"did": "skipped", "why": why, "exit_code": int(ExitCode.REFUSED)}
    started = hands.clock()
    try:
        result = hands.start(
            schedule.notebook,
            schedule.texts,
            schedule.environment,
            archive,
            mode="plan" if schedule.plan else "run",
            run=run_id,
            links={"schedule": schedule.name, "due": _text(due)},
            progress=hands.progress,
        )
    except AskedAlready as error:
        records.end(due, {"word": "skipped", "why": error.message, "ended_at": to_json(hands.clock())})
        return {"did": "nothing", "why": error.message, "exit_code": int(ExitCode.OK)}
    except Exception as error:
        if not (archive / "runs" / _counting(schedule, run_id)).is_dir():
            # Only what is meant to be read: another error's text has passed no redactor.
            why = error.message if isinstance(error, OpsError) else type(error).__name__
            records.end(due, {"word": "failed", "why": f"its run did not begin: {why}", "started_at": to_json(started)})
        raise
    run_id = result["run"]  # a queue's worker may have needed a second attempt
    records.end(due, {"word": "ran", "run": run_id, "started_at": to_json(started), "ended_at": to_json(hands.clock())})
    late = started - due > schedule.grace
    return {"did": "late" if late else "ran", "run": run_id, "result": result, "exit_code": result["exit_code"]}


def _free(schedule: Schedule, records: Records, due: datetime, hands: _Hands) -> datetime | None:
    """Wait as the schedule's overlap policy says, and return the earlier due time that still goes on, if one does."""
    until = hands.clock() + timedelta(minutes=schedule.wait_minutes if schedule.overlap == "wait" else 0)
    while (before := _going(records, due, hands.still_going(schedule.name))) is not None:
        if hands.clock() >= until:
            return before
        hands.progress(f"{schedule.name}: waiting for the run of {_text(before)}")
        hands.pause(LOOK)
    return None


def _going(records: Records, due: datetime, elsewhere: Collection[str]) -> datetime | None:
    earlier = [one for one in records.claimed() if one < due][-NEAR:]
    return next((one for one in reversed(earlier) if records.held(one) or _text(one) in elsewhere), None)


def _claim(word: str, moment: datetime, run_id: str = "") -> Mapping[str, Any]:
    said = {
        "word": word,
        "claimed_at": to_json(moment),
        "by": f"{origin.who()}@{origin.where()}",
        "process": os.getpid(),
    }
    return {**said, "run": run_id} if run_id else said


def _count(found: list[datetime]) -> str:
    return "1 due time" if len(found) == 1 else f"{len(found)} due times"


def _span(found: list[datetime]) -> str:
    return _text(found[0]) + (f" to {_text(found[-1])}" if len(found) > 1 else "")


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
