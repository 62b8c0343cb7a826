"""Schedules as lines of a crontab, in a marked block of the user's own; all other lines stay as they are.

cron reads its table in the machine's zone. A schedule of a zone with the same clock stands there as it is. One of
another zone is called in every hour at each minute at which it can be due, whatever the clocks do: a call at which
nothing is due does nothing.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from opslib.errors import StepFailed
from opslib.headless import schedule_times
from opslib.headless.schedule_callers import TELL, TELL_MINUTES, call
from opslib.headless.schedule_table import Schedule

BEGIN = "# >>> ops schedule: written by `ops schedule cron --install`; changes in here are lost >>>"
END = "# <<< ops schedule <<<"
_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n(?:(?!{re.escape(BEGIN)}$).*\n)*?{re.escape(END)}(?:\n|\Z)", re.MULTILINE)
"""A first mark that lost its last one reaches no further than the next first mark: lines between are somebody's."""
LONGEST = 990
"""Debian's cron takes commands of at most 999 characters."""


def lines(
    schedules: Sequence[Schedule], ops: Path, environment: Mapping[str, str], zone: str, moment: datetime
) -> list[str]:
    """Return the crontab lines of schedules, on a machine whose clock shows ``zone`` ("" where that is unknown)."""
    found = []
    for one in schedules:
        command = _command(("schedule", "run", one.name), ops, environment)
        found.append(f"# {one.name}: {one.notebook} on {one.environment}, due {one.cron} {one.zone}")
        found += [f"{_when(one, zone, moment)} {command}", f"@reboot {command}"]
    if any(one.tell for one in schedules):
        found += ["# who is to know is told", f"*/{TELL_MINUTES} * * * * {_command(TELL, ops, environment)}"]
    return found


def machine_zone() -> str:
    """Return the zone that cron reads its table in, or "" where that cannot be told."""
    try:
        _, _, name = os.readlink("/etc/localtime").partition("/zoneinfo/")  # noqa: PTH115 - the link's own text
    except OSError:
        return ""
    return name if schedule_times.known(name) else ""


def install(block: Sequence[str]) -> bool:
    """Put the block into the user's crontab in place of an earlier one; False when it is there already.

    Without lines the block is taken out. Raises StepFailed when crontab refuses; the table is then as it was.
    """
    before = current()
    after = replaced(before, block)
    if after == before:
        return False
    code, _, said = call(["crontab", "-"], after)
    if code:
        raise StepFailed(f"crontab refused the table: {said}.", "It is as it was.")
    return True


def current() -> str:
    """Return the user's crontab; empty where there is none. Raises StepFailed when it cannot be read."""
    code, text, said = call(["crontab", "-l"])
    if code and "no crontab for" not in said:
        # An unreadable table must not be taken for an empty one: writing would lose it.
        raise StepFailed(f"crontab cannot be read: {said or f'exit code {code}'}.", "Nothing was changed.")
    return "" if code else text


def replaced(text: str, block: Sequence[str]) -> str:
    """Return a crontab with the block in its former place, or at its end; every other byte stays."""
    new = "".join(f"{line}\n" for line in (BEGIN, *block, END)) if block else ""
    if found := _BLOCK.search(text):
        return text[: found.start()] + new + _BLOCK.sub("", text[found.end() :])
    # Most crontabs take no table whose last line has no end; where one did, ours must not be glued to it.
    end = "\n" if new and text and not text.endswith("\n") else ""
    return f"{text}{end}{new}"


def _when(schedule: Schedule, zone: str, moment: datetime) -> str:
    shifts = _shifts(schedule.zone, zone or "UTC", moment)
    if zone and shifts == {0}:
        return schedule.cron
    if not zone:
        # All that is known of such a machine is that zones are apart by quarters of an hour.
        shifts = {shift + quarter for shift in shifts for quarter in (0, 15, 30, 45)}
    # A due time that falls into a gap comes at its end, at minute 0 of one of the two clocks.
    minutes = {*schedule_times.fields(schedule.cron).minutes, 0}
    found = sorted({(minute + shift) % 60 for minute in minutes for shift in shifts})
    return f"{','.join(map(str, found))} * * * *"


def _shifts(zone: str, machine: str, moment: datetime) -> set[int]:
    """Return by how many minutes the machine's clock is ahead of the zone's, over two years."""
    there, here = ZoneInfo(zone), ZoneInfo(machine)
    days = [moment.astimezone(UTC) + timedelta(days=day) for day in range(731)]
    return {schedule_times.offset_of(day, here) - schedule_times.offset_of(day, there) for day in days}


def _command(called: Sequence[str], ops: Path, environment: Mapping[str, str]) -> str:
    words = ["env", *(f"{name}={value}" for name, value in environment.items()), str(ops), *called]
    # An unescaped % would end the command; quoting does not help against that.
    command = shlex.join(words).replace("%", r"\%")
    if len(command) > LONGEST:
        raise StepFailed(f"The crontab line of {called[-1]} would be too long.", "Shorten PATH, then try again.")
    return command
