"""Processes forked from one that has loaded the libraries, each with a copy of the project, for tools.mutants."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.reach import Chosen


@dataclass
class Running:
    """A process under way in a copy of the project."""

    pid: int
    place: Path
    until: float
    done: Callable[[int], None]


def run(paths: Sequence[str], plugin: object, place: Path) -> int:
    """Run tests within this process, in a copy of the project; returns pytest's exit code."""
    os.chdir(place)
    sys.path.insert(0, str(place))
    scratch = place.with_name(f"{place.name}-scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    # Where root has no user namespaces, PostgreSQL runs as nobody, who must be able to pass.
    scratch.mkdir(mode=0o711)
    os.environ |= {"OPSLIB_TESTS": str(scratch), "TMPDIR": str(scratch), "OPS_LOCKS": str(scratch / "locks")}
    tempfile.tempdir = None
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *paths], plugins=[plugin]))


def forked(act: Callable[[], int], said: Path) -> int:
    """Start ``act`` in a process and a session of its own, whose output goes to a file."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        with said.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = act()
    finally:
        sys.stdout.flush()
        os._exit(code)


def killed(pid: int) -> bool:
    """Kill a process that was forked here, and all that it has started; true."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return True


class Pool:
    """Some copies of the project, in each of which one process runs at a time."""

    def __init__(self, first: Path, size: int) -> None:
        self._free = [first, *(first.with_name(f"{first.name}-{number}") for number in range(1, size))]
        for place in self._free[1:]:
            shutil.copytree(first, place)
        self._running: list[Running] = []

    def start(
        self, sources: dict[str, str], paths: Sequence[str], tests: Sequence[str], limit: float, done: Any
    ) -> None:
        """Run the tests with other sources once a copy is free; ``done`` hears pytest's exit code, -9 for a hang."""
        while not self._free:
            self._look()
        place = self._free.pop()

        def act() -> int:
            # What a mutant is compiled to must not be found by the next one.
            sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
            for module, source in sources.items():
                shutil.copy2(place / module, place / f"{module}.kept")
                (place / module).write_text(source)
            return run(paths, Chosen(tests), place)

        pid = forked(act, place.with_name(f"{place.name}.txt"))
        self._running.append(Running(pid, place, time.monotonic() + limit, done))

    def said(self) -> str:
        """Return what the last process printed."""
        return self._free[-1].with_name(f"{self._free[-1].name}.txt").read_text()

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self._look()

    def _look(self) -> None:
        time.sleep(0.01)
        for one in list(self._running):
            late = time.monotonic() > one.until
            pid, status = os.waitpid(one.pid, 0 if late and killed(one.pid) else os.WNOHANG)
            if pid:
                killed(one.pid)
                for kept in one.place.glob("opslib/**/*.py.kept"):
                    kept.replace(kept.with_suffix(""))
                self._running.remove(one)
                self._free.append(one.place)
                one.done(os.waitstatus_to_exitcode(status))

    def stop(self) -> None:
        """Leave no process behind."""
        for one in self._running:
            killed(one.pid)
