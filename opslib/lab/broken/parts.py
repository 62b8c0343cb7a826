"""The lab's own servers, for faults that are made behind their backs: their folder, their processes."""

from __future__ import annotations

from pathlib import Path

from opslib.lab import state as states
from opslib.lab.cache import Cache
from opslib.lab.database import Database
from opslib.lab.machines import freeze, kill, thaw
from opslib.lab.processes import LabError
from opslib.lab.standby import Standby
from opslib.settings import Settings

__all__ = ["cache", "database", "folder", "freeze", "kill", "pair", "thaw"]


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
