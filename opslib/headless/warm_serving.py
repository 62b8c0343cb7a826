"""The process that stands by with everything imported and forks one for each run that it is asked for: ``ops warm``.

A program of its own (:mod:`opslib.cli_standing`), started with nothing of any target in its
environment. It has one thread and one process below it, from which notebooks' processes are forked. Who asks is looked
at first (:mod:`opslib.headless.warm_asker`); what is asked is read in the fork only, so what one run may know is in no
other's memory. What a fork has in another way than a fresh process is set right in :mod:`opslib.headless.warm_run`.

A run whose asker is gone is stopped, and sealed as interrupted; so are the runs of a process that was killed. When the
code, the interpreter's packages or the package lock have changed it takes no more, and starts itself anew once the runs
have ended.
"""

from __future__ import annotations

import array
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from opslib import warm_asking
from opslib.headless import kernel_leash, kernel_warm, kernel_zygote, rehearsal, sweep, warm_asker, warm_run
from opslib.headless.warm_code import Code

COMMANDS = ("opslib.headless.agreement", "opslib.headless.runner", "opslib.runs.undoing")
"""What ``ops run`` imports when it runs."""

ENDING = 60.0
"""Seconds that a run whose asker is gone gets to come to its end before its process is killed."""

MOST = 64
"""Askers that have said nothing yet, at most."""

TICK = 1.0


def serve(code: Code, minutes: float, carry_out: Callable[[], None]) -> bool:
    """Import, then serve until nobody has asked for so many minutes; returns whether to start anew.

    ``carry_out`` carries out the command line in ``sys.argv``; ``code`` was made before that was imported.
    """
    lock = _alone()
    if lock is None:
        return False
    with kernel_warm.keep_warm():
        if (zygote := kernel_warm.kept()) is not None:
            zygote.begin()  # it imports while this process does
        for name in COMMANDS:
            importlib.import_module(name)
        sweep.prepare()
        kernel_leash.hide()
        # A busy machine may need more than one try.
        if zygote is None or not (zygote.start() or zygote.start()):
            raise RuntimeError("the process that notebooks' processes are forked from did not start")
        rehearsal.rehearse(carry_out)
        gc.collect()
        gc.freeze()
        kernel_zygote.collapse()
        return Standing(lock, code, minutes * 60, carry_out).serve()


def _alone() -> int | None:
    """Make the folder and return its lock; None where another process stands by."""
    folder = Path(warm_asking.folder())
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not warm_asking.owns(str(folder)):
        raise PermissionError(f"{folder} is not a folder of this user alone")
    path = f"{warm_asking.socket_of(warm_asking.place())}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


@dataclass
class _Run:
    line: socket.socket
    pid: int
    handle: int
    until: float | None = None
    """When it is killed, where its asker is gone."""


