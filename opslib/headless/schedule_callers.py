"""What calls ``ops schedule run`` on this machine: the same command and environment for cron and for systemd.

cron gives a program next to nothing, so what the command needs is written beside it: PATH, HOME and the folders of the
project. That is a closed list of names, none of which holds a secret; those stay in the target's description.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from opslib import places
from opslib.errors import StepFailed, UsageError
from opslib.redaction import Redactor

FOLDERS = {
    "OPS_ARCHIVE": places.archive_folder,
    "OPS_LAB": places.lab_folder,
    "OPS_NOTEBOOKS": places.notebooks_folder,
    "OPS_SCHEDULES": places.schedules_file,
}
"""Carried always, absolute: who calls stands in another folder."""
CARRIED = ("PATH", "HOME", "XDG_STATE_HOME", "OPS_LOCKS", "OPS_ARCHIVE_KEY", "OPS_PG_BIN")
"""Carried where they are set. OPS_ARCHIVE_KEY names a file."""
SECONDS = 30.0
TELL = ("schedule", "tell")
"""Called by itself, so that misses are told although nothing calls the schedule that missed."""
TELL_MINUTES = 10


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what is carried; raises UsageError for a value that no line can hold or that looks like a credential."""
    given = os.environ if given is None else given
    found = {name: given[name] for name in CARRIED if given.get(name)}
    found |= {name: str(place().absolute()) for name, place in FOLDERS.items()}
    if wrong := [name for name, value in found.items() if not value.isprintable() or Redactor().suspicious(value)]:
        raise UsageError(
            f"{', '.join(wrong)} cannot be written down: a line break or what looks like a credential stands in it.",
            "Set it to a plain path.",
        )
    return found


def program(ops: str) -> Path:
    """Return the absolute path of the ``ops`` that was called as ``ops``, its links kept; raises UsageError."""
    beside = Path(ops).absolute()
    if beside.name != "ops" or not os.access(beside, os.X_OK):
        raise UsageError(f"{beside} is not the program ops.", "Call it as .venv/bin/ops.")
    return beside


def call(command: Sequence[str], data: str = "") -> tuple[int, str, str]:
    """Run a program of the machine's scheduler and return exit code, output and what it complained of.

    Raises UsageError where there is no such program, StepFailed where it does not end.
    """
    try:
        done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError as error:
        raise UsageError(f"There is no {command[0]} on this machine.", "Install it, or only print.") from error
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{command[0]} did not end within {SECONDS:g} s.", "Look at it, then try again.") from error
    return done.returncode, done.stdout, done.stderr.strip()
