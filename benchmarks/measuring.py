"""How a figure is measured: commands in turn, medians, and a place of its own that leads to no target."""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LIMIT = 300.0
"""Seconds that one command may take; a peer that takes longer was not measured."""

TARGET = {
    "OPS_ENVIRONMENT": "lab",
    "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@127.0.0.1:1/valuecanvas",
    "DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas",
    "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/postgres",
    "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET_NAME": "valuecanvas-backups",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "writer-of-nothing",
    "AWS_SECRET_ACCESS_KEY": "secret-of-nothing",
    "OPS_READ_AWS_ACCESS_KEY_ID": "reader-of-nothing",
    "OPS_READ_AWS_SECRET_ACCESS_KEY": "secret-of-reader",
}
"""A description that leads nowhere: what is measured asks no target."""


class NotMeasured(Exception):
    """Why there is no figure."""


@dataclass(frozen=True)
class Ratio:
    """One number: ``value`` is to be at most ``most``; ``of`` says between what."""

    what: str
    value: float
    most: float
    of: str


@dataclass(frozen=True)
class Spent:
    """What one command took."""

    wall: float
    cpu: float


@dataclass
class Place:
    """A folder of one benchmark, with notebooks of its own and a peers' environment made at its first use."""

    folder: Path
    rounds: int
    made: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The process environment of what is measured."""
        lab = self.folder / "lab"
        lab.mkdir()
        (lab / "target.env").write_text("".join(f"{name}={value}\n" for name, value in TARGET.items()))
        own = {"OPS_LAB": lab, "OPS_NOTEBOOKS": self.folder / "notebooks", "OPS_ARCHIVE": self.folder / "archive"}
        return {**os.environ, **{name: str(value) for name, value in own.items()}}

    def notebook(self, name: str, sources: Sequence[str], own: bool = True) -> Path:
        """Write a notebook; with ``own`` one of ours, with its run begun and finished."""
        cells = [("markdown", "what-this-is", f"# {name}\n\nTo be measured.", [])]
        if own:
            parameters = 'environment: str = "lab"  # target: lab, staging or production'
            cells.append(("code", "parameters", parameters, ["parameters"]))
            sources = ["from opslib import begin\n\nrun = begin(environment)", *sources, "run.finish()"]
        cells += [("code", f"cell-{number}", source, []) for number, source in enumerate(sources)]
        path = self.folder / "notebooks" / "diagnostics" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        book = {"cells": [_cell(*cell) for cell in cells], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(book))
        return path

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Inside, runs are asked of a process that stands by (``ops warm``); raises NotMeasured where none comes."""
        before = self.environment.get("XDG_RUNTIME_DIR")
        self.environment["XDG_RUNTIME_DIR"] = str(self.folder)
        quiet: dict[str, int] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([str(BIN / "ops"), "warm"], env=self.environment, cwd=self.folder, **quiet) as process:
            try:
                until = time.monotonic() + LIMIT
                while not any(path.is_socket() for path in self.folder.glob("opslib-warm-*/*")):
                    if time.monotonic() > until or process.poll() is not None:
                        raise NotMeasured("no process stands by")
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()
                del self.environment["XDG_RUNTIME_DIR"]
                self.environment |= {"XDG_RUNTIME_DIR": before} if before else {}

    @cached_property
    def peers(self) -> Path:
        """The programs of an environment without JupyterLab, in the versions of the lock; made once for each lock."""
        wanted = ["papermill", "nbconvert", "nbclient", "ipykernel", "jupyter-client", "httpx", "boto3", "psycopg"]
        lock = (ROOT / "uv.lock").read_text()
        pins = [f"{name}=={found[1]}" for name in wanted if (found := _locked(lock, name))]
        folder = ROOT / ".venv" / "benchmark-peers"
        stamp = folder / "pins"
        if not stamp.exists() or stamp.read_text() != "\n".join(pins):
            uv = BIN / "uv"
            for command in ([uv, "venv", "-q", "--clear", folder], [uv, "pip", "install", "-q", "-p", folder, *pins]):
                if subprocess.run(list(map(str, command)), check=False).returncode:
                    raise NotMeasured("the peers' environment could not be made (no package index?)")
            stamp.write_text("\n".join(pins))
        return folder / "bin"

    def spent(
        self,
        command: Sequence[object],
        codes: Sequence[int] = (0,),
        environment: Mapping[str, str] | None = None,
        limit: float = LIMIT,
    ) -> Spent:
        """Run a command to its end and return what it took; raises NotMeasured where it fails or takes ``limit`` s."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        try:
            done = subprocess.run(
                list(map(str, command)),
                env=self.environment if environment is None else environment,
                cwd=self.folder,
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotMeasured(f"{Path(str(command[0])).name}: {type(error).__name__}") from error
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in codes:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:160]
            # The history is kept: no folder of this machine stands in it.
            said = " ".join([Path(str(command[0])).name, *map(str, command[1:])])
            raise NotMeasured(f"{said[:80]} ended with {done.returncode}: {last}")
        return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    def alternating(self, sides: Mapping[str, Callable[[], Spent]]) -> dict[str, Spent]:
        """Return the medians of the sides, each measured once a round after a first time that does not count."""
        found: dict[str, list[Spent]] = {name: [] for name in sides}
        for number in range(self.rounds + 1):
            for name, side in sides.items():
                spent = side()
                if number:
                    found[name].append(spent)
        return {name: median(all_) for name, all_ in found.items()}


@dataclass(frozen=True)
class Figure:
    """One of the figures: ``says`` is what is to be reached, in words."""

    name: str
    says: str
    measure: Callable[[Place], list[Ratio]]


def median(found: Sequence[Spent]) -> Spent:
    """Return the medians of wall and CPU."""
    return Spent(statistics.median(one.wall for one in found), statistics.median(one.cpu for one in found))


def ratio(what: str, most: float, ours: Spent, peer: Spent, names: str) -> Ratio:
    """Return the ratio of two walls, with both, and both CPU seconds, told."""
    seconds = f"{names}: {ours.wall:.2f} s to {peer.wall:.2f} s (CPU {ours.cpu:.2f} to {peer.cpu:.2f})"
    return Ratio(what, ours.wall / peer.wall, most, seconds)


def _cell(kind: str, name: str, source: str, tags: list[str]) -> dict[str, object]:
    cell: dict[str, object] = {"cell_type": kind, "id": name, "metadata": {"tags": tags}, "source": source}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _locked(lock: str, name: str) -> re.Match[str] | None:
    return re.search(rf'^name = "{name}"\nversion = "([^"]+)"', lock, re.MULTILINE)
