"""A guardian and its kernel, forked before it is known whose they are: both wait, and know nothing so far.

Who forks them (:mod:`opslib.headless.kernel_zygote`, :mod:`opslib.headless.kernel_ahead_process`) holds the other end
of the guardian's line. On that comes one request, by its handles: the leash; a pipe on which the guardian says its
number and at last its exit code; and a file in memory with what is asked, JSON (``kernel``: the arguments of ipykernel,
``user``: as the guardian has it, ``env``, ``cwd``). A fourth is the line of a process that executes cells without a
kernel, or of a kernel that stands by (``addresses``: where it listens, and its key).

What is asked is read in these two processes only: what one kernel may know is in no other's memory. Where the line ends
before anything came, they end. What a fork has in another way than a fresh process is set right in :func:`_fresh`.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from opslib.headless import kernel_guardian
from opslib.warm_ahead import FORK, MARK, ROOM

HANDLES = 4
"""Of a request, at most."""

PR_SET_DUMPABLE = 4


def guard(added: dict[str, str], line: socket.socket) -> NoReturn:
    """Be the guardian of one kernel, in a session of its own as a started one is; asked for on ``line``.

    ``added`` is what importing has put into the environment, as it would in the kernel.
    """
    code, told = 0, -1
    try:
        os.setsid()
        wake = kernel_guardian.waking()
        kernel_guardian.adopt(True)
        guardian = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kernel = os.fork()
        if kernel == 0:
            line.close()
            ours.close()
            _wait(added, theirs, guardian)
        theirs.close()
        # One whose kernel has ended, or that is told to end, takes no request: who forked it finds its line closed.
        ready, _, _ = select.select([line.fileno(), wake], [], [])
        handles = [] if wake in ready else _received(line)
        line.close()
        if handles:
            code = 126
            leash, told, question = handles[:3]
            with open(question, "rb", closefd=False) as stream:
                user = json.load(stream)["user"]
            os.write(told, f"{guardian}\n".encode())
            kernel_guardian.adopt(user != kernel_guardian.ALONE)
            with suppress(OSError):  # it has ended: seen below
                socket.send_fds(ours, [FORK], handles[2:])
            for handle in handles[2:]:
                os.close(handle)
            code = kernel_guardian.watch(kernel, leash, wake, whole=user != kernel_guardian.ALONE)
    finally:
        if told >= 0:
            os.write(told, f"{code}\n".encode())
        os._exit(code)


def _received(line: socket.socket) -> list[int]:
    """Return the handles of what comes next; none where the other end is gone."""
    _, handles, _, _ = socket.recv_fds(line, len(FORK), HANDLES)
    return list(handles)


def _wait(added: dict[str, str], line: socket.socket, guardian: int) -> NoReturn:
    """Wait until it is known whose kernel this is, and be that."""
    try:
        handles = _received(line)
        if not handles:
            os._exit(0)
        with os.fdopen(handles[0], "rb") as stream:
            stream.seek(0)  # the guardian has read it
            asked: dict[str, Any] = json.load(stream)
        for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
            os.dup2(os.open(os.devnull, mode), number)
        if handles[1:]:
            os.dup2(handles[1], 1)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(added | asked["env"])
        kernel_guardian.become(asked["user"], lambda: _fresh(asked["kernel"], asked["addresses"]), guardian)
    finally:
        os._exit(126)


def _fresh(arguments: list[str] | None, addresses: dict[str, Any] | None = None) -> NoReturn:
    """Be the kernel: what a fresh process would not have from its parent is put away first."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)
    for broken in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(broken, signal.SIG_IGN)
    _mark()
    kernel_guardian.prctl(PR_SET_DUMPABLE, 1)  # a change of user took it, a start gives it back
    time.tzset()
    for number, mode in ((1, "w"), (2, "w"), (0, "r")):
        stream = open(number, mode, closefd=False)  # noqa: SIM115 - the process's own
        setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
        setattr(sys, ("__stdin__", "__stdout__", "__stderr__")[number], stream)
    code = 1
    try:
        gc.unfreeze()
        if arguments is None:
            from opslib.headless import shell_process

            code = shell_process.main()
        else:
            _launch(arguments, addresses)
            code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        os._exit(code)


def _launch(arguments: list[str], addresses: dict[str, Any] | None) -> None:
    from ipykernel.kernelapp import IPKernelApp

    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *arguments]
    if addresses:
        from opslib.headless import kernel_standby_process

        line, quiet = socket.socket(fileno=os.dup(1)), os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.close(quiet)
        kernel_standby_process.launch(line, addresses)
        return
    # Its default was read from the environment when the class was made.
    IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def _mark() -> None:
    """Write this kernel's mark where others read a process's environment: a fork still shows its parent's there."""
    line = f"{MARK}={os.environ.get(MARK, '')}".encode()
    begin, end = _environment()
    found = ctypes.string_at(begin, end - begin).find(f"{MARK}={' ' * ROOM}".encode())
    if found < 0 or len(line) > ROOM:
        raise RuntimeError("there is no room for the mark")
    ctypes.memmove(begin + found, line.ljust(len(MARK) + 1 + ROOM, b"\0"), len(MARK) + 1 + ROOM)


def _environment() -> tuple[int, int]:
    """Return where the process's environment begins and ends in memory (proc(5), fields 50 and 51 of stat)."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[47]), int(fields[48])
