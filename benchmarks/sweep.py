"""All diagnostics against a real lab, to sealed reports: at once by ``ops run --all``, and one by one by the peers.

The peers execute the same notebooks in the same lab. Their cells do the same work, and open their runs themselves; the
executor that seals a run afterwards is not waited for. What nobody can go below is told beside each figure: the cells'
own seconds, as our runs' journals have them, over as many runs as go side by side.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import BIN, ROOT, NotMeasured, Place, Ratio, Spent, median
from opslib.headless import sweep

ROWS = 20_000
VERDICTS = (0, 1, 2, 3)
"""Exit codes of runs that came to their end."""

LIMIT = 1800.0
"""Seconds that one side may take."""


def figures(place: Place) -> list[Ratio]:
    """Our sweep to each way of the peers', in turn; minutes a round."""
    names = [notebook.path.stem for notebook in sweep.chosen("diagnostics")]
    with _lab(place) as environment:
        peers = _Peers(place, environment)
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda: _ours(place, environment),
            "sequence": lambda: [peers.both(name, BIN) for name in names],
            "without": lambda: [peers.both(name, peers.without) for name in names],
            "execute": lambda: peers.two_at_a_time(names),
        }
        peers.executed(names[0])  # what is read or compiled once counts for nobody
        found: dict[str, list[Spent]] = {name: [] for name in sides}
        for _ in range(place.rounds):
            for name, side in sides.items():
                found[name].append(spent := _spent(side))
                sys.stderr.write(f"sweep, {name}: {spent.wall:.1f} s\n")  # a round is long, and may be broken off
        cells, longest = _cells(Path(environment["OPS_ARCHIVE"]))
    ours = median(found["ours"])
    floor = max(cells / sweep.cores(), longest)
    rows = (
        ("to papermill and nbconvert in sequence", 1 / 40, "sequence"),
        ("to both in an environment without jupyterlab", 1 / 20, "without"),
        ("to nbconvert --execute, two at a time", 1 / 10, "execute"),
    )
    return [_told(what, most, ours, median(found[name]), cells, floor) for what, most, name in rows]


def _told(what: str, most: float, ours: Spent, peer: Spent, cells: float, floor: float) -> Ratio:
    seconds = f"{ours.wall:.1f} s to {peer.wall:.1f} s (CPU {ours.cpu:.1f} to {peer.cpu:.1f})"
    least = f"cells alone {cells:.1f} s, {floor:.1f} s side by side: no less than {floor / peer.wall:.3f}"
    return Ratio(what, ours.wall / peer.wall, most, f"{seconds}; {least}")


def _ours(place: Place, environment: Mapping[str, str]) -> None:
    place.spent([BIN / "ops", "run", "--all", "diagnostics"], VERDICTS, environment, LIMIT)


class _Peers:
    """papermill and nbconvert on the project's notebooks, in the lab of ``environment``."""

    def __init__(self, place: Place, environment: Mapping[str, str]) -> None:
        self.place, self._environment = place, environment
        self.without = _without_jupyterlab()

    def both(self, name: str, programs: Path) -> None:
        """Execute a notebook with papermill, and make a page of it with nbconvert."""
        out = self.place.folder / f"{name}.ipynb"
        quiet = ["--no-progress-bar", "--log-level", "ERROR"]
        self._spent(name, programs / "papermill", *quiet, _notebook(name), out)
        self._spent(name, programs / "jupyter-nbconvert", "--to", "html", "--log-level", "ERROR", out)

    def executed(self, name: str) -> None:
        """Execute a notebook and make its page, with nbconvert alone."""
        more = ["--execute", "--to", "html", "--log-level", "ERROR", "--output-dir", self.place.folder]
        self._spent(name, BIN / "jupyter-nbconvert", *more, _notebook(name))

    def two_at_a_time(self, names: list[str]) -> None:
        """Execute all of them so."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self.executed, names))

    def _spent(self, name: str, *command: object) -> None:
        # By this name its executor finds the notebook, as in JupyterLab.
        own = {**self._environment, "JPY_SESSION_NAME": f"notebooks/diagnostics/{name}.ipynb"}
        own["OPS_ARCHIVE"] = str(self.place.folder / "peers-archive")
        self.place.spent(command, environment=own)


def _notebook(name: str) -> Path:
    return ROOT / "notebooks" / "diagnostics" / f"{name}.ipynb"


def _spent(act: Callable[[], object]) -> Spent:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    act()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@contextmanager
def _lab(place: Place) -> Iterator[dict[str, str]]:
    """Have a lab of its own in the block; gives the environment that leads to it, and to an archive."""
    place.folder.chmod(0o711)  # where root has no user namespaces its PostgreSQL is another user, who passes
    own = {"OPS_LAB": place.folder / "swept-lab", "OPS_ARCHIVE": place.folder / "swept", "LAB_LOAD_PER_SECOND": 0}
    environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
    try:
        place.spent([BIN / "ops", "lab", "up", "--rows", ROWS], environment=environment, limit=LIMIT)
        yield environment
    finally:
        place.spent([BIN / "ops", "lab", "down"], environment=environment)


def _without_jupyterlab() -> Path:
    """The programs of an environment with this package, papermill and nbconvert, and without the extra for people."""
    folder = ROOT / ".venv" / "benchmark-sweep"
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    lock = (ROOT / "uv.lock").read_text().partition('name = "nbconvert"\nversion = "')[2].partition('"')[0]
    commands = (
        [BIN / "uv", "sync", "--frozen", "--no-dev", "--extra", "lab", "--quiet"],
        [BIN / "uv", "pip", "install", "-q", "-p", folder, f"nbconvert=={lock}"],
    )
    for command in commands:
        if subprocess.run(list(map(str, command)), env=environment, cwd=ROOT, check=False).returncode:
            raise NotMeasured("the environment without jupyterlab could not be made (no package index?)")
    return folder / "bin"


def _cells(archive: Path) -> tuple[float, float]:
    """Return the seconds of all cells of a sweep, and of the notebook with the most, as medians over the sweeps."""
    took: dict[str, list[float]] = {}
    for path in sorted((archive / "runs").glob("*/journal.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        name = json.loads((path.parent / "run.json").read_text())["notebook"]
        took.setdefault(name, []).append(
            sum(line.get("seconds") or 0.0 for line in lines if line["event"] == "cell-finished")
        )
    each = [sorted(seconds)[len(seconds) // 2] for seconds in took.values()]
    return sum(each), max(each)
