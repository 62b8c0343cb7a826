"""Kernels that are forked from a process with everything imported: for a process that carries out many runs.

Switched on by :func:`keep_warm`, for this process. One run alone gains nothing by it, for the imports are made either
way. Without it, or where it can't be (not Linux, another Python path than the kernel's), kernels are started.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from opslib.headless.kernel_zygote import LOOKS
from opslib.warm_ahead import FORK, MARK, PLAIN, ROOM

AT_IMPORT = ("PYTHONPATH", "LANG", "LC_ALL", "SSL_CERT_FILE")
"""What libraries have read by the time of the fork: a kernel that is to have another value is started."""

START_SECONDS = 60.0


class Zygote:
    """The process that kernels are forked from, as its runner holds it; started with the first of them."""

    imports = False
    """Whether it goes on to import what a notebook needs until it is asked."""

    def __init__(self, *, looks: bool = False) -> None:
        """``looks``: no notebook takes a step or needs a kernel, so that less is imported; one that does is started."""
        self._looks = looks
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._coming: socket.socket | None = None
        self._environment = {name: os.environ[name] for name in PLAIN if name in os.environ}
        self._lock = threading.Lock()

    def ask(
        self,
        user: str,
        kernel: list[str] | None,
        env: Mapping[str, str],
        cwd: str,
        leash: int,
        *line: int,
        addresses: Mapping[str, Any] | None = None,
    ) -> int | None:
        """Ask for a new kernel's guardian; :meth:`taken` returns it. None where this kernel must be started instead.

        ``kernel`` are ipykernel's arguments; None for a process that executes cells without it, on ``line``. With
        ``addresses`` it is a kernel that stands by there until it is told on ``line`` whose it is.
        """
        if self._looks and kernel is not None:
            return None
        if any(env.get(name) != self._environment.get(name) for name in AT_IMPORT):
            return None
        if len(env.get(MARK, "")) > ROOM:
            return None
        asked = {"user": user, "kernel": kernel, "env": dict(env), "cwd": cwd, "addresses": addresses}
        with self._lock:
            if not self._started():
                return None
            told, say = os.pipe()
            try:
                with os.fdopen(os.memfd_create("kernel"), "w+b") as question:
                    question.write(json.dumps(asked).encode())
                    question.seek(0)
                    socket.send_fds(self._line, [FORK], [leash, say, question.fileno(), *line])  # type: ignore[arg-type]
            except OSError:  # it is gone; the next kernel gets another
                os.close(told)
                self._end()
                return None
            finally:
                os.close(say)
        return told

    def taken(self, told: int | None) -> Forked | None:
        """Return the guardian that was asked for and says its number on ``told``; None where none was, or came."""
        return None if told is None else Forked.of(told)

    def begin(self) -> None:
        """Let it begin its imports where it isn't there; :meth:`start` waits for their end."""
        with self._lock:
            if self._process is None:
                self._begin()

    def start(self) -> bool:
        """Start it where it isn't there; False where it can't be. Processes that are forked afterwards share it."""
        with self._lock:
            return self._started()

    def close(self) -> None:
        """End it; kernels that were forked from it go on."""
        with self._lock:
            self._end()

    def _begin(self) -> None:
        self._coming, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own = {MARK: " " * ROOM, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "opslib.headless.kernel_zygote", *([LOOKS] if self._looks else [])],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment | own,
            start_new_session=True,
        )
        theirs.close()

    def _started(self) -> bool:
        if self._line is not None:
            return True
        if self._process is None:
            self._begin()
        if self._coming is not None:
            self._coming.settimeout(START_SECONDS)
            with suppress(OSError):
                if self._coming.recv(16) == b"ready":
                    self._coming.settimeout(None)
                    self._line, self._coming = self._coming, None
                    return True
        self._end()
        return False

    def _end(self) -> None:
        for line in (self._line, self._coming):
            if line:
                line.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._line = self._coming = self._process = None


class Forked:
    """A guardian that this process did not start itself: what a ``subprocess.Popen`` is for one that it did."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._handle = os.pidfd_open(pid)

    @classmethod
    def of(cls, told: int) -> Forked | None:
        """Return the guardian that says its number on the pipe ``told``; None where it never came so far."""
        said = b""
        while not said.endswith(b"\n"):
            piece = os.read(told, 1)
            if not piece:
                os.close(told)
                return None
            said += piece
        try:
            return cls(int(said), told)
        except ProcessLookupError:
            os.close(told)
            return None

    def poll(self) -> int | None:
        """Return its exit code, or None while it lives."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has said how its kernel ended, and has nothing more to do; raises subprocess.TimeoutExpired."""
        if (code := self._look(None if timeout is None else timeout * 1000)) is None:
            raise subprocess.TimeoutExpired("the kernel's guardian", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """End it."""
        self.send_signal(signal.SIGTERM)

    def _look(self, milliseconds: float | None) -> int | None:
        if self.returncode is None:
            ends = select.poll()
            # What it says comes last: until all of its memory is given back, nobody need wait.
            for number in (self._handle, self._told):
                ends.register(number, select.POLLIN)
            if ends.poll(milliseconds):
                said = os.read(self._told, 64).strip()
                # Killed, it could say nothing.
                self.returncode = int(said) if said else -signal.SIGKILL
                os.close(self._handle)
                os.close(self._told)
        return self.returncode


_kept: Zygote | None = None


def kept() -> Zygote | None:
    """Return what this process forks its kernels from, or None where it starts them."""
    return _kept


@contextmanager
def keep_warm(zygote: Zygote | None = None, *, looks: bool = False) -> Iterator[None]:
    """Fork the kernels of all runs inside from one zygote where that is possible.

    It is this one; else the one that is kept already, around this; else one of its own, which ends with the block;
    ``looks`` as that one has it.
    """
    global _kept
    if sys.platform != "linux":
        yield
        return
    before, own = _kept, None if zygote or _kept else Zygote(looks=looks)
    _kept = zygote or _kept or own
    try:
        yield
    finally:
        if own:
            own.close()
        _kept = before


def launched(provisioner: Any, process: Forked, cwd: str) -> Any:
    """Give jupyter_client's provisioner the process, as if it had started it; returns the connection's description."""
    provisioner.process, provisioner.pid, provisioner.pgid, provisioner.cwd = process, process.pid, process.pid, cwd
    return provisioner.connection_info
