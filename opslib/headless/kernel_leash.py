"""The notebook's process as the runner holds it: under a guardian, on a leash, watched, and ended without fail."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from opslib.headless.cell_log import CellLog
from opslib.headless.kernel_user import Account
from opslib.redaction import Redactor

GUARDIAN = Path(__file__).with_name("kernel_guardian.py")
LINUX = sys.platform == "linux"
PR_SET_DUMPABLE = 4
MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of the kernel at most; a longer one ends that connection, so it can't fill the runner."""

PIECE = 1 << 16
"""Bytes of an environment that are read at once."""

ENDING = 15.0
"""Seconds within which a guardian has ended its tree, else it is killed itself."""

GRACE = 5.0
"""Seconds that an interrupted cell gets to end by itself before its kernel is killed."""

SILENT = 60.0
"""Seconds without a heartbeat after which a kernel is given up: stopped, deaf, or another program by now.

The kernel's heart beats in a thread of its own without Python's lock, also while a cell computes.
"""


class Begun(Protocol):
    """A notebook's process that was asked for before its run was registered."""

    leash: Leash

    def line(self) -> socket.socket:
        """Return the line to it."""

    def close(self) -> None:
        """End it, with everything that it has started; a second time nothing."""


class Session(Protocol):
    """What executing needs of the run that it is for."""

    redactor: Redactor
    private: Path
    account: Account | None
    shown: CellLog
    begun: Begun | None

    def environment(self) -> dict[str, str]:
        """Return the kernel's whole process environment."""

    def cell_started(self, cell: str) -> None:
        """Note that the cell with this id begins."""

    def cell_finished(self, cell: str, status: str) -> list[int]:
        """Note that it ended (``ok`` or ``error``); returns the journal's numbers that belong to it."""


class Ended(Protocol):
    """A guardian, started or forked: what is used of a ``subprocess.Popen``."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; raises subprocess.TimeoutExpired."""

    def send_signal(self, number: int) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """Kill it."""


def hide() -> None:
    """Let no process of the same user look into this one's memory or environment, or trace it (Linux; root can).

    The kernel is such a process where it has no user of its own, and the writing credentials are here.
    """
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


class Leash:
    """A pipe whose end the guardian watches: when this is let go, or this process dies, the kernel's tree ends."""

    def __init__(self) -> None:
        self.end, self._held = os.pipe()
        self.process: Ended | None = None
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Interrupt what the kernel executes, as Ctrl-C does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def alive(self, seconds: float = 0.5) -> bool:
        """Return whether the kernel is still there in so many seconds (its end cuts every line as well)."""
        if self.process is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is None

    def ending(self) -> str:
        """Return how the kernel ended, in words."""
        code = self.process.poll() if self.process else None
        if code is None or code <= 128:
            return f"exit code {code}"
        return f"by {signal.Signals(code - 128).name}" if code - 128 in list(signal.Signals) else f"exit code {code}"

    def let_go(self) -> None:
        """Begin to end the kernel and everything below it."""
        with self._lock:
            for number in (self.end, self._held):
                if number >= 0:
                    os.close(number)
            self.end = self._held = -1

    def close(self, marked: str) -> None:
        """End the kernel's tree and wait for it; then whatever still carries ``marked`` in its environment.

        That second look is for a guardian that the notebook killed, which only a kernel of the same user can.
        """
        self.let_go()
        if self.process:
            try:
                self.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if marked:
            end_marked(marked.encode())


def end_marked(marked: bytes) -> None:
    """Kill every process whose environment holds ``marked``, and wait until none is left."""
    until = time.monotonic() + ENDING
    while (pids := _marked(marked)) and time.monotonic() < until:
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _marked(marked: bytes) -> list[int]:
    found = []
    with suppress(OSError):
        # Names and handles alone: path objects and streams would cost three times what the system does.
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
            said = _environment(f"/proc/{name}/environ")
            if marked in said and marked in said.split(b"\0"):
                found.append(int(name))
    return found


def _environment(path: str) -> bytes:
    """Return what stands there to its end; nothing where it cannot be read, as of a process that has gone."""
    said = b""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return said
    try:
        while piece := os.read(handle, PIECE):
            said += piece
    except OSError:
        pass
    finally:
        os.close(handle)
    return said


class Watch:
    """Looks from outside whether the kernel still lives and keeps its time; ends it when it doesn't.

    ``why`` is empty, or one sentence why the kernel had to be ended (the run has failed then).
    """

    def __init__(self, leash: Leash, *, seconds: float | None, grace: float, silent: float) -> None:
        """``seconds`` is how long one cell may take; interrupted, it gets ``grace`` seconds more before the kernel
        is killed. ``silent`` is for how long a kernel may answer no heartbeat (stopped, replaced, deaf)."""
        self.why = ""
        self.beating: Callable[[], bool] = lambda: True
        self.cut: Callable[[], bool] = lambda: False
        self._leash, self._seconds, self._grace, self._silent = leash, seconds, grace, silent
        self._cell, self._since, self._lock = "", 0.0, threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="kernel-watch", daemon=True)
        self._thread.start()

    def cell(self, name: str) -> None:
        """Note that this cell begins; empty when one has ended."""
        with self._lock:
            self._cell, self._since = name, time.monotonic()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        heard = time.monotonic()
        while not self._over.wait(0.1):
            moment = time.monotonic()
            heard = moment if self.beating() else heard
            with self._lock:
                where, since = self._cell, self._since
            if where and self._seconds and moment - since > self._seconds:
                self.why = f"cell {where} took longer than its limit of {self._seconds:g} s"
                self._leash.interrupt()
                self._over.wait(self._grace)
            elif where and moment - max(heard, since) > self._silent:
                self.why = f"the kernel did not answer for {self._silent:g} s in cell {where}"
            elif self.cut() and self._leash.alive():
                self.why = f"the kernel closed its line, or sent more than {MESSAGE} bytes at once, in cell {where}"
            if self.why:
                # Nothing to end when the runner has already left the kernel.
                return None if self._over.is_set() else self._leash.let_go()
        return None
