"""The parent of a client program: ends it when the process that asked for it is gone, however that happened.

A program of its own, run by path and with the standard library only, so that it is there in a few
milliseconds: ``python -I -S program_guardian.py LEASH PROGRAM ARGUMENTS…``. ``LEASH`` is the number of a pipe's
reading end; the writing end is its parent's alone and never written to. When that ends, the whole group is
told to end (``pg_restore`` and ``pg_dump`` then cancel their queries on the server), and killed when it does
not. A restore that went on for hours after its run was killed would be seen by nobody.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

PATIENCE_MS = 3000
"""How long a program may take to cancel what it does on the server."""


def main(arguments: list[str]) -> int:
    """Start the program and wait for its end, or for the parent's; ends as the program did."""
    leash = int(arguments[0])
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The group gets these as well; its program decides.
        signal.signal(number, lambda number, frame: None)
    program = os.fork()
    if program == 0:
        _become(leash, arguments[1:])
    nothing = os.open(os.devnull, os.O_RDWR)
    for own in (0, 1, 2):
        # The ends of its pipes are the program's: held here too, nobody would see them close.
        os.dup2(nothing, own)
    return _watch(program, leash, wake)


def _become(leash: int, command: list[str]) -> None:
    try:
        os.close(leash)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606 - one of the programs that may be started, an argument list
    finally:
        os._exit(126)


def _watch(program: int, leash: int, wake: int) -> int:
    ends = select.poll()
    ends.register(leash, select.POLLIN | select.POLLHUP)
    ends.register(wake, select.POLLIN)
    patience = None
    while True:
        ready = [number for number, _ in ends.poll(patience)]
        if not ready:
            os.killpg(0, signal.SIGKILL)
        if leash in ready:
            ends.unregister(leash)
            patience = PATIENCE_MS
            os.killpg(0, signal.SIGTERM)
        if wake in ready:
            os.read(wake, 512)
        ended, raw = os.waitpid(program, os.WNOHANG)
        if ended:
            return _as(os.waitstatus_to_exitcode(raw), patience is not None)


def _as(code: int, alone: bool) -> int:
    if alone:
        # Its workers, if it had any, have no other parent now.
        os.killpg(0, signal.SIGKILL)
    if code < 0:
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing to clean, and the parent waits.
    os._exit(main(sys.argv[1:]))
