"""The lab's own servers, for faults that are made behind their backs: their folder, their processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from opslib.lab import state as states
from opslib.lab.cache import Cache
from opslib.lab.database import Database
from opslib.lab.machines import freeze, kill, thaw
from opslib.lab.processes import LabError
from opslib.lab.standby import Standby
from opslib.settings import Settings

__all__ = ["aside", "cache", "database", "folder", "freeze", "kill", "pair", "thaw"]


def folder(settings: Settings) -> Path:
    """Return the folder of the lab of this description; raises LabError when it is none's."""
    found = settings.migrations.parent if settings.migrations else None
    state = states.read(found) if found else None
    if found is None or state is None or state.entry(Database.name).port != settings.database_url.port:
        raise LabError("This description is no running lab's.", "Start one: ops lab up")
    return found


def database(settings: Settings) -> Database:
    """Return the lab's first PostgreSQL."""
    place = folder(settings)
    state = states.read(place)
    assert state is not None
    return Database(state, states.passwords(place))


def aside(module: str, given: Mapping[str, str], said: str, otherwise: str) -> None:
    """Start a fault's own process, which goes on after this one's end, and wait until it has ``said`` so.

    ``given`` are variables: an argument would show a password. Raises LabError, in the words ``otherwise``, where it
    says something else or ends.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", f"opslib.lab.broken.{module}"],
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # Whoever reads what this process says would else wait for that one's end.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        if process.stdout.readline() != f"{said}\n".encode():
            raise LabError(otherwise, "Is the lab up?")


def pair(settings: Settings) -> tuple[Database, Standby]:
    """Return both of the lab's PostgreSQL; raises LabError where it has only one."""
    first = database(settings)
    if not first.state.standby:
        raise LabError("This lab has no standby.", "Make one that has: ops lab down, then ops lab up.")
    return first, Standby(first.state, first.passwords, first)


def cache(settings: Settings) -> Cache:
    """Return the lab's Valkey."""
    first = database(settings)
    return Cache(first.state, first.passwords)
