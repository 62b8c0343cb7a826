"""Many notebooks at once, each a run of its own: so many side by side, each in a process forked for it.

As many as there are cores, where nobody says how many; and one more, up to twice as many, where a core has had nothing
to do, for a run also waits: for windows that are watched, for pages that come to rest, for answers.

The process that forks has imported what a run needs and holds no description of a target, no secret and no thread: each
run reads the description for itself, after the fork, and shares nothing with the others. Where it can't be (not Linux),
they are run one after another. Only notebooks that change nothing: what changes something is planned and looked at.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from opslib import settings, settings_part
from opslib.archive.store import Archive
from opslib.errors import ExitCode, OpsError, UsageError
from opslib.headless import archive_probes as archive_probes  # before any fork, for all of them
from opslib.headless import kernel_warm, kernel_zygote, meanwhile, notebooks, origin, runner
from opslib.headless import shell_engine as shell_engine
from opslib.headless.notebooks import Notebook

PR_SET_PDEATHSIG = 1
MOST = 32
"""Runs at once at most."""

LOOK = 0.5
"""Seconds over which the cores are looked at before one run more than there are cores begins."""

SPARE = 0.6
"""Cores that must have had nothing to do in that time."""

LOOKED = 200
"""Newest runs of the archive that are looked at for how long a notebook takes."""

SURVEY = b".survey("
"""What a notebook's file has that looks at many checks at once: such a one takes long."""

WORST = (0, 1, 3, 2, 4, 5, 64)
"""Exit codes of runs, the worst last."""

Result = dict[str, Any]
Tell = Callable[[Result], None]


@dataclass
class _Running:
    notebook: str
    said: int
    watched: int
    """A handle that can be read once the process has ended; -1 where the system has none (before Linux 5.3)."""


def chosen(folder: str) -> list[Notebook]:
    """Return the notebooks in a folder such as ``diagnostics``; raises UsageError where one of them isn't for this."""
    found = [one for one in notebooks.everything() if one.name.startswith(f"{folder.strip('/')}/")]
    if not found:
        raise UsageError(f"There are no notebooks in {folder!r}.", "See them with: ops list")
    if changing := [one.name for one in found if notebooks.takes_steps(one)]:
        raise UsageError(f"--all is for notebooks that change nothing, not for {', '.join(changing)}.", "Plan each.")
    if asking := [one.name for one in found if any(parameter.required for parameter in one.parameters)]:
        raise UsageError(f"{', '.join(asking)} must be told something.", "Run each by itself: ops run NOTEBOOK -p …")
    return found


LATE = ("cryptography.hazmat.primitives.serialization", "dotenv.main", "httpx", "httpcore", "psycopg")
"""What a run imports by itself."""


def sweep(
    wanted: Iterable[Notebook], environment: str, archive: Path, at_once: int | None, tell: Tell = lambda result: None
) -> list[Result]:
    """Run the notebooks, at most ``at_once`` side by side, and return their results in order.

    None: as many as there are cores, and up to twice as many while these have nothing to do.

    A result is that of :func:`opslib.headless.runner.run`, or says in ``error`` why there was no run. Raises UsageError
    for a number that is not possible, and KeyboardInterrupt when all that was going on has been stopped and sealed.
    """
    if at_once is not None and not 1 <= at_once <= MOST:
        raise UsageError(f"{at_once} runs at once are not possible.", f"1 to {MOST} are.")
    wanted = list(wanted)
    names = [one.name for one in wanted]
    if sys.platform != "linux":
        return [_told(tell, _run(name, environment, archive)) for name in names]
    # Notebooks that change nothing: their processes need no action, and here no kernel.
    with kernel_warm.keep_warm(looks=True):
        if (zygote := kernel_warm.kept()) is not None:
            zygote.begin()  # it imports while this process does
        prepare()
        if zygote is not None:
            zygote.start()
        surveys = {one.name: one.path.read_bytes().count(SURVEY) for one in wanted}
        first = longest_first(names, environment, archive, surveys)
        results = _side_by_side(first, environment, archive, at_once, tell)
    return [results[name] for name in names]


def cores() -> int:
    """Return how many runs go side by side where nobody says how many: the cores that this process may use."""
    return min(MOST, len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)


def worst(results: Sequence[Result]) -> int:
    """Return the exit code of all: the worst that one of them has."""
    codes = [int(one["exit_code"]) for one in results]
    return max(codes, key=lambda code: WORST.index(code) if code in WORST else len(WORST), default=0)


def prepare() -> None:
    """Import and compile, once for all of the forks, what each would at its first need."""
    gc.disable()  # no garbage is looked for among what is imported: all of it stays
    kernel_zygote.import_all(("opslib.probes", "opslib.systems"))
    for name in LATE:
        importlib.import_module(name)
    kernel_zygote.prepare()
    settings_part.prepare(settings.Settings)
    meanwhile.prepare()
    origin.code_sha256()
    origin.versions()
    # What is there by now is never looked through for garbage: that would copy all of it into each fork.
    gc.collect()
    gc.freeze()
    gc.enable()


