"""The figures, as the project's goals name them."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks import archive, backups, kernels, pages, safety, search, sweep
from benchmarks.measuring import BIN, Figure, NotMeasured, Place, Ratio, Spent, ratio

LIBRARIES = ("import sqlite3", "import httpx", "import boto3", "import psycopg")
"""What a small diagnostics notebook imports."""

OURS = (0, 3)
"""Exit codes of a run that went well: OK, and UNKNOWN where nothing was checked."""

SCRIPT_OF_CELLS = "\n".join(LIBRARIES) + "\n"


def run(place: Place, name: str, *more: str) -> Spent:
    """Run one of the place's notebooks with ``ops run``."""
    return place.spent([BIN / "ops", "run", f"diagnostics/{name}", *more], OURS)


def peer(place: Place, source: Path, programs: Path = BIN) -> Spent:
    """Run a notebook with papermill, and make a page of it with nbconvert."""
    out = place.folder / "out.ipynb"
    first = _papermill(place, source, out, programs)
    second = place.spent([programs / "jupyter-nbconvert", "--to", "html", "--log-level", "ERROR", out])
    return Spent(first.wall + second.wall, first.cpu + second.cpu)


def _papermill(place: Place, source: Path, out: Path, programs: Path = BIN) -> Spent:
    return place.spent([programs / "papermill", "--no-progress-bar", "--log-level", "ERROR", source, out])


def cold(place: Place) -> list[Ratio]:
    """A run from cold, beside the same cells as a script and through the peers."""
    place.notebook("ours", LIBRARIES)
    theirs, script = place.notebook("theirs", LIBRARIES, own=False), place.folder / "cells.py"
    script.write_text(SCRIPT_OF_CELLS)
    executing = [BIN / "jupyter-nbconvert", "--execute", "--to", "html", "--log-level", "ERROR", theirs]
    sides: dict[str, Callable[[], Spent]] = {
        "ours": lambda: run(place, "ours"),
        "kernel": lambda: run(place, "ours", "--kernel"),
        "script": lambda: place.spent([BIN / "python", script]),
        "papermill": lambda: _papermill(place, theirs, place.folder / "out.ipynb"),
        "both": lambda: peer(place, theirs),
        "without": lambda: peer(place, theirs, place.peers),
        "execute": lambda: place.spent(executing),
    }
    found = place.alternating(sides)
    rows = (
        ("to the cells as a script", 1.15, "script"),
        ("to papermill alone", 0.25, "papermill"),
        ("to papermill and nbconvert", 0.25, "both"),
        ("to both without jupyterlab", 0.25, "without"),
        ("to nbconvert --execute --to html", 0.25, "execute"),
        ("to our own way with a kernel", 1.0, "kernel"),
    )
    return [ratio(what, most, found["ours"], found[name], f"ours to {name}") for what, most, name in rows]


def short(place: Place) -> list[Ratio]:
    """Commands that only tell something."""
    place.notebook("ours", ["1"])
    place.spent([BIN / "ops", "run", "diagnostics/ours"], OURS)
    (entry,) = (place.folder / "archive" / "runs").iterdir()
    commands = {"--help": ["--help"], "list": ["list"], "archive show": ["archive", "show", entry.name]}
    sides: dict[str, Callable[[], Spent]] = {
        name: lambda words=words: place.spent([BIN / "ops", *words]) for name, words in commands.items()  # type: ignore[misc]
    }  # fmt: skip
    sides["papermill"] = lambda: place.spent([BIN / "papermill", "--help"])
    found = place.alternating(sides)
    return [ratio(f"ops {name}", 0.3, found[name], found["papermill"], "to papermill --help") for name in commands]


def growth(place: Place) -> list[Ratio]:
    """Four times the cells take four times as long: 2 KB of output in each."""
    for count in (100, 400):
        place.notebook(f"cells-{count}", ["print('x' * 2000)"] * count)
    found = place.alternating({str(n): lambda n=n: run(place, f"cells-{n}") for n in (100, 400)})  # type: ignore[misc]
    return [ratio("400 cells to 100", 4.3, found["400"], found["100"], "ours")]


def many(place: Place) -> list[Ratio]:
    """Trivial runs, two at a time; ours are asked of a process that stands by."""
    place.notebook("trivial", ["1 + 1"])
    theirs, each = place.notebook("theirs", ["1 + 1"], own=False), 4
    ours = f'"{BIN}/ops" run diagnostics/trivial >/dev/null || test $? = 3'
    out = f'"{place.folder}/out-$0.ipynb"'
    both = (
        f'"{BIN}/papermill" --no-progress-bar "{theirs}" {out} 2>/dev/null && "{BIN}/jupyter-nbconvert" --to html {out}'
    )

    def two_at_a_time(command: str) -> Spent:
        names = place.folder / "names"
        names.write_text("\n".join(map(str, range(each))))
        return place.spent(["xargs", "-a", names, "-n1", "-P2", "sh", "-c", command])

    with place.standing():
        found = place.alternating({"ours": lambda: two_at_a_time(ours), "both": lambda: two_at_a_time(both)})
    return [ratio(f"{each} runs to papermill and nbconvert", 1 / 50, found["ours"], found["both"], "xargs -P2")]


