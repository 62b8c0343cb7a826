"""The parent of a client program: ends all of it when it may, or when the process that asked for it is gone.

A program of its own, run by path and built of what the interpreter has built in, so that it is there in a few
milliseconds: ``python -I -S program_guardian.py LEASH PATIENCE PROGRAM ARGUMENTS…``. ``LEASH`` is the number of
a pipe's reading end; the writing end is its parent's alone and never written to. When that ends, or by
SIGTERM, the program's group is told to end (``pg_restore`` and ``pg_dump`` then cancel their queries on the
server), and killed after ``PATIENCE`` milliseconds. A restore that went on for hours after its run was killed
would be seen by nobody.

The guardian ends last: what the program leaves behind (workers) is killed and waited for. A worker that held
the program's pipes open would hold whoever reads them.
"""

from __future__ import annotations

# Not signal, ctypes and contextlib: with enum and collections they take longer than all that this program does.
import _ctypes
import _signal  # type: ignore[import-not-found]
import os
import select
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"
CLEARING = 5.0
"""Seconds that killed workers may take to be gone."""


def main(arguments: list[str]) -> int:
    """Start the program and wait for its end, or for the parent's; ends as the program did."""
    leash, patience = int(arguments[0]), int(arguments[1])
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    _signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (_signal.SIGCHLD, _signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, lambda number, frame: None)
    # What the program leaves behind becomes this process's child, and can be waited for.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = os.fork()
    if program == 0:
        _become(leash, arguments[2:])
    try:  # noqa: SIM105 - see above
        # Here as well as there: whoever is first. It is refused once the program is executed.
        os.setpgid(program, program)
    except OSError:
        pass
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
        _prctl(PR_SET_PDEATHSIG, _signal.SIGKILL)
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)
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
        if leash in ready or set(said) - {_signal.SIGCHLD}:
            os.killpg(program, _signal.SIGTERM)
            kill_at = kill_at or time.monotonic() + patience / 1000


def _clear(program: int) -> int:
    """Kill the program's group and wait until none of it is left; returns how the program ended."""
    os.killpg(program, _signal.SIGKILL)
    _, raw = os.waitpid(program, 0)
    until = time.monotonic() + CLEARING
    try:
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
    except ChildProcessError:
        pass
    return os.waitstatus_to_exitcode(raw)


def _as(code: int) -> int:
    if code < 0:
        try:  # noqa: SIM105 - see above
            _signal.signal(-code, _signal.SIG_DFL)
        except OSError:
            pass
        os.kill(os.getpid(), -code)
    return code


def _prctl(option: int, value: int) -> None:
    if LINUX:
        own = _ctypes.dlopen(None, 0)  # type: ignore[arg-type] # the process itself
        _ctypes.call_function(_ctypes.dlsym(own, "prctl"), (option, value, 0, 0, 0))


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing to clean, and the parent waits.
    os._exit(main(sys.argv[1:]))
