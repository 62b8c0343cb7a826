"""The lab's own servers, for faults that are made behind their backs: their folder, their processes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from opslib.lab import state as states
from opslib.lab.cache import Cache
from opslib.lab.database import Database
from opslib.lab.processes import LabError, Trace, find
from opslib.lab.standby import Standby
from opslib.settings import Settings

DEAD_SECONDS = 20.0


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


def kill(trace: Trace) -> None:
    """Kill every process of a server at once, as a machine that dies does; nothing happens to a dead one."""
    if members := freeze(trace):
        for member in members:
            member.kill()
        psutil.wait_procs(members, timeout=DEAD_SECONDS)


def freeze(trace: Trace) -> list[psutil.Process]:
    """Stop every process of a server without ending it: connections stay open, and nothing answers any more."""
    main = find(trace)
    if main is None:
        return []
    main.suspend()  # first, so that it starts no more
    members = [main, *main.children(recursive=True)]
    for member in members:
        with suppress(psutil.NoSuchProcess):  # a session of somebody's may have ended meanwhile
            member.suspend()
    return members


def thaw(trace: Trace) -> None:
    """Let a frozen server go on."""
    main = find(trace)
    if main is not None:
        for member in (*main.children(recursive=True), main):
            with suppress(psutil.NoSuchProcess):
                member.resume()
