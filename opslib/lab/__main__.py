"""``python -m opslib.lab up|down|status``: the lab by hand."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from opslib.errors import OpsError
from opslib.lab.supervisor import ROWS, Lab


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opslib.lab", description="The operated system in miniature.")
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--folder", type=Path, help="the lab's state (default: OPS_LAB, else .lab in the project)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"about how many rows to generate (default {ROWS})")
    given = parser.parse_args(arguments)
    lab = Lab(given.folder)
    try:
        return {"up": up, "down": down, "status": status}[given.command](lab, given.rows)
    except KeyboardInterrupt:
        print("Interrupted. What this command had started is stopped again.", file=sys.stderr)
        return 130
    except OpsError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)


def up(lab: Lab, rows: int) -> int:
    """Bring the lab up and say how long it took."""
    start = time.monotonic()
    outcome = lab.up(rows, lambda text, done, total: print(f"[{done}/{total}] {text}"))
    print(
        f"The lab is {outcome.replace('already up', 'up')} ({time.monotonic() - start:.1f} s); "
        f"its target description is {lab.folder / 'target.env'}"
    )
    return 0


def down(lab: Lab, rows: int) -> int:
    """Take the lab down."""
    print("The lab is down; its data is removed." if lab.down() else f"There is no lab in {lab.folder}.")
    return 0


def status(lab: Lab, rows: int) -> int:
    """Print one line per service; the exit code is 0 only if all of them are up."""
    table = lab.status()
    for row in table:
        print(
            f"{row['service']:<12} {row['state']:<11} {row['address'] or '-':<16} {row['pid'] or '-':<8} {row['what']}"
        )
    if not table:
        print(f"There is no lab in {lab.folder}.")
    return 0 if table and all(row["state"] == "up" for row in table) else 2


if __name__ == "__main__":
    sys.exit(main())