def longest_first(
    names: Sequence[str], environment: str, archive: Path, surveys: Mapping[str, int] = MappingProxyType({})
) -> list[str]:
    """Return the names, what took longest in its newest run first: begun last, it would be waited for alone.

    What the archive's newest runs on this environment don't know may take any time, and comes before all; among these
    what makes most ``surveys`` of many checks.
    """
    took: dict[str, float] = {}
    for one in Archive(archive).runs(LOOKED):
        if one.environment == environment and one.seconds is not None:
            took.setdefault(one.notebook, one.seconds)
    return sorted(names, key=lambda name: (-took.get(name, float("inf")), -surveys.get(name, 0)))


class Idle:
    """How much of this process's cores nobody has used since they were last asked about (proc(5), stat)."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat, self._own = stat, {f"cpu{number}" for number in os.sched_getaffinity(0)}
        self._ticks, self._since = self._now(), time.monotonic()

    def cores(self) -> float:
        """Return how many of them were idle, on average, since the last time."""
        before, since = self._ticks, self._since
        self._ticks, self._since = self._now(), time.monotonic()
        return (self._ticks - before) / os.sysconf("SC_CLK_TCK") / max(self._since - since, 1e-3)

    def _now(self) -> int:
        # What waits for a disk is no work of the core's.
        lines = (line.split() for line in self._stat.read_text().splitlines())
        return sum(int(line[4]) + int(line[5]) for line in lines if line and line[0] in self._own)


def _side_by_side(
    names: Sequence[str], environment: str, archive: Path, at_once: int | None, tell: Tell, idle: Idle | None = None
) -> dict[str, Result]:
    left = list(names)
    running, results = dict[int, _Running](), dict[str, Result]()
    room = at_once or cores()
    most, idle = at_once or min(MOST, 2 * room), idle or Idle()
    try:
        while left or running:
            while left and len(running) < room:
                running.update([_fork(left.pop(0), environment, archive)])
            while left and len(running) < most and not _one_ended(running):
                if idle.cores() >= SPARE:
                    running.update([_fork(left.pop(0), environment, archive)])
            name, result = _next(running)
            results[name] = _told(tell, result)
    except BaseException:
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while running:
            _next(running)
        raise
    return results


def _fork(name: str, environment: str, archive: Path) -> tuple[int, _Running]:
    tasks = len(list(Path("/proc/self/task").iterdir()))
    if tasks != 1:
        raise RuntimeError(f"{tasks} threads: a fork would lose them")
    said, parent = os.memfd_create("result"), os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    if (pid := os.fork()) == 0:
        _be(name, environment, archive, said, parent)
    try:
        watched = os.pidfd_open(pid)
    except OSError:
        watched = -1
    return pid, _Running(name, said, watched)


def _be(name: str, environment: str, archive: Path, said: int, parent: int) -> NoReturn:
    """Be the process of one run, and say what came of it on ``said``."""
    try:
        # A run whose sweep is gone is stopped, and sealed as interrupted.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() == parent:
            os.write(said, json.dumps(_run(name, environment, archive)).encode())
    except BaseException as error:
        os.write(said, json.dumps(_none(name, f"{type(error).__name__}: {error}", ExitCode.FAILED)).encode())
    finally:
        os._exit(0)


def _run(name: str, environment: str, archive: Path) -> Result:
    try:
        return runner.run(name, (), environment, archive)
    except OpsError as error:
        return _none(name, str(error), error.exit_code)


def _one_ended(running: Mapping[int, _Running]) -> bool:
    """Wait for one to end, for a while; also True where that can't be seen, so that nothing more begins before."""
    ends = select.poll()
    for one in running.values():
        if one.watched < 0:
            return True
        ends.register(one.watched, select.POLLIN)
    return bool(ends.poll(LOOK * 1000))


def _next(running: dict[int, _Running]) -> tuple[str, Result]:
    """Wait for the next run that ends; returns its notebook and result."""
    pid = -1
    while pid not in running:  # a zygote may end as well
        pid, _ = os.wait()
    one = running.pop(pid)
    if one.watched >= 0:
        os.close(one.watched)
    with os.fdopen(one.said, "rb") as stream:
        stream.seek(0)
        data = stream.read()
    return one.notebook, json.loads(data) if data else _none(one.notebook, "its process was killed", ExitCode.FAILED)


def _none(name: str, why: str, code: int) -> Result:
    return {"notebook": name, "error": why, "exit_code": int(code)}


def _told(tell: Tell, result: Result) -> Result:
    tell(result)
    return result
