"""What became of each due time: the table's expressions as they were in force, held against the archive's files.

Looking writes nothing. What nobody claimed is missed here from the same moment on as for the next run, which records
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opslib.archive import summary
from opslib.archive.due_times import FOLDER, MISSED, Records
from opslib.archive.going import going
from opslib.archive.summary import Summary
from opslib.headless.schedule_table import Schedule
from opslib.headless.schedule_times import between

KEPT = ("ran", "running", "due")
"""Words of a due time that is as it should be, so far."""
UNKEPT = ("late", "skipped", "missed", "interrupted", "failed")


@dataclass(frozen=True)
class Due:
    """One due time and its entry: a word of :data:`KEPT` or :data:`UNKEPT`, the run, and what there is to say.

    ``seconds`` is how long after its due time it was started; None where it was not.
    """

    schedule: str
    due: datetime
    word: str
    run: str = ""
    verdict: str = ""
    seconds: float | None = None
    says: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """The entry as plain values."""
        return {
            "schedule": self.schedule,
            "due": f"{self.due:%Y-%m-%dT%H:%M:%SZ}",
            "word": self.word,
            "run": self.run,
            "verdict": self.verdict,
            "seconds": self.seconds,
            "says": self.says,
        }


def due_times(records: Records, after: datetime, until: datetime) -> list[datetime]:
    """Return the due times from ``after`` to ``until``, both included, by what was in force at each; earliest first."""
    force = records.force()
    found: list[datetime] = []
    for number, one in enumerate(force, 1):
        begin = max(after, one.since) - timedelta(microseconds=1)
        end = min([until, *(other.since - timedelta(seconds=1) for other in force[number : number + 1])])
        if one.cron and begin < end:
            found += between(one.cron, one.zone, begin, end)
    return found


def entries(archive: Path, schedule: Schedule, after: datetime, moment: datetime) -> list[Due]:
    """Return the entry of each due time from ``after`` to ``moment``, earliest first."""
    records = Records(archive, schedule.name)
    every = due_times(records, after, moment)
    claimed = {due for due in records.claimed() if after <= due <= moment}
    newest = every[-1] if every else None
    return [
        _entry(archive, records, schedule, due) if due in claimed else _unclaimed(schedule, due, due == newest, moment)
        for due in sorted({*every, *claimed})
    ]


def installed(archive: Path, schedule: Schedule) -> str:
    """Return why a schedule is not in force as the table has it, or nothing."""
    force = Records(archive, schedule.name).force()[-1:]
    if not force or not force[0].cron:
        return "not installed: nothing calls it here"
    if (force[0].cron, force[0].zone) != (schedule.cron, schedule.zone):
        return f"installed as {force[0].cron} {force[0].zone}; install it again"
    return ""


def put_in_force(archive: Path, schedules: Sequence[Schedule], moment: datetime) -> None:
    """Record that these schedules are due from a moment on, and no other of this archive any longer."""
    since = moment.replace(microsecond=0) + timedelta(seconds=1)
    names = {one.name for one in schedules}
    folder = archive / FOLDER
    others = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    for name in others:
        if name not in names:
            Records(archive, name).put_in_force(since, "", "")
    for one in schedules:
        Records(archive, one.name).put_in_force(since, one.cron, one.zone)


def _unclaimed(schedule: Schedule, due: datetime, newest: bool, moment: datetime) -> Due:
    word, says = MISSED, "nobody started it"
    if newest and moment - due <= schedule.grace:
        word, says = "due", "nobody started it yet"
    elif newest and moment - due <= schedule.catch_up:
        word, says = "late", "nobody started it yet; the next call still does"
    return Due(schedule.name, due, word, says=says)


def _entry(archive: Path, records: Records, schedule: Schedule, due: datetime) -> Due:
    claim, end = records.said(due)
    if claim.get("word") == MISSED:
        return Due(schedule.name, due, MISSED, says="nobody started it in time")
    run = str(end.get("run") or claim.get("run", ""))
    if end.get("word") in ("skipped", "failed"):
        return Due(schedule.name, due, str(end["word"]), says=str(end.get("why", "")))
    seconds = _seconds(due, str(end.get("started_at") or claim.get("claimed_at", "")))
    found = Due(schedule.name, due, "interrupted", run, seconds=seconds, says="its process went before its run began")
    if not run or not any((archive / folder / run).is_dir() for folder in ("runs", "quarantine")):
        if end:
            return _with(found, "failed", "", "its run is no longer in this archive")
        return _with(found, "running", "", "it is about to begin") if records.held(due) else found
    return _of_run(found, summary.read(archive, run), schedule, run in going(archive))


def _of_run(found: Due, run: Summary, schedule: Schedule, alive: bool) -> Due:
    verdict = run.verdict.value if run.verdict else ""
    late = found.seconds is not None and found.seconds > schedule.grace.total_seconds()
    if run.sealed == "quarantined":
        return _with(found, "failed", "", "its run is in quarantine: a secret stood in it")
    if run.state == "finished":
        return _with(found, "late" if late else "ran", verdict, "")
    if run.state in ("failed", "refused"):
        return _with(found, "failed", verdict, run.reason)
    if run.sealed == "open" and alive:
        return _with(found, "running", "", "")
    return _with(found, "interrupted", verdict, run.reason or "its process is gone; it is not run again")


def _with(found: Due, word: str, verdict: str, says: str) -> Due:
    return Due(found.schedule, found.due, word, found.run, verdict, found.seconds, says)


def _seconds(due: datetime, text: str) -> float | None:
    try:
        return round((datetime.fromisoformat(text).astimezone(UTC) - due).total_seconds(), 3)
    except ValueError:
        return None


def unkept(found: list[Due]) -> Iterator[Due]:
    """Yield the entries that are not as they should be."""
    yield from (one for one in found if one.word in UNKEPT)