def warm(place: Place) -> list[Ratio]:
    """What a run costs beyond its cells in a process that has everything imported and forks from a zygote."""
    place.notebook("trivial", ["1 + 1"])
    theirs = place.notebook("theirs", ["1 + 1"], own=False)
    code = (
        "import json, psutil, sys, time\nfrom pathlib import Path\nfrom opslib.headless import runner\n"
        "from opslib.headless.kernel_warm import keep_warm\nrounds, took, cpu = int(sys.argv[1]), [], []\n"
        "def spent():\n"
        "  time.sleep(0.3)\n"  # the last run's guardian is taken leave of
        "  return sum(sum(one.cpu_times()[:4]) for one in psutil.Process().children()) + time.process_time()\n"
        "with keep_warm():\n  for _ in range(rounds + 1):\n"
        "    before, began = spent(), time.perf_counter()\n"
        f"    said = runner.run('diagnostics/trivial', (), 'lab', Path({str(place.folder / 'archive')!r}))\n"
        "    whole = time.perf_counter() - began\n"
        "    lines = (Path(said['report']).parent / 'journal.jsonl').read_text().splitlines()\n"
        "    cells = sum(json.loads(l).get('seconds') or 0 for l in lines if '\"cell-finished\"' in l)\n"
        "    took.append(whole - cells)\n    cpu.append(spent() - before)\n"
        "print(json.dumps([took[1:], cpu[1:]]))"
    )
    command = [str(BIN / "python"), "-c", code, str(place.rounds)]
    done = subprocess.run(command, env=place.environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.strip().rpartition("\n")[2][:160])
    ours, cpu = map(statistics.median, json.loads(done.stdout))
    fork = kernels.empty_fork(place)
    both = place.alternating({"both": lambda: peer(place, theirs)})["both"]
    said = f"runner.run in one process with a zygote {ours:.4f} s, an empty fork {fork.wall:.4f} s"
    spent = f"with what the cells need {cpu:.4f} s, an empty fork {fork.cpu:.4f} s"
    return [
        Ratio("wall beyond the cells and an empty fork, in seconds", ours - fork.wall, 0.04, said),
        Ratio("CPU of all its processes beyond an empty fork, in seconds", cpu - fork.cpu, 0.03, spent),
        Ratio("to papermill and nbconvert", ours / both.wall, 0.01, f"{ours:.3f} s to {both.wall:.2f} s"),
    ]


def searching(place: Place) -> list[Ratio]:
    """The archive's search at 10,000 and at 1,000,000 runs (minutes, and gigabytes in the temporary folder)."""
    found = search.figures([10_000, 1_000_000], search.sqlite)
    worst, second = sorted(found, key=lambda name: found[name][-1])[:-3:-1]
    grows = max((name for name in found if name != "one more run"), key=lambda name: found[name][1] / found[name][0])
    return [
        Ratio(
            "slowest search of 1,000,000, in ms",
            found[worst][-1] * 1000,
            5.0,
            f"{worst}; next {found[second][-1] * 1000:.1f} ms, {second}",
        ),
        Ratio("growth from 10,000 runs", found[grows][1] / found[grows][0], 5.0, grows),
        Ratio("one more run, in ms", found["one more run"][-1] * 1000, 5.0, "index of 1,000,000"),
    ]


def verifying(place: Place) -> list[Ratio]:
    """The archive verified whole, beside sha256sum over the same files; and the records of a long journal."""
    took, peer, record = archive.figures(place.folder / "verified", runs=200, megabytes=200, rounds=place.rounds)
    return [
        Ratio("verified whole to sha256sum", took / peer, 1 / 3, f"{took:.2f} s to {peer:.2f} s"),
        Ratio("a journal's record verified, in µs", record * 1e6, 2.0, f"{1 / record:.0f} records a second"),
    ]


ALL = (
    Figure("cold", "one run from cold: 1.15 of the cells as a script, 1/4 of papermill alone", cold),
    Figure("warm", "a warm run: 40 ms beyond its cells and a fork, 1/100 of papermill and nbconvert", warm),
    Figure("short", "ops --help, list, archive show: 0.3 of papermill --help", short),
    Figure("growth", "400 cells take at most 4.3 times as long as 100", growth),
    Figure("many", "50 times the trivial runs of papermill and nbconvert by xargs -P2", many),
    Figure("report", "1/15 of HTMLExporter's time, 1/5 of its size, nothing external, no script", pages.figures),
    Figure("search", "any search of 1,000,000 runs in 5 ms, at most 5 times that of 10,000", searching),
    Figure("verify", "files verified at 3 times the speed of sha256sum, 500,000 records a second", verifying),
    Figure("sweep", "all diagnostics: 1/40 of papermill and nbconvert in sequence", sweep.figures),
    Figure("memory", "one more run: 30 MB; ten at once: 500 MB", kernels.memory),
    Figure("jupyterlab", "first result: 1/10 of the stock kernel", kernels.first_result),
    Figure("backup", "1.1 of pg_dump | zstd -1 | sha256sum, 0.4 of pg_dump -Fc", backups.backup),
    Figure("restore", "verified against its manifest: 1.1 of an unverified pg_restore -j2", backups.restore),
    Figure("safety", "at most a tenth of a warm run", safety.figures),
)
