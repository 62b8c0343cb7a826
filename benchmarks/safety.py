"""What safety takes of a warm run: redaction, the chain of the journal, flushes to the disk, the secrets gate, the log.

The project's own functions are timed as they run, in the process of a run, by wrapping them from here: nothing is
switched off, so what is told is what is paid. Each second counts once, for the innermost of them. They may wait while
other work goes on, so their share of the wall is an upper bound.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import BIN, ROOT, NotMeasured, Place, Ratio

MOST = 0.1
EMPTY, SMALL = "empty", "small"
NOTEBOOKS = {
    EMPTY: ["1 + 1"],
    SMALL: [
        *("import sqlite3", "import httpx", "import boto3", "import psycopg"),
        "for number in range(200):\n    print('line', number)",
        "{n: n * n for n in range(200)}",
        "import time\ntime.sleep(0.5)",
    ],
}
"""A run with nothing in it, where safety weighs most, and one with imports, some output and half a second's wait."""


def figures(place: Place) -> list[Ratio]:
    """The share of safety's seconds in the wall of a warm run, for each of the notebooks."""
    for name, cells in NOTEBOOKS.items():
        place.notebook(name, cells)
    command = [str(BIN / "python"), "-m", "benchmarks.safety", str(place.rounds), str(place.folder / "archive")]
    done = subprocess.run(command, env=place.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.strip().rpartition("\n")[2][:160])
    found = json.loads(done.stdout)
    return [_told(name, found[name]) for name in NOTEBOOKS]


def _told(name: str, runs: list[dict[str, dict[str, float]]]) -> Ratio:
    """``runs`` have the seconds and the calls of each part; the part "" is the run itself."""
    share = statistics.median(sum(run["took"].values()) / run["took"][""] - 1 for run in runs)
    parts = {part for run in runs for part in run["took"]}
    took, calls = (
        {part: statistics.median(run[what].get(part, 0.0) for run in runs) for part in parts}
        for what in ("took", "calls")
    )
    wall = took.pop("")
    told = ", ".join(f"{part} {took[part] * 1000:.1f} ms ({calls[part]:.0f})" for part in sorted(took))
    return Ratio(f"share of a warm run, {name}", share, MOST, f"of {wall:.3f} s: {told}")


class Clock:
    """Seconds by part, of functions that call one another in any thread."""

    def __init__(self) -> None:
        self.took: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._lock, self._open = threading.Lock(), threading.local()

    def wrap(self, part: str, owner: Any, name: str) -> None:
        """Have ``owner``'s function timed as this part."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            inside = self._open.__dict__.setdefault("inside", [])
            inside.append(0.0)
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                whole, within = time.perf_counter() - began, inside.pop()
                if inside:
                    inside[-1] += whole
                with self._lock:
                    self.took[part] += whole - within
                    self.calls[part] += 1

        setattr(owner, name, timed)


def timing() -> Clock:
    """Return a clock of everything here that is there for safety."""
    from opslib import redaction, sshsig
    from opslib.archive import log, seal, seal_secrets
    from opslib.headless import runner
    from opslib.runs import gate, journal

    clock = Clock()
    for name in ("text", "begun", "texts", "tree", "leaks", "suspicious"):
        clock.wrap("redaction", redaction.Redactor, name)
    clock.wrap("redaction", runner, "without_secrets")
    clock.wrap("journal", journal.Journal, "append")
    clock.wrap("flushes", os, "fsync")
    clock.wrap("secrets gate and digests", seal, "scan")
    clock.wrap("secrets gate and digests", seal_secrets, "stands")
    clock.wrap("log", log.Log, "append_locked")
    clock.wrap("log", log.Log, "append")
    clock.wrap("signatures", sshsig.Signer, "sign")
    for name in ("allow", "in_order", "as_approved"):
        clock.wrap("approval", gate, name)
    return clock


def main(rounds: int, archive: Path) -> None:
    """Run each notebook so often, warm and timed, and print what each run took, as JSON."""
    from opslib.headless import runner
    from opslib.headless.kernel_warm import keep_warm

    clock, found = timing(), {}
    with keep_warm():
        for name in NOTEBOOKS:
            runs = []
            for _ in range(rounds + 1):
                clock.took.clear()
                clock.calls.clear()
                began = time.perf_counter()
                runner.run(f"diagnostics/{name}", (), "lab", archive)
                took = {"": time.perf_counter() - began, **clock.took}
                runs.append({"took": took, "calls": dict(clock.calls)})
            found[name] = runs[1:]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
