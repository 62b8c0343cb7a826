"""The parent of a client program: ends all of it when it may, or when the process that asked for it is gone.

A program of its own, run by path and with the standard library only, so that it is there in a few
milliseconds: ``python -I -S program_guardian.py LEASH PATIENCE PROGRAM ARGUMENTS…``. ``LEASH`` is the number of
a pipe's reading end; the writing end is its parent's alone and never written to. When that ends, or by
SIGTERM, the program's group is told to end (``pg_restore`` and ``pg_dump`` then cancel their queries on the
server), and killed after ``PATIENCE`` milliseconds. A restore that went on for hours after its run was killed
would be seen by nobody.

The guardian ends last: what the program leaves behind (workers) is killed and waited for. A worker that held
the program's pipes open would hold whoever reads them.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"
CLEARING = 5.0
"""Seconds that killed workers may take to be gone."""


def main(arguments: list[str]) -> int:
    """Start the program and wait for its end, or for the parent's; ends as the program did."""
    leash, patience = int(arguments[0]), int(arguments[1])
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)
    # What the program leaves behind becomes this process's child, and can be waited for.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = os.fork()
    if program == 0:
        _become(leash, arguments[2:])
    with suppress(OSError):
        # Here as well as there: whoever is first. It is refused once the program is executed.
        os.setpgid(program, program)
    nothing = os.open(os.devnull, os.O_RDWR)
    for own in (0, 1, 2):
        # The ends of its pipes are the program's: held here too, nobody would see them close.
        os.dup2(nothing, own)
    _watch(program, leash, wake, patience)
    return _as(_clear(program))


def _become(leash: int, command: list[str]) -> None:
    try:
        os.setpgid(0, 0)
        os.close(leash)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606 - one of the programs that may be started, an argument list
    finally:
        os._exit(126)


def _watch(program: int, leash: int, wake: int, patience: int) -> None:
    """Wait until the program has ended, or has to be killed; it keeps its number until :func:`_clear`."""
    ends = select.poll()
    ends.register(leash, select.POLLIN | select.POLLHUP)
    ends.register(wake, select.POLLIN)
    kill_at = None
    while not os.waitid(os.P_PID, program, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        left = None if kill_at is None else (kill_at - time.monotonic()) * 1000
        if left is not None and left <= 0:
            return
        ready = [number for number, _ in ends.poll(left)]
        said = os.read(wake, 512) if wake in ready else b""
        if leash in ready:
            ends.unregister(leash)
        if leash in ready or set(said) - {signal.SIGCHLD}:
            os.killpg(program, signal.SIGTERM)
            kill_at = kill_at or time.monotonic() + patience / 1000


def _clear(program: int) -> int:
    """Kill the program's group and wait until none of it is left; returns how the program ended."""
    os.killpg(program, signal.SIGKILL)
    _, raw = os.waitpid(program, 0)
    until = time.monotonic() + CLEARING
    with suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
    return os.waitstatus_to_exitcode(raw)


def _as(code: int) -> int:
    if code < 0:
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing to clean, and the parent waits.
    os._exit(main(sys.argv[1:]))
