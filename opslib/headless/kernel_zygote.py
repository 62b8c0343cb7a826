"""A process that has imported what notebooks need, and forks a kernel of it whenever its runner asks for one.

A program of its own: ``python -P -m opslib.headless.kernel_zygote``, its standard input a socket to the runner. It has
one thread, no loop, no secret and no credential. When the runner closes the socket or dies, it ends; the kernels end by
themselves then.

What it forks is a guardian with its kernel (:mod:`opslib.headless.kernel_forked`), to whose line it passes on a
request's handles, unread. One pair stands by, forked when nothing was asked for a moment: of the time that a notebook's
process takes to be there, two forks are nearly half. Where none stands by, a pair is forked for the request.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from opslib.headless import kernel_forked
from opslib.warm_ahead import FORK

KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "opslib.headless.kernel_standby_process",
    "tornado.platform.asyncio",
    "jupyter_client.localinterfaces",
)
"""What ipykernel imports late."""

IMPORTS = (
    "opslib.headless.shell_process",
    "opslib.runs.run",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "bdb",
    "faulthandler",
    "sqlite3",
    "psycopg",
    "redis",
    "httpx",
    "httpcore",
    "cryptography.x509",
    "cryptography.hazmat.primitives.serialization",
    "dns.query",
    "dns.resolver",
    "prometheus_client.parser",
    "dotenv.main",
)
"""What cells and the clients import late."""

AFTERWARDS = 0.1
"""Seconds after a request in which its run gets the machine, before the next pair is forked."""

HUGE, MADV_COLLAPSE = 2 << 20, 25

PACKAGES = ("opslib.checks", "opslib.probes", "opslib.pictures", "opslib.actions", "opslib.runs", "opslib.systems")

LOOKING = ("opslib.checks", "opslib.probes", "opslib.pictures", "opslib.systems")
"""What a notebook needs that takes no step."""

LOOKS = "looks"
"""The program's argument that says that all will be such notebooks, executed without a kernel."""


def main() -> int:
    """Import, then serve until the runner is gone."""
    # The debugger's own warning about frozen modules is for people who debug.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    before = dict(os.environ)
    gc.disable()  # no garbage is looked for among what is imported: all of it stays
    warm(kernels=LOOKS not in sys.argv[1:])
    added = {name: value for name, value in os.environ.items() if before.get(name) != value}
    runner = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # How a guardian ended is said on its pipe; here it only leaves the table of processes.
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.enable()
    collapse()
    runner.send(b"ready")
    standing: socket.socket | None = None
    while True:
        if standing is None and not select.select([runner], [], [], AFTERWARDS)[0]:
            standing = _forked(added, runner)
        said, handles, _, _ = socket.recv_fds(runner, len(FORK), kernel_forked.HANDLES)
        if not said:
            return 0
        if standing is None or not _passed(standing, handles):
            _passed(_forked(added, runner), handles)
        standing = None
        for handle in handles:
            os.close(handle)


def _forked(added: dict[str, str], runner: socket.socket) -> socket.socket:
    """Fork a guardian with its kernel, and return the line to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        runner.close()
        ours.close()
        kernel_forked.guard(added, theirs)
    theirs.close()
    return ours


def _passed(line: socket.socket, handles: list[int]) -> bool:
    """Pass a request on, and say whether who stands there could still be asked."""
    with line, suppress(OSError):
        socket.send_fds(line, [FORK], handles)
        return True
    return False


def _reap(number: int, frame: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def warm(*, kernels: bool = True) -> None:
    """Import what a notebook may need; raises RuntimeError where that has started a thread: a fork would lose it.

    Without ``kernels`` only what one needs that looks, and takes no step.
    """
    for name in (*IMPORTS, *(KERNEL if kernels else ())):
        importlib.import_module(name)
    import_all(PACKAGES if kernels else LOOKING)
    prepare()
    shell = importlib.import_module("opslib.headless.shell_process")
    shell.prepare()
    shell.rehearse()
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads != 1:
        raise RuntimeError(f"{threads} threads after the imports")


def prepare() -> None:
    """Compile and read, once for all forks, what is the same for every target: nothing of a secret or a session."""
    # Here: whoever only forks from this process imports this module as well.
    from opslib import redaction_patterns, settings, settings_part
    from opslib.systems import object_client

    redaction_patterns.prepare()
    settings_part.prepare(settings.ReadSettings)
    object_client.prepare()


def collapse() -> None:
    """Move this process's memory into pages of two megabytes, where the system has them: less for a fork to copy.

    The places of 25,000 small ones would be copied twice for each notebook, and given up again.
    """
    with suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, _, _, number, *name = line.split()
            begin, end = (int(part, 16) for part in place.split("-"))
            begin, end = -(-begin // HUGE) * HUGE, end // HUGE * HUGE
            if rights == "rw-p" and number == "0" and name in ([], ["[heap]"]) and begin < end:
                advise(begin, end - begin, MADV_COLLAPSE)


def import_all(packages: Iterable[str]) -> None:
    """Import every module of these packages."""
    for package in packages:
        there = importlib.import_module(package)
        for module in pkgutil.iter_modules(there.__path__, f"{package}."):
            importlib.import_module(module.name)


if __name__ == "__main__":
    raise SystemExit(main())
