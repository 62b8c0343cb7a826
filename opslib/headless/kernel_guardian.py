"""The kernel's parent: starts it, and ends everything that it started when the run ends, however that happens.

A program of its own, run by path and with the standard library only, so that it is there in a few
milliseconds: ``python -I -S kernel_guardian.py UID:GID COMMAND…`` (``:`` for the runner's own user). Its
standard input is a pipe that the runner holds the other end of and never writes to. When it ends, because
the runner closed it or was killed, the guardian kills its whole tree. It adopts every orphan below it, so
that a process that left its group and session is in the tree too; the kernel in turn asks to be killed
with the guardian. Where there is no ``prctl`` and no ``/proc`` (not Linux), the kernel's group is killed.

With ``alone`` instead of a user only that group is ended anyway: what a notebook without ``ops run`` has
started is its own executor, which seals the run when the kernel is gone.

Where kernels are forked instead of started (:mod:`opslib.headless.kernel_warm`) it is the same guardian, in a process
that was forked too: :mod:`opslib.headless.kernel_forked`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
LINUX = sys.platform == "linux"
ALONE = "alone"
"""In place of a user: only the kernel's group is ended, and no orphan is adopted."""

MOST = 10.0
"""Seconds that ending the tree may take at most: one that forks faster than it is killed is given up."""

SOON = 0.05
"""Seconds that the kernel, killed with its group, gets to be gone before what else is below it is looked for."""


def main(arguments: list[str]) -> int:
    """Watch over the kernel of this command line."""
    user, *command = arguments
    return guard(user, lambda: os.execvp(command[0], command))  # noqa: S606 - the runner's own command, a list


def guard(user: str, execute: Callable[[], object]) -> int:
    """Watch over one kernel until it or the runner ends; returns its exit code, 128 + n for signal n."""
    leash = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    wake = waking()
    adopt(user != ALONE)
    guardian = os.getpid()
    kernel = os.fork()
    if kernel == 0:
        become(user, execute, guardian)
    # It may be a line of the kernel's, which ends when the kernel does.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return watch(kernel, leash, wake, whole=user != ALONE)


def waking() -> int:
    """Return a pipe on which the numbers of signals come from now on; they do nothing else."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)
    return wake


def adopt(orphans: bool) -> None:
    """Be, or be not, the parent of every orphan below this process (Linux)."""
    prctl(PR_SET_CHILD_SUBREAPER, int(orphans))


def become(user: str, execute: Callable[[], object], guardian: int) -> NoReturn:
    """Turn the forked process into the kernel: its own session, its user, dead with its guardian.

    ``execute`` makes the kernel out of the process in which it is called, and does not return.
    """
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        # A core dump would be a file with the reading credentials in it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        uid, colon, gid = user.partition(":")
        if uid and colon:
            os.setgroups([])
            os.setresgid(int(gid), int(gid), int(gid))
            os.setresuid(int(uid), int(uid), int(uid))
            prctl(PR_SET_NO_NEW_PRIVS, 1)
        # After the user: a change of user clears it.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)
        os.environ["JPY_PARENT_PID"] = str(guardian)
        execute()
    except BaseException:
        os._exit(126)
    os._exit(126)


def watch(kernel: int, leash: int, wake: int, *, whole: bool) -> int:
    """Wait until the kernel or the runner ends, end the group or the ``whole`` tree, and return the exit code."""
    ends = select.poll()
    ends.register(leash, select.POLLIN | select.POLLHUP)
    ends.register(wake, select.POLLIN)
    while True:
        ready = {number for number, _ in ends.poll()}
        if leash in ready:
            return _end(kernel, whole)
        said = os.read(wake, 512)
        if signal.SIGTERM in said or signal.SIGHUP in said:
            return _end(kernel, whole)
        if signal.SIGINT in said:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(kernel, signal.SIGINT)
        status = _reap(kernel)
        if status is not None:
            _end(kernel, whole)
            return status


def _end(kernel: int, whole: bool) -> int:
    """Kill the kernel's group at once, then the ``whole`` tree below this process, until nothing is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(kernel, signal.SIGKILL)
    _wait(kernel)
    status = _reap(kernel)
    until = time.monotonic() + MOST
    # Every orphan below has become a child of this process: where there is no child, there is nothing below.
    while _children() and time.monotonic() < until:
        for pid in _below(os.getpid()) if whole else ():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        found = _reap(kernel)
        status = found if status is None else status
        time.sleep(0.002)
    return 128 + signal.SIGKILL if status is None else status


def _wait(kernel: int) -> None:
    """Wait a moment until the killed kernel has ended: to look through all processes costs more than most notebooks."""
    if LINUX:
        with suppress(OSError):  # it has ended, and was taken leave of
            handle = os.pidfd_open(kernel)
            select.select([handle], [], [], SOON)
            os.close(handle)


def _reap(kernel: int) -> int | None:
    """Take leave of every child that has ended; returns the kernel's exit code when it is among them."""
    code = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == kernel:
                raw = os.waitstatus_to_exitcode(ended[1])
                code = raw if raw >= 0 else 128 - raw
    return code


def _children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _below(root: int) -> list[int]:
    """Return the living processes below ``root``, children before theirs; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    with suppress(OSError):
        # Names alone: path objects would cost three times what the system does.
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
            with suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb", 0) as stream:  # noqa: PTH123
                state, parent = stream.read(4096).rpartition(b")")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    children.setdefault(int(parent), []).append(int(name))
    found = list(children.get(root, ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process (Linux: prctl(2)); elsewhere nothing."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing to clean, and the runner waits.
    os._exit(main(sys.argv[1:]))
