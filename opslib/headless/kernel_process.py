"""The kernel's process as the runner holds it: under a guardian, on a leash, watched, and ended without fail."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager
from traitlets import Bool, Instance

from opslib.headless import kernel_warm
from opslib.headless.kernel_user import Account

GUARDIAN = Path(__file__).with_name("kernel_guardian.py")
LINUX = sys.platform == "linux"
PR_SET_DUMPABLE = 4
MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of the kernel at most; a longer one ends that connection, so it can't fill the runner."""

ENDING = 15.0
"""Seconds within which a guardian has ended its tree, else it is killed itself."""


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
        self.process: subprocess.Popen[bytes] | kernel_warm.Forked | None = None
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Interrupt what the kernel executes, as Ctrl-C does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def alive(self) -> bool:
        """Return whether the kernel is still there a moment from now (its end cuts every line as well)."""
        if self.process is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5)
        return self.process.poll() is None

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
            _end_marked(marked.encode())


def _end_marked(marked: bytes) -> None:
    until = time.monotonic() + ENDING
    while (pids := _marked(marked)) and time.monotonic() < until:
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _marked(marked: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if marked in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


class Manager(AsyncKernelManager):
    """jupyter_client's manager, with a guardian between it and the kernel."""

    leash: Leash = Instance(Leash)  # type: ignore[assignment]
    account: Account | None = Instance(Account, default_value=None, allow_none=True)  # type: ignore[assignment]
    whole: bool = Bool(True)  # type: ignore[assignment]

    def client(self, **said: Any) -> Any:
        """Return a client that takes no message of more than :data:`MESSAGE` bytes."""
        client = super().client(**said)
        client.context.setsockopt(zmq.MAXMSGSIZE, MESSAGE)
        return client

    def write_connection_file(self, **said: Any) -> None:
        """Write the file with the kernel's key; it belongs to the kernel's user, if it has one of its own."""
        super().write_connection_file(**said)
        if self.account:
            os.chown(self.connection_file, self.account.uid, self.account.gid)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the guardian's command, which ends in the kernel's."""
        user = f"{self.account.uid}:{self.account.gid}" if self.account else ":" if self.whole else "alone"
        return [sys.executable, "-I", "-S", str(GUARDIAN), user, *super().format_kernel_cmd(extra_arguments)]

    async def _async_launch_kernel(self, kernel_cmd: list[str], **said: Any) -> None:
        if process := self._forked(kernel_cmd, said):
            self._reconcile_connection_info(kernel_warm.launched(self.provisioner, process, said.get("cwd") or "."))
            self.leash.process = process
            return
        # What a kernel writes past its messages is not redacted, so it goes nowhere.
        quiet = {"stdin": self.leash.end, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super()._async_launch_kernel(kernel_cmd, **said, **quiet)
        self.leash.process = getattr(self.provisioner, "process", None)

    def _forked(self, command: list[str], said: dict[str, Any]) -> kernel_warm.Forked | None:
        zygote = kernel_warm.kept()
        start = [sys.executable, "-I", "-S", str(GUARDIAN)]
        user, *kernel = command[len(start) :]
        # Only ipykernel itself is in a zygote; a kernel of another description is started.
        if zygote is None or command[: len(start)] != start or kernel[1:3] != ["-m", "ipykernel_launcher"]:
            return None
        return zygote.fork(user, kernel[3:], said["env"], str(said.get("cwd") or Path.cwd()), self.leash.end)

    async def _async_kill_kernel(self, restart: bool = False) -> None:
        # Not by a signal to the guardian: killed, it could not end what is below it.
        self.leash.let_go()
        if self.provisioner:
            await self.provisioner.wait()


class Line:
    """Tells whether the kernel's line for outputs was cut: closed by the kernel, or by a message that was too long."""

    def __init__(self, client: Any) -> None:
        address = f"inproc://outputs-{id(self)}"
        client.iopub_channel.socket.monitor(address, zmq.EVENT_DISCONNECTED)
        self._events: Any = zmq.Context.shadow(client.context.underlying).socket(zmq.PAIR)
        self._events.connect(address)

    def cut(self) -> bool:
        """Return whether it was."""
        return bool(self._events.poll(0))

    def close(self) -> None:
        """Look no more."""
        self._events.close(linger=0)


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
