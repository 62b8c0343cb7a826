"""A process that has imported what notebooks need, and forks a kernel of it whenever its runner asks for one.

A program of its own: ``python -P -m opslib.headless.kernel_zygote``, its standard input a socket to the runner. It has
one thread, no other socket, no loop, no secret and no credential. When the runner closes the socket or dies, it ends;
the kernels end by themselves then.

A request is three handles: the leash; a pipe on which the guardian says its number and at last its exit code; and a
file in memory with what is asked, JSON (``kernel``: the arguments of ipykernel, ``user``: as the guardian has it,
``env``, ``cwd``). A fourth is the line of a process that executes cells without a kernel, or of a kernel that stands by
(``addresses``: where it listens, and its key). What is asked is read in the forked process only: what one kernel may
know is in no other's memory. What a fork has in another way than a fresh process is set right in :func:`_kernel`.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from opslib.headless import kernel_guardian
from opslib.warm_ahead import FORK, MARK, ROOM

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
    while True:
        said, handles, _, _ = socket.recv_fds(runner, len(FORK), 4)
        if not said:
            return 0
        if os.fork() == 0:
            runner.close()
            guard(added, *handles)
        for handle in handles:
            os.close(handle)


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


def guard(added: dict[str, str], leash: int, told: int, question: int, line: int | None = None) -> NoReturn:
    """Be the guardian of one kernel, in a session of its own as a started one is.

    ``added`` is what importing has put into the environment, as it would in the kernel.
    """
    code = 126
    try:
        os.setsid()
        with open(question, "rb") as stream:
            asked: dict[str, Any] = json.load(stream)
        os.dup2(leash, 0)
        quiet = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(quiet, number)
        if line is not None:
            os.dup2(line, 1)
            os.close(line)
        os.close(leash)
        os.close(quiet)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.write(told, f"{os.getpid()}\n".encode())
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(added | asked["env"])
        code = kernel_guardian.guard(asked["user"], lambda: _kernel(asked["kernel"], asked["addresses"]))
    finally:
        os.write(told, f"{code}\n".encode())
        os._exit(code)


def _kernel(arguments: list[str] | None, addresses: dict[str, Any] | None = None) -> NoReturn:
    """Be the kernel: what a fresh process would not have from its parent is put away first."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)
    for broken in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(broken, signal.SIG_IGN)
    _mark()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: a change of user took it, a start gives it back
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


if __name__ == "__main__":
    raise SystemExit(main())
