"""When a schedule is due: cron expressions of five fields, read in a time zone (library cronsim).

Where clocks are put forward, a due time whose hour does not exist comes right after the gap; where they are put back,
a due time whose hour comes twice is due once, the first time. Expressions whose minute or hour begins with ``*`` follow
elapsed time instead: every half hour is due every half hour, in both nights. That is what Debian's cron does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_FIELDS = re.compile(r"[0-9A-Za-z*,/-]+( [0-9A-Za-z*,/-]+){4}", re.ASCII)
"""Neither L, W nor #: other schedulers do not know them."""
_OTHER = re.compile(r"(?:^|[ ,/-]|[0-9])(?:L|LW|W)(?=$|[ ,/-])", re.ASCII | re.IGNORECASE)
LEAST = timedelta(minutes=5)
"""The least time between two due times: a run takes some seconds, and each due time leaves its files."""
_BACK = timedelta(hours=3)


@dataclass(frozen=True)
class Fields:
    """An expression as the numbers that fit. ``either``: a day fits by its date or its weekday, not by both."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool


def fault(expression: str) -> str:
    """Return what is wrong with a cron expression, or nothing."""
    if not _FIELDS.fullmatch(expression) or _OTHER.search(expression):
        return "five fields are expected, minute hour day month weekday, of digits, names and the signs * , - /"
    try:
        # A whole day of the most frequent that is allowed.
        first = list(islice(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)), int(timedelta(days=1) / LEAST)))
    except CronSimError as error:
        return str(error)
    if not first:
        return "it is never due"
    if any(later - one < LEAST for one, later in pairwise(first)):
        return f"it is due more often than every {LEAST // timedelta(minutes=1)} minutes"
    return ""


@cache
def known(zone: str) -> bool:
    """Say whether ``zone`` is a name of the IANA time zone database."""
    return zone in available_timezones()


def between(expression: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the due times later than ``after`` and not later than ``until``, in UTC, earliest first."""
    # A gap or a second hour near the start is passed through from before it, so that it looks the same from everywhere.
    start = (after - _BACK).astimezone(ZoneInfo(zone))
    last: datetime | None = None
    for local in CronSim(expression, start):
        due = local.astimezone(UTC)
        if due > until:
            return
        if due > after and due != last:
            last = due
            yield due


def following(expression: str, zone: str, moment: datetime) -> datetime:
    """Return the first due time later than ``moment``, in UTC."""
    return next(between(expression, zone, moment, datetime.max.replace(tzinfo=UTC)))


def newest(expression: str, zone: str, moment: datetime, back: timedelta) -> datetime | None:
    """Return the last due time not later than ``moment`` and at most ``back`` before it."""
    found = None
    for found in between(expression, zone, moment - back - timedelta(microseconds=1), moment):  # noqa: B007
        pass
    return found


def back_to(expression: str, zone: str, moment: datetime, back: timedelta, least: int) -> datetime:
    """Return the moment ``back`` before, or as far before it (13 times at most) that ``least`` due times lie since."""
    for times in (1, 4, 13):
        after = moment - times * back
        if len(list(islice(between(expression, zone, after, moment), least))) == least:
            break
    return after


def gap_ends(expression: str, zone: str, moment: datetime) -> set[str]:
    """Return when, as ``HH:MM`` of the zone, gaps of the next two years end that a due time can fall into."""
    minute, hour = expression.split()[:2]
    if minute.startswith("*") or hour.startswith("*"):
        return set()
    read, there = fields(expression), ZoneInfo(zone)
    times = {hour * 60 + minute for hour in read.hours for minute in read.minutes}
    first = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    days = [first + timedelta(days=day) for day in range(2 * 366)]
    forward = [day for day, following in pairwise(days) if offset_of(day, there) < offset_of(following, there)]
    found = set()
    for now in (day + timedelta(minutes=15 * quarter) for day in forward for quarter in range(1, 97)):
        gap = offset_of(now, there) - offset_of(now - timedelta(seconds=1), there)
        local = now.astimezone(there)
        end = local.hour * 60 + local.minute
        if gap > 0 and times & {one % 1440 for one in range(end - gap, end)}:
            found.add(f"{local:%H:%M}")
    return found


def offset_of(moment: datetime, zone: ZoneInfo) -> int:
    """Return by how many minutes a zone's clock is ahead of UTC."""
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() // 60)


def fields(expression: str) -> Fields:
    """Return an expression's fields; Sunday is 0."""
    read = CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    return Fields(
        frozenset(_numbers(read.minutes)),
        frozenset(_numbers(read.hours)),
        frozenset(_numbers(read.days)),
        frozenset(_numbers(read.months)),
        frozenset(day % 7 for day in _numbers(read.weekdays)),
        not read.day_and,
    )


def _numbers(items: object) -> Iterator[int]:
    assert isinstance(items, set)
    yield from (item for item in items if isinstance(item, int))
