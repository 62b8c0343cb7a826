"""Server processes that outlive whoever starts them: launch, recognise, wait for, stop.

A process is recognised by its id *and* its start time, so that an id which the system has given to
somebody else in the meantime is never signalled.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opslib.errors import OpsError
from opslib.lab.accounts import Account

if TYPE_CHECKING:
    import psutil

SAME_START_SECONDS = 2.0
"""Start times are derived from the boot time, which clock corrections move a little."""

PORTS = range(20_000, 32_000)
"""Below Linux's range for outgoing connections, so that a chosen port is not taken by one of those."""

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "PYTHONPATH")
"""What a server inherits of its starter's environment; above all no credential."""

_children: list[subprocess.Popen[bytes]] = []  # kept, so that a finished child is reaped and not warned about


class LabError(OpsError):
    """A part of the lab could not be started, filled or stopped; quotes the end of its log."""


@dataclass(frozen=True)
class Trace:
    """How to find a process again: its id and when it started (seconds since the epoch)."""

    pid: int
    started: float


def launch(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    account: Account | None = None,
) -> Trace:
    """Start ``command`` in a session of its own, in ``folder``, all output to ``log``.

    The server's environment holds only what it needs: search path, home, locale and ``variables``.
    """
    import psutil

    account = account or Account()
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*account.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**kept, **(variables or {})},
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )
    _children.append(child)
    try:
        return Trace(child.pid, psutil.Process(child.pid).create_time())
    except psutil.NoSuchProcess:
        return Trace(child.pid, time.time())


def find(trace: Trace | None) -> psutil.Process | None:
    """Return the live process of ``trace``, or None when it is gone or its id belongs to another one."""
    import psutil

    if trace is None:
        return None
    for child in _children:
        child.poll()
    try:
        process = psutil.Process(trace.pid)
        if abs(process.create_time() - trace.started) > SAME_START_SECONDS:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def strays(command: Sequence[str], folder: Path) -> list[Trace]:
    """Return the processes of just this command, or of its program, that work inside of ``folder``.

    Whoever started one may have been killed before anybody had written down its id.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if _is(process, command) and Path(process.cwd()).is_relative_to(folder):
                found.append(Trace(process.pid, process.create_time()))
    return found


def _is(process: psutil.Process, command: Sequence[str]) -> bool:
    if process.cmdline()[-len(command) :] == list(command):
        return True
    # Valkey writes a title of its own over its command; of Python programs the interpreter says nothing.
    return command[0] != sys.executable and process.exe() == str(Path(command[0]).resolve())


def listens(trace: Trace, port: int) -> bool:
    """Tell whether this very process accepts connections on ``port``; another one's port is no answer."""
    import psutil

    process = find(trace)
    if process is None:
        return False
    with suppress(psutil.Error):
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections("tcp"))
    return False


def await_ready(trace: Trace, ready: Callable[[], bool], name: str, log: Path, seconds: float = 30.0) -> None:
    """Wait until ``ready`` says so; raises LabError when the process ends before, or takes too long."""
    end = time.monotonic() + seconds
    pause = 0.02
    while not ready():
        if find(trace) is None:
            raise LabError(f"{name} ended before it was ready. The end of {log}:\n{tail(log)}\n")
        if time.monotonic() > end:
            raise LabError(f"{name} was not ready after {seconds:g} s. The end of {log}:\n{tail(log)}\n")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


LAST_SECONDS = 60.0
"""How long a killed process is waited for."""


def stop(trace: Trace | None, polite: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> None:
    """Stop the process and all it started: ``polite`` first, then SIGKILL for whatever is left."""
    import psutil

    process = find(trace)
    if process is None:
        return
    family = [process]
    with suppress(psutil.NoSuchProcess):
        family += process.children(recursive=True)
        process.send_signal(polite)
        # What was frozen hears nothing until it goes on.
        for member in family:
            member.resume()
    _await_end([process], seconds)
    # A server's own children end with it, a moment later; only a stuck one needs the hard way.
    survivors = _await_end(family, 1.0)
    for survivor in survivors:
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    # Giving gigabytes back takes the system a while on a busy machine.
    _await_end(survivors, LAST_SECONDS)


def _await_end(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended, zombies included; return those that have not."""
    end = time.monotonic() + seconds
    while (left := [process for process in processes if not _ended(process)]) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def _ended(process: psutil.Process) -> bool:
    # is_running compares start times; a zombie waits only for its parent, which may be slow to look.
    import psutil

    for child in _children:
        child.poll()
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, indented; for an error's message."""
    with suppress(OSError):
        found = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:]
        return "\n".join(f"    {line}" for line in found) or "    (empty)"
    return "    (no log)"


def free_port(taken: set[int]) -> int:
    """Return a loopback port that nobody listens on and that is not in ``taken``, and add it there."""
    for _ in range(200):
        port = random.choice(PORTS)
        if port in taken:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            taken.add(port)
            return port
    raise LabError("No free port was found on 127.0.0.1.", "Look at what listens there: ss -ltn")