class Standing:
    """The process as it serves."""

    def __init__(self, lock: int, code: Code, idle: float, carry_out: Callable[[], None]) -> None:
        self._lock, self._code, self._idle, self._carry_out = lock, code, idle, carry_out
        self._path = warm_asking.socket_of(warm_asking.place())
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        new = Path(f"{self._path}.new")
        new.unlink(missing_ok=True)
        before = os.umask(0o177)
        self._door.bind(str(new))
        os.umask(before)
        self._door.listen(64)
        # It has its name once it listens: who asked in between would be turned away.
        new.replace(self._path)
        self._asking: dict[int, socket.socket] = {}
        self._runs: dict[int, _Run] = {}
        self._ends = select.poll()
        self._ends.register(self._door, select.POLLIN)
        self._open, self._stale, self._since = True, False, time.monotonic()

    def serve(self) -> bool:
        """Serve to the end; returns whether it is to be started anew, as the code has changed."""
        wake, woken = os.pipe()
        for end in (wake, woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)
        self._ends.register(wake, select.POLLIN)
        while self._open or self._runs:
            for end, _ in self._ends.poll(TICK * 1000):
                if end == wake:
                    os.read(wake, 64)
                    self._close()
                elif end == self._door.fileno():
                    self._accept()
                elif end in self._asking:
                    self._asked(self._asking.pop(end))
                else:
                    self._heard(end)
            self._tick()
        signal.set_wakeup_fd(-1)
        for end in (wake, woken):
            os.close(end)
        return self._stale

    def _tick(self) -> None:
        moment = time.monotonic()
        if self._runs or self._asking:
            self._since = moment
        if self._open and moment - self._since > self._idle:
            self._close()
        for run in self._runs.values():
            if run.until is not None and moment > run.until:
                signal.pidfd_send_signal(run.handle, signal.SIGKILL)

    def _close(self) -> None:
        """Take no more; the runs that there are go on to their end."""
        if self._open:
            self._open = False
            Path(self._path).unlink(missing_ok=True)
            self._ends.unregister(self._door)
            self._door.close()
            for line in self._asking.values():
                self._ends.unregister(line)
                line.close()
            self._asking.clear()

    def _accept(self) -> None:
        if len(self._asking) >= MOST:  # who knocks and says nothing holds nobody up
            end = next(iter(self._asking))
            self._ends.unregister(end)
            self._asking.pop(end).close()
        line, _ = self._door.accept()
        line.setblocking(False)
        self._asking[line.fileno()] = line
        self._ends.register(line, select.POLLIN)

    def _asked(self, line: socket.socket) -> None:
        """Read one request, and fork a process for it if it may have one."""
        self._ends.unregister(line)
        handles = array.array("i")
        try:
            said, handles = _received(line)
            if said != warm_asking.ASK or len(handles) != warm_asking.HANDLES:
                return line.close()
            pid, user, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if user != os.getuid() or warm_asker.refused(pid):
                return line.close()
            if self._code.changed():
                self._stale = True
                self._close()
                return line.close()
            self._fork(line, list(handles))
        except OSError:
            line.close()
        finally:
            for handle in handles:
                os.close(handle)
        return None

    def _fork(self, line: socket.socket, handles: list[int]) -> None:
        if (threads := len(os.listdir("/proc/self/task"))) != 1:  # noqa: PTH208
            raise RuntimeError(f"{threads} threads: a fork would lose them")
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            self._be(line, handles, parent)
        run = _Run(line, pid, os.pidfd_open(pid))
        self._runs[line.fileno()] = self._runs[run.handle] = run
        for end in (line.fileno(), run.handle):
            self._ends.register(end, select.POLLIN)

    def _be(self, line: socket.socket, handles: list[int], parent: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            runs = {run.pid: run for run in self._runs.values()}.values()
            for one in (self._door, line, *self._asking.values(), *(run.line for run in runs)):
                one.close()
            for handle in (self._lock, *(run.handle for run in runs)):
                os.close(handle)
            self._code.close()
            warm_run.become(handles, parent, self._carry_out)
        finally:
            os._exit(1)

    def _heard(self, end: int) -> None:
        """Take what a run's asker says, or that the run has ended."""
        run = self._runs.get(end)
        if run is None:
            return
        if end == run.handle:
            _, status = os.waitpid(run.pid, 0)
            with suppress(OSError):
                run.line.send(str(status).encode())
            self._forget(run)
            return
        try:
            said = run.line.recv(16)
        except OSError:
            said = b""
        for number in said:
            if number in warm_asking.FORWARDED:
                signal.pidfd_send_signal(run.handle, number)
        if not said:
            # Its asker is gone: the run is stopped, and sealed.
            self._ends.unregister(end)
            del self._runs[end]
            run.until = time.monotonic() + ENDING
            signal.pidfd_send_signal(run.handle, signal.SIGTERM)

    def _forget(self, run: _Run) -> None:
        for end in (run.line.fileno(), run.handle):
            if self._runs.pop(end, None):
                self._ends.unregister(end)
        run.line.close()
        os.close(run.handle)


def _received(line: socket.socket) -> tuple[bytes, array.array[int]]:
    said, handles, _, _ = socket.recv_fds(line, 16, warm_asking.HANDLES + 1)
    return said, array.array("i", handles)
