"""``ops lab``: start, stop or look at the lab, the system in miniature."""

from __future__ import annotations

import click

from opslib import settings
from opslib.console import answering, print_json, print_rows, tell
from opslib.errors import ExitCode


@click.group()
def lab() -> None:
    """Start, stop or look at the lab, the system in miniature."""


@lab.command("up")
@click.option(
    "--rows", type=click.IntRange(1_000, 20_000_000), help="Rows of generated data, roughly; 300,000 unless told."
)
@answering
def lab_up(rows: int | None) -> None:
    """Start the lab, or what of it is not running.

    Its folder is OPS_LAB, else .lab in the project.
    """
    from opslib.lab.supervisor import ROWS, Lab

    own = Lab(settings.lab_folder())
    own.up(rows or ROWS, progress=lab_progress)
    print_rows(own.status())


@lab.command("down")
@answering
def lab_down() -> None:
    """Stop the lab and remove all its data."""
    from opslib.lab.supervisor import Lab

    tell("The lab is down." if Lab(settings.lab_folder()).down() else "There was no lab.")


@lab.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def lab_status(as_json: bool) -> int:
    """Say what of the lab is running.

    The exit code is 0 when all of it is, 3 otherwise.
    """
    from opslib.lab.supervisor import Lab

    rows = Lab(settings.lab_folder()).status()
    if as_json:
        print_json({"services": rows})
    elif rows:
        print_rows(rows)
    else:
        tell("There is no lab. Start it with: ops lab up")
    return 0 if rows and all(row.get("state") == "up" for row in rows) else int(ExitCode.UNKNOWN)


def lab_progress(text: str, done: int, total: int) -> None:
    """Show how far the lab is."""
    tell(f"lab: {text}")
