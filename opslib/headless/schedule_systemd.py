"""Schedules as systemd user units: a service and a timer each, in the user's own folder of units.

The timer's zone is the schedule's, so its clock changes with it, and it is persistent: a due time that passed while the
machine was off is called for as soon as it is on again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from opslib import files
from opslib.errors import StepFailed
from opslib.headless import schedule_times
from opslib.headless.schedule_callers import TELL, TELL_MINUTES, call
from opslib.headless.schedule_table import Schedule

PREFIX = "ops-schedule-"
MARK = "# Written by `ops schedule systemd --install`; changes in here are lost."
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def units(schedules: Sequence[Schedule], ops: Path, environment: Mapping[str, str], moment: datetime) -> dict[str, str]:
    """Return each unit's text by its file name."""
    found: dict[str, str] = {}
    for one in schedules:
        about = f"{one.name}: {one.notebook} on {one.environment}"
        command = (str(ops), "schedule", "run", one.name)
        times = calendar(one.cron, one.zone, moment)
        found |= _pair(one.name, about, command, environment, f"{one.name}, due {one.cron} {one.zone}", times)
    if any(one.tell for one in schedules):
        every = f"*:0/{TELL_MINUTES}"
        found |= _pair(TELL[-1], "tell: who is to know", (str(ops), *TELL), environment, f"tell, due {every}", [every])
    return found


def _pair(
    name: str, about: str, command: Sequence[str], environment: Mapping[str, str], due: str, times: Sequence[str]
) -> dict[str, str]:
    """Return the text of a service and of its timer by their file names."""
    carried = "\n".join(f"Environment={_quoted(f'{key}={value}')}" for key, value in environment.items())
    start = " ".join(_quoted(word.replace("$", "$$")) for word in command)
    calls = "\n".join(f"OnCalendar={line}" for line in times)
    return {
        f"{PREFIX}{name}.service": (
            f"{MARK}\n[Unit]\nDescription=ops schedule {about}\n\n"
            f"[Service]\nType=oneshot\n{carried}\nExecStart={start}\n"
        ),
        f"{PREFIX}{name}.timer": (
            f"{MARK}\n[Unit]\nDescription=ops schedule {due}\n\n"
            f"[Timer]\n{calls}\nPersistent=true\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n"
        ),
    }


def calendar(expression: str, zone: str, moment: datetime) -> list[str]:
    """Return a cron expression as systemd's calendar events; two where a day may fit by its date or by its weekday.

    systemd leaves out what falls into a gap of the clock, so the end of such a gap is called for as well, each day.
    """
    read = schedule_times.fields(expression)
    clock = f"{_list(read.hours, 24)}:{_list(read.minutes, 60)}:00 {zone}"
    months = _list(read.months, 12)
    weekdays = "" if len(read.weekdays) == 7 else ",".join(WEEKDAYS[day] for day in sorted(read.weekdays)) + " "
    dated, weekly = f"*-{months}-{_list(read.days, 31)} {clock}", f"{weekdays}*-{months}-*"
    ends = [f"*-*-* {end}:00 {zone}" for end in sorted(schedule_times.gap_ends(expression, zone, moment))]
    return [*([dated, f"{weekly} {clock}"] if read.either else [f"{weekdays}{dated}"]), *ends]


def folder() -> Path:
    """Return the user's folder of units."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def install(wanted: Mapping[str, str], place: Path) -> list[str]:
    """Write the units that differ, remove ours that are no longer wanted, and return the names of all these.

    Only files with our prefix and mark are touched. Raises StepFailed for a file of that name that is not ours.
    """
    there = {path.name: path.read_text("utf-8") for path in sorted(place.glob(f"{PREFIX}*")) if path.is_file()}
    if strange := [name for name in wanted if not there.get(name, MARK).startswith(MARK)]:
        raise StepFailed(f"{', '.join(strange)} in {place} is not ours.", "Look at it; nothing was written.")
    changed = [name for name, text in wanted.items() if there.get(name) != text]
    gone = [name for name, text in there.items() if name not in wanted and text.startswith(MARK)]
    if changed:
        files.make_folder(place)
    for name in changed:
        files.write(place / name, wanted[name].encode(), place / f".{name}.part", mode=0o644)
    for name in gone:
        (place / name).unlink()
    return [*changed, *gone]


def enable(names: Sequence[str], place: Path) -> list[str]:
    """Make systemd read its units anew, and start or stop the timers named; returns what it complained of."""
    timers = [name for name in names if name.endswith(".timer")]
    on = [name for name in timers if (place / name).exists()]
    off = [name for name in timers if name not in on]
    commands = [["systemctl", "--user", "disable", "--now", *off]] if off else []
    commands += [["systemctl", "--user", "daemon-reload"]]
    commands += [["systemctl", "--user", "enable", "--now", *on]] if on else []
    said = [(command, call(command)) for command in commands]
    return [f"{' '.join(command)}: {why or f'exit code {code}'}" for command, (code, _, why) in said if code]


def _list(numbers: frozenset[int], every: int) -> str:
    return "*" if len(numbers) == every else ",".join(f"{one:02}" for one in sorted(numbers))


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
