"""Waiting for what another process or thread brings about."""

import time
from contextlib import suppress

import psutil


def until(look, seconds=60.0, instead=lambda: "it did not come about"):
    """Return the first true answer of ``look``; fails when there is none for so long, and says what is ``instead``.

    Machines are busy at times: the limit is wide.
    """
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end, instead()
        time.sleep(0.02)
    return answer


def living(process):
    """Whether a process, or the one of that number, is there and no zombie; it may go while it is looked at."""
    with suppress(psutil.NoSuchProcess):
        one = process if isinstance(process, psutil.Process) else psutil.Process(process)
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    return False
