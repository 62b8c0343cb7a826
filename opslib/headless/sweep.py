"""Many notebooks at once, each a run of its own: so many side by side, each in a process forked for it.

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
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
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

LOOKED = 200
"""Newest runs of the archive that are looked at for how long a notebook takes."""

WORST = (0, 1, 3, 2, 4, 5, 64)
"""Exit codes of runs, the worst last."""

Result = dict[str, Any]
Tell = Callable[[Result], None]


@dataclass
class _Running:
    notebook: str
    said: int


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
    wanted: Iterable[Notebook], environment: str, archive: Path, at_once: int, tell: Tell = lambda result: None
) -> list[Result]:
    """Run the notebooks, at most ``at_once`` side by side, and return their results in order.

    A result is that of :func:`opslib.headless.runner.run`, or says in ``error`` why there was no run. Raises UsageError
    for a number that is not possible, and KeyboardInterrupt when all that was going on has been stopped and sealed.
    """
    if not 1 <= at_once <= MOST:
        raise UsageError(f"{at_once} runs at once are not possible.", f"1 to {MOST} are.")
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
        return _side_by_side(names, environment, archive, at_once, tell)


def cores() -> int:
    """Return how many runs go side by side where nobody says how many: the cores that this process may use."""
    return min(MOST, len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)


def worst(results: Sequence[Result]) -> int:
    """Return the exit code of all: the worst that one of them has."""
    codes = [int(one["exit_code"]) for one in results]
    return max(codes, key=lambda code: WORST.index(code) if code in WORST else len(WORST), default=0)


def prepare() -> None:
    """Import and compile, once for all of the forks, what each would at its first need."""
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


def longest_first(names: Sequence[str], environment: str, archive: Path) -> list[str]:
    """Return the names, what took longest in its newest run first: begun last, it would be waited for alone.

    What the archive's newest runs on this environment don't know may take any time, and comes before all.
    """
    took: dict[str, float] = {}
    for one in Archive(archive).runs(LOOKED):
        if one.environment == environment and one.seconds is not None:
            took.setdefault(one.notebook, one.seconds)
    return sorted(names, key=lambda name: -took.get(name, float("inf")))


def _side_by_side(names: Sequence[str], environment: str, archive: Path, at_once: int, tell: Tell) -> list[Result]:
    left = longest_first(names, environment, archive)
    running, results = dict[int, _Running](), dict[str, Result]()
    try:
        while left or running:
            while left and len(running) < at_once:
                name = left.pop(0)
                running.update([_fork(name, environment, archive)])
            name, result = _next(running)
            results[name] = _told(tell, result)
    except BaseException:
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while running:
            _next(running)
        raise
    return [results[name] for name in names]


def _fork(name: str, environment: str, archive: Path) -> tuple[int, _Running]:
    tasks = len(list(Path("/proc/self/task").iterdir()))
    if tasks != 1:
        raise RuntimeError(f"{tasks} threads: a fork would lose them")
    said, parent = os.memfd_create("result"), os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    if (pid := os.fork()) == 0:
        _be(name, environment, archive, said, parent)
    return pid, _Running(name, said)


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


def _next(running: dict[int, _Running]) -> tuple[str, Result]:
    """Wait for the next run that ends; returns its notebook and result."""
    pid = -1
    while pid not in running:  # a zygote may end as well
        pid, _ = os.wait()
    one = running.pop(pid)
    with os.fdopen(one.said, "rb") as stream:
        stream.seek(0)
        data = stream.read()
    return one.notebook, json.loads(data) if data else _none(one.notebook, "its process was killed", ExitCode.FAILED)


def _none(name: str, why: str, code: int) -> Result:
    return {"notebook": name, "error": why, "exit_code": int(code)}


def _told(tell: Tell, result: Result) -> Result:
    tell(result)
    return result
