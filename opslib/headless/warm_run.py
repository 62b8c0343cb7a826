"""The process of one run that was forked from one that stands by: made into what a fresh one would be.

The environment, the folder, the three streams and the mask of new files are the asker's. It begins when the asker says
so, and never twice: an asker that has waited too long goes on by itself, and says nothing any more.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from opslib import warm_asking
from opslib.headless import warm_asker

PR_SET_PDEATHSIG = 1


def become(handles: list[int], parent: int, carry_out: Callable[[], None]) -> NoReturn:
    """Be the run's process: ``handles`` are a request's, ``parent`` is who forked. Does not return."""
    code = 1
    try:
        os.setsid()
        # A run whose parent is gone is stopped, and sealed as interrupted.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        arguments = _taken(handles)
        if arguments is None or os.getppid() != parent or not _may_begin(handles[5]):
            os._exit(0)
        sys.argv = ["ops", *arguments]
        code = _code_of(carry_out)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _taken(handles: list[int]) -> list[str] | None:
    """Take over what the asker has given; returns the command line, or None where a fork would not be the same."""
    *streams, folder, asked, _ = handles
    with os.fdopen(asked, "rb") as stream:
        stream.seek(0)
        place, umask, count, *rest = stream.read().split(b"\0")
    arguments = list(map(os.fsdecode, rest[: int(count)]))
    said = (entry.partition(b"=") for entry in rest[int(count) :])
    environment = {os.fsdecode(name): os.fsdecode(value) for name, _, value in said if name}
    if os.fsdecode(place) != warm_asking.place():
        return None
    if warm_asker.at_import(environment) != warm_asker.at_import(dict(os.environ)):
        return None
    os.fchdir(folder)
    os.close(folder)
    os.umask(int(umask))
    for number, stream_of in enumerate(streams):
        os.dup2(stream_of, number)
        os.close(stream_of)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _streams()
    return arguments


def _streams() -> None:
    """Give Python's streams their handles, as its start does."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        before = getattr(sys, name)
        buffering = 1 if name == "stderr" or before.write_through or os.isatty(number) else -1
        stream = open(  # noqa: SIM115 - the process's own
            number, mode, buffering, encoding=before.encoding, errors=before.errors, closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _may_begin(handle: int) -> bool:
    with socket.socket(fileno=handle) as line:
        line.settimeout(warm_asking.PATIENCE)
        line.send(warm_asking.READY)
        return line.recv(1) == warm_asking.GO


def _code_of(carry_out: Callable[[], None]) -> int:
    try:
        carry_out()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        sys.stderr.write(f"{error.code}\n")
        return 1
    return 0
