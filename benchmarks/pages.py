"""The page of a run, beside nbconvert's of the same notebook: time, size, and what it asks the world for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measuring import BIN, Place, Ratio, Spent
from opslib.archive import report_cells, report_code
from opslib.archive.report import render

IMPORTS = ("import sqlite3", "import httpx", "import boto3", "import psycopg")
MOST = 1 / 15
GROWING = (100, 400)
"""Cells, each with 2 KB of output."""


def figures(place: Place) -> list[Ratio]:
    """A page of a small notebook to HTMLExporter's, and pages of few and many cells."""
    from nbconvert import HTMLExporter

    folder = _ran(place, "shown", [*IMPORTS, "print('x' * 200)", "{n: n * n for n in range(50)}"])
    few, many = (_ran(place, f"shown-{n}", ["print('x' * 2000)"] * n) for n in GROWING)
    exporter, book = HTMLExporter(), str(folder / "notebook.ipynb")
    found = place.alternating(
        {
            "new": lambda: _timed(lambda: render(folder), _forget),
            "again": lambda: _timed(lambda: render(folder)),
            "peer": lambda: _timed(lambda: exporter.from_filename(book)),
            "few": lambda: _timed(lambda: render(few), _forget),
            "many": lambda: _timed(lambda: render(many), _forget),
        }
    )
    ours, theirs = render(folder), exporter.from_filename(book)[0]
    sizes = len(render(many)) / len(render(few))
    outside = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", ours)
    return [
        _cpu("time to HTMLExporter's, its cells new", MOST, found["new"], found["peer"]),
        _cpu("time to HTMLExporter's, its cells met before", MOST, found["again"], found["peer"]),
        _cpu(f"{GROWING[1]} cells to {GROWING[0]}, {sizes:.2f} times the size", 4.3, found["many"], found["few"]),
        Ratio("size to HTMLExporter's", len(ours) / len(theirs), 1 / 5, f"{len(ours)} to {len(theirs)} characters"),
        Ratio("external references", len(outside), 0, "in the page"),
        Ratio("scripts", ours.count("<script"), 0, "in the page"),
    ]


def _cpu(what: str, most: float, ours: Spent, peer: Spent) -> Ratio:
    # Milliseconds of one process that waits for nothing: of its wall, a busy machine takes more than it itself.
    milliseconds = ", ".join(
        f"{name} {mine * 1000:.1f} to {theirs * 1000:.1f} ms"
        for name, mine, theirs in (("CPU", ours.cpu, peer.cpu), ("wall", ours.wall, peer.wall))
    )
    return Ratio(what, ours.cpu / peer.cpu, most, milliseconds)


def _ran(place: Place, name: str, sources: Sequence[str]) -> Path:
    place.notebook(name, sources)
    place.spent([BIN / "ops", "run", f"diagnostics/{name}"], (0, 3))
    (folder,) = (place.folder / "archive" / "runs").glob(f"*-{name}-??????")
    return folder


def _forget() -> None:
    report_code.code.cache_clear()
    report_cells.markdown.cache_clear()


def _timed(act: Callable[[], object], first: Callable[[], None] = lambda: None) -> Spent:
    first()
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)
