"""A server's processes as if they were a machine: killed at once, frozen, let go on."""

from __future__ import annotations

from contextlib import suppress

import psutil

from opslib.lab.processes import Trace, find

DEAD_SECONDS = 20.0


def kill(trace: Trace) -> None:
    """Kill every process of a server at once, as a machine that dies does; nothing happens to a dead one."""
    if members := freeze(trace):
        for member in members:
            with suppress(psutil.NoSuchProcess):  # what was ending when it was frozen
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
