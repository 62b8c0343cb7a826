"""``ops schedule tell``: whoever is to know hears of what became of due times, each fact once, by every destination.

Before a notice is sent, that it begins is on the disk; after it, how that ended. A fact counts as told only then, so
what breaks off is told again: at least once. One destination that fails holds no other up; it is tried again by the
next call, after growing pauses, and until then whoever looks at the schedules sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.archive.due_times import Records
from opslib.archive.told import Told
from opslib.errors import ArchiveError, OpsError
from opslib.headless.schedule_looking import entries
from opslib.headless.schedule_news import Fact, News, news, notice
from opslib.headless.schedule_recipients import Destination
from opslib.headless.schedule_table import Schedule, Table
from opslib.headless.schedule_times import back_to
from opslib.headless.schedule_ways import Way, open_way
from opslib.model import now
from opslib.redaction import Redactor
from opslib.settings import Settings

BACK = timedelta(days=32)
"""How far back due times are told; of rarer schedules, the newest few."""
LEAST = 3
MOST_AT_ONCE = 16
WAIT_SECONDS = 90.0
"""How long who else tells the same destination is waited for."""
LONGEST_PAUSE = timedelta(hours=1)
UNSEEN = timedelta(hours=1)
"""What is known so long and was told by nobody is shown: nothing calls ``ops schedule tell``."""

Open = Callable[[Destination, Settings], Way]


@dataclass(frozen=True)
class Record:
    """What one destination was told of each schedule, as its lines say it."""

    told: Mapping[str, frozenset[str]]
    stands: Mapping[str, str]
    begun: Mapping[str, Mapping[str, Any]]
    """By schedule, the notice of which nobody knows whether it arrived."""
    failures: int
    """How often in a row it failed, and since when, when last, and why."""
    since: str = ""
    failed_at: str = ""
    why: str = ""


@dataclass(frozen=True)
class Of:
    """One schedule and what there is to tell of it."""

    schedule: Schedule
    news: News


def tell(
    archive: Path,
    table: Table,
    *,
    environment: str | None = None,
    clock: Callable[[], datetime] = now,
    way: Open = open_way,
    progress: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Tell every destination what it was not told, and return a row for each notice and each failure.

    Only of ``environment`` where one is named. Raises nothing for a destination that cannot be reached: its row says
    ``failed``, or ``waits`` where it failed before and its pause is not over.
    """
    moment = clock()
    rows = [row for row in table.rows if row.tell and environment in (None, row.environment)]
    of = {row.name: Of(row, of_schedule(archive, row, moment)) for row in rows}
    work: dict[Destination, list[Of]] = {}
    for row in rows:
        for destination in table.told(row):
            work.setdefault(destination, []).append(of[row.name])
    if not work:
        return []
    with ThreadPoolExecutor(min(len(work), MOST_AT_ONCE)) as pool:
        tellers = [_Teller(archive, destination, clock, way) for destination in work]
        answers = list(pool.map(lambda teller: teller.tell(work[teller.destination]), tellers))
    found = [row for answer in answers for row in answer]
    for row in found:
        why = f": {row['why']}" if row["why"] else ""
        progress(f"{row['to']}: {row['schedule']}: {row['did']}{why}")
    return found


def of_schedule(archive: Path, schedule: Schedule, moment: datetime) -> News:
    """Return what there is to tell of a schedule."""
    after = back_to(schedule.cron, schedule.zone, moment, BACK, LEAST)
    force = Records(archive, schedule.name).force()
    return news(entries(archive, schedule, after, moment), whole=bool(force) and force[0].since >= after)


def untold(archive: Path, table: Table, moment: datetime, environment: str | None = None) -> list[dict[str, Any]]:
    """Return a row for each destination that was not told what it should have been by now, and why."""
    found: dict[Destination, dict[str, Any]] = {}
    for row in table.rows:
        known = of_schedule(archive, row, moment) if row.tell and environment in (None, row.environment) else None
        for destination in table.told(row) if known else ():
            record = read(Told(archive, destination.name).lines())
            assert known is not None
            fresh = _fresh(known, record, row.name)
            if not fresh or not (record.failures or moment - fresh[0].due > UNSEEN + row.catch_up):
                continue
            why = record.why or "nothing calls ops schedule tell"
            said = found.setdefault(
                destination, {"to": destination.name, "facts": 0, "since": record.since or None, "why": why}
            )
            said["facts"] += len(fresh)
    return [found[destination] for destination in sorted(found)]


