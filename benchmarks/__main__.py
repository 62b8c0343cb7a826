"""The figures that this project holds itself to, each a ratio against its peers in one alternating run.

    make bench                                  # all; exit code 1 when one is missed
    python -m benchmarks --only cold --rounds 3
    python -m benchmarks --list

One round measures each side once, in turn, so that what else the machine does meets both; what counts is the median of
the rounds. Each run is appended to benchmarks/history/figures.jsonl with the machine that it was measured on. A figure
that could not be measured here is told as such and never counts as reached.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import figures
from benchmarks.measuring import Figure, NotMeasured, Place

HISTORY = Path(__file__).with_name("history") / "figures.jsonl"


def main() -> int:
    """Measure, tell, and keep what was measured; returns 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description="Measure the project's figures against its peers.")
    parser.add_argument("--only", action="append", metavar="NAME", help="This figure alone; may be repeated.")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 31), metavar="N", help="At most 30.")
    parser.add_argument("--list", action="store_true", help="Name the figures and measure none.")
    parser.add_argument("--no-history", action="store_true", help="Keep nothing.")
    given = parser.parse_args()
    wanted = [one for one in figures.ALL if not given.only or one.name in given.only]
    if given.list or not wanted:
        sys.stdout.writelines(f"{one.name:<20}{one.says}\n" for one in figures.ALL)
        return 0 if given.list else 64
    said = machine()
    sys.stdout.write(f"{said['cpu']}, {said['cores']} cores, Python {said['python']}, load {said['load']}\n\n")
    with tempfile.TemporaryDirectory(prefix="opslib-benchmark-", ignore_cleanup_errors=True) as folder:
        # A folder each: what one has run is in no archive and no list of another.
        rows = [row for one in wanted for row in told(one, Place(Path(tempfile.mkdtemp(dir=folder)), given.rounds))]
    if not given.no_history:
        HISTORY.parent.mkdir(exist_ok=True)
        with HISTORY.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**said, "rounds": given.rounds, "figures": rows}, sort_keys=True) + "\n")
    missed = sum(row["outcome"] == "missed" for row in rows)
    unknown = sum(row["outcome"] == "not measured" for row in rows)
    sys.stdout.write(f"\n{len(rows) - missed - unknown} reached, {missed} missed, {unknown} not measured\n")
    return int(missed > 0)


def told(figure: Figure, place: Place) -> list[dict[str, object]]:
    """Measure one figure and print its rows."""
    try:
        found = figure.measure(place)
        rows = [
            {"figure": figure.name, "what": one.what, "value": round(one.value, 4), "at_most": one.most, "of": one.of,
             "outcome": "reached" if one.value <= one.most else "missed"}
            for one in found
        ]  # fmt: skip
    except NotMeasured as error:
        rows = [{"figure": figure.name, "what": figure.says, "outcome": "not measured", "of": str(error)}]
    for row in rows:
        value = f"{row['value']:>10.4g} (at most {row['at_most']:g})" if "value" in row else ""
        sys.stdout.write(f"{row['outcome']:<13}{figure.name:<13}{row['what']}:{value}  {row['of']}\n")
        sys.stdout.flush()
    return rows


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
