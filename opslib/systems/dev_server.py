"""The development server: ``npm run dev`` of the checkout, which outlives the run that starts it, and is found again.

It is known by the work's mark in its environment, by its session, and by when it began, so that a number which the
system has given to somebody else is never signalled. All of that is read from /proc, so it needs Linux. Source: proc(5)
(stat, field 22; environ; net/tcp), guide items ENV-QS-07 and DEP-DEV-02.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import Refused, StepFailed
from opslib.systems import programs

MARK = "OPSLIB_DEVELOPMENT_SERVER"
START_SECONDS = 60.0
END_SECONDS = 10.0
LISTENING = "0A"
_LOOPBACK = ("0100007F", "00000000000000000000000001000000")


@dataclass(frozen=True)
class Server:
    """One process of a server: its number, and its begin in clock ticks since the machine's start."""

    pid: int
    started: int


def find(work: str) -> Server | None:
    """Return the server that this work started and that runs, or None; raises Refused where nobody could tell."""
    members = _members(work)
    return min(members, key=lambda one: (one.started, one.pid), default=None)


def listener(port: int) -> tuple[int | None, bool] | None:
    """Return who listens on ``port`` (None where that is another user's), and whether on this machine only.

    Returns None where nobody does.
    """
    found = _listening(port)
    if not found:
        return None
    inodes = {inode for inode, _ in found}
    for path in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for name in path.iterdir():
                with suppress(OSError):
                    if str(name.readlink()) in {f"socket:[{inode}]" for inode in inodes}:
                        return int(path.parent.name), all(local for _, local in found)
    return None, all(local for _, local in found)


def belongs(pid: int | None, work: str) -> bool:
    """Tell whether a process is one of this work's server."""
    return pid is not None and any(one.pid == pid for one in _members(work))


def start(folder: Path, home: Path, port: int, work: str, tell: Callable[[str], None]) -> Server:
    """Start it, and return once its port answers; raises StepFailed, and then nothing of it runs any more.

    It gets no variable of this process: a search path, a home of its own, its mark. What it says goes to a file of
    mode 0600 in ``home``; it may hold secrets and is copied nowhere.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    log = home / "server.log"
    npm = programs.find("npm")
    given = {
        "PATH": f"{programs.find('node').parent}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "npm_config_userconfig": os.devnull,
        "npm_config_globalconfig": "/nonexistent/npmrc",
        "npm_config_update_notifier": "false",
        "npm_config_cache": str(home / "cache"),
        "NO_COLOR": "1",
        MARK: work,
    }
    arguments = ["run", "dev", "--", "--host", "127.0.0.1", "--port", str(port), "--strictPort"]
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as said:
        child = subprocess.Popen(
            [str(npm), *arguments],
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        _await(child, port, work, log, tell)
    except BaseException:
        stop(work)
        raise
    found = find(work)
    assert found is not None
    return found


def stop(work: str, patience: float = END_SECONDS) -> int:
    """End every process of this work's server, after ``patience`` seconds the hard way; returns how many there were.

    Once it returns, what they held is free again, their port among it.
    """
    first = _members(work)
    with ExitStack() as held:
        handles = [handle for one in first if (handle := _handle(one, held)) is not None]
        _signal(first, signal.SIGTERM)
        left = _await_end(work, first, handles, patience)
        hard = time.monotonic() + END_SECONDS
        while left and time.monotonic() < hard:
            _signal(_members(work), signal.SIGKILL)
            left = _await_end(work, first, handles, 0.05)
    if left:
        raise StepFailed(f"{left} processes of the development server do not end.", f"Look for {MARK}={work}.")
    return len(first)


def _await_end(work: str, first: list[Server], handles: list[int], patience: float) -> int:
    """Return how many of a server's processes are left after at most ``patience`` seconds."""
    until = time.monotonic() + patience
    while (left := max(len(_members(work)), _running(handles))) and time.monotonic() < until:
        _reap(first)
        time.sleep(0.05)
    return left


def _handle(one: Server, held: ExitStack) -> int | None:
    """Return a handle of a process, or None where it is gone."""
    with suppress(OSError, ValueError):
        # The handle stays with the process that it was opened for, whoever gets the number next.
        handle = os.pidfd_open(one.pid)
        held.callback(os.close, handle)
        if _stat(Path("/proc", str(one.pid)))[1] == one.started:
            return handle
    return None


def _running(handles: list[int]) -> int:
    # A process that ends loses its environment before its files: only its handle tells that its port is free.
    return len(handles) - len(select.select(handles, [], [], 0)[0])


def _await(child: subprocess.Popen[bytes], port: int, work: str, log: Path, tell: Callable[[str], None]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if child.poll() is not None:
            raise StepFailed(f"npm run dev ended with {child.returncode} before it answered.", f"Read {log}.")
        found = listener(port)
        if found is not None and belongs(found[0], work):
            return
        tell("waiting for the development server")
        time.sleep(0.1)
    raise StepFailed(f"npm run dev did not listen on {port} within {START_SECONDS:g} s.", f"Read {log}.")


def _members(work: str) -> list[Server]:
    if sys.platform != "linux":
        raise Refused("Processes are told apart by /proc, which this system has not.", "Start it by hand: npm run dev")
    marked = f"{MARK}={work}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError, ValueError):
            if path.stat().st_uid == os.getuid() and marked in path.read_bytes().split(b"\0"):
                state, started = _stat(path.parent)
                if state not in "ZX":
                    found.append(Server(int(path.parent.name), started))
    return found


def _signal(servers: list[Server], number: signal.Signals) -> None:
    with ExitStack() as held:
        for one in servers:
            handle = _handle(one, held)
            if handle is not None:
                with suppress(OSError):
                    signal.pidfd_send_signal(handle, number)


def _reap(servers: list[Server]) -> None:
    for one in servers:
        with suppress(OSError):
            os.waitpid(one.pid, os.WNOHANG)


def _stat(path: Path) -> tuple[str, int]:
    # The name, in brackets, may hold anything; what counts comes after its last bracket.
    parts = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return parts[0], int(parts[19])


def _listening(port: int) -> list[tuple[str, bool]]:
    found = []
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                parts = line.split()
                address, _, number = parts[1].rpartition(":")
                if parts[3] == LISTENING and int(number, 16) == port:
                    found.append((parts[9], address in _LOOPBACK))
    return found