def read(lines: Iterable[Mapping[str, Any]]) -> Record:
    """Return what the lines of a destination say; a line of another form says nothing."""
    told: dict[str, set[str]] = {}
    stands: dict[str, str] = {}
    begun: dict[str, Mapping[str, Any]] = {}
    failures: list[tuple[str, str]] = []
    for line in lines:
        schedule, facts = str(line.get("schedule")), line.get("facts")
        if line.get("did") == "begun" and isinstance(facts, list):
            begun[schedule] = line
        elif line.get("did") == "told" and schedule in begun:
            told.setdefault(schedule, set()).update(map(str, begun[schedule]["facts"]))
            stands[schedule] = str(begun[schedule].get("stands", ""))
            begun.pop(schedule)
            failures.clear()
        elif line.get("did") == "failed":
            failures.append((str(line.get("at", "")), str(line.get("why", ""))))
            if line.get("certain") is True:
                begun.pop(schedule, None)
    first, last = (failures[0], failures[-1]) if failures else (("", ""), ("", ""))
    facts_of = {name: frozenset(ids) for name, ids in told.items()}
    return Record(facts_of, stands, begun, len(failures), first[0], last[0], last[1])


def _fresh(known: News, record: Record, schedule: str) -> tuple[Fact, ...]:
    return known.untold(record.told.get(schedule, frozenset()), record.stands.get(schedule, ""))


class _Teller:
    """Tells one destination, in a thread of its own."""

    def __init__(self, archive: Path, destination: Destination, clock: Callable[[], datetime], way: Open) -> None:
        self.destination = destination
        self._told, self._clock, self._way = Told(archive, destination.name), clock, way
        self._clean, self._began = Redactor().text, False

    def tell(self, of: Sequence[Of]) -> list[dict[str, Any]]:
        """Tell what is fresh, schedule by schedule, until one notice fails; raises nothing."""
        record = read(self._told.lines())
        if not any(_fresh(one.news, record, one.schedule.name) for one in of):
            return []
        try:
            with self._told.held(WAIT_SECONDS) as held:
                if not held:
                    return [self._row("", "waits", "another process tells it for long")]
                return self._tell(of)
        except ArchiveError as error:
            # What cannot be recorded is not sent.
            return [self._row("", "failed", str(error))]

    def _tell(self, of: Sequence[Of]) -> list[dict[str, Any]]:
        record = read(self._told.lines())
        fresh = [one for one in of if _fresh(one.news, record, one.schedule.name)]
        if fresh and record.failures and (until := _again(record)) > self._clock():
            why = f"failed {record.failures} times since {record.since[:19]}Z; tried again after {until:%H:%M:%S}Z"
            return [self._row(fresh[0].schedule.name, "waits", f"{why}. {record.why}")]
        rows: list[dict[str, Any]] = []
        way: Way | None = None
        try:
            for one in fresh:
                name, self._began = one.schedule.name, False
                try:
                    target = settings.load(self.destination.environment)
                    self._clean = Redactor(target.secrets()).text
                    way = way or self._way(self.destination, target)
                    rows += self._one(one, way, target)
                except (OpsError, OSError) as error:
                    rows.append(self._failed(name, error))
                    break
        finally:
            if way is not None:
                way.close()
        return rows

    def _one(self, one: Of, way: Way, target: Settings) -> list[dict[str, Any]]:
        name, rows = one.schedule.name, []
        record = read(self._told.lines())
        if (doubt := record.begun.get(name)) and way.arrived(str(doubt.get("notice"))):
            self._told.add(self._clock(), schedule=name, did="told", notice=doubt.get("notice"), found=True)
            rows.append(self._row(name, "told", "it had arrived before its process went"))
            record = read(self._told.lines())
        facts = _fresh(one.news, record, name)
        if not facts or one.news.stands is None:
            return rows
        made = notice(one.schedule, self.destination.name, facts, one.news.stands, target.archive_url or "")
        self._told.add(
            self._clock(),
            schedule=name,
            did="begun",
            notice=made.id,
            stands=made.stands,
            facts=[fact.id for fact in facts],
            title=made.title,
        )
        self._began = True
        way.send(made)
        self._told.add(self._clock(), schedule=name, did="told", notice=made.id)
        return [*rows, self._row(name, "told", "")]

    def _failed(self, schedule: str, error: Exception) -> dict[str, Any]:
        said = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
        why = self._clean(said)[:500]
        # Of what an earlier process began, this failure says nothing.
        certain = self._began and getattr(error, "kind", "") in CERTAIN
        self._told.add(self._clock(), schedule=schedule, did="failed", why=why, certain=certain)
        return self._row(schedule, "failed", why)

    def _row(self, schedule: str, did: str, why: str) -> dict[str, Any]:
        return {"to": self.destination.name, "schedule": schedule, "did": did, "why": why}


CERTAIN = frozenset({"refused", "dns", "tls", "limited", "unauthorized", "forbidden", "missing", "rejected"})
"""Failures after which nothing can have arrived; after any other nobody knows."""


def _again(record: Record) -> datetime:
    """Return when a destination that failed may be tried again: at once, after 2, 6, 14, 30 minutes, then hourly."""
    pause = min(timedelta(minutes=2 ** min(record.failures, 10) - 2), LONGEST_PAUSE)
    return datetime.fromisoformat(record.failed_at) + pause
