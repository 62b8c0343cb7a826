"""``ops lab``: start, stop or look at the lab, the system in miniature."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from opslib import places
from opslib.console import answering, print_json, print_rows, tell
from opslib.errors import ExitCode, UsageError


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

    own = Lab(places.lab_folder())
    own.up(rows or ROWS, progress=lab_progress)
    print_rows(own.status())


@lab.command("down")
@answering
def lab_down() -> None:
    """Stop the lab and remove all its data."""
    from opslib.lab.supervisor import Lab

    tell("The lab is down." if Lab(places.lab_folder()).down() else "There was no lab.")


@lab.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def lab_status(as_json: bool) -> int:
    """Say what of the lab is running.

    The exit code is 0 when all of it is, 3 otherwise.
    """
    from opslib.lab.supervisor import Lab

    rows = Lab(places.lab_folder()).status()
    if as_json:
        print_json({"services": rows})
    elif rows:
        print_rows(rows)
    else:
        tell("There is no lab. Start it with: ops lab up")
    return 0 if rows and all(row.get("state") == "up" for row in rows) else int(ExitCode.UNKNOWN)


@lab.command("break")
@click.argument("fault", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def lab_break(fault: str | None, as_json: bool) -> None:
    """Break the lab on purpose, or list what can be broken.

    It stays broken until it is mended: by ops lab mend, or by the notebook that mends it in the real system.
    """
    from opslib.lab import broken
    from opslib.lab.supervisor import Lab

    if fault is None:
        rows = [{"fault": one.name, "area": one.area, "what": one.title} for one in broken.faults().values()]
        print_json({"faults": rows}) if as_json else print_rows(rows)
        return
    one = broken.find(fault)
    one.make(Lab(places.lab_folder()).settings())
    mended_by = one.notebook or f"a person: {one.person}"
    said = {"fault": one.name, "what": one.title, "check": one.check, "mended_by": mended_by}
    print_json(said) if as_json else print_rows([said])


@lab.command("mend")
@click.argument("fault", required=False)
@answering
def lab_mend(fault: str | None) -> None:
    """Mend one FAULT of the lab, or all of them."""
    from opslib.lab import broken
    from opslib.lab.supervisor import Lab

    known = Lab(places.lab_folder()).settings()
    for one in [broken.find(fault)] if fault else broken.faults().values():
        one.mend(known)
        tell(f"mended: {one.name}")


@lab.command("recover")
@click.option("--before", "moment", required=True, help="The moment, as 2026-11-29T10:00:00.123456Z.")
@click.option("--xid", type=click.IntRange(3, 2**32 - 1), help="The transaction that is not to be there; exact.")
@answering
def lab_recover(moment: str, xid: int | None) -> None:
    """Start a server of its own with the database as it was just before a moment, beside the live one.

    The lab's description then names it (OPS_RECOVERED_DATABASE_URL). One that is there is replaced.
    """
    from opslib.lab.recovery import Before
    from opslib.lab.supervisor import Lab

    made = Lab(places.lab_folder()).recover(Before(_moment(moment), xid))
    print_rows([{"service": made.name, "what": made.what, "address": f"127.0.0.1:{made.port}"}])


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"{text!r} is no moment with its zone.", "Write it as 2026-11-29T10:00:00.123456Z.")
    return found


@lab.command("traffic")
@click.argument("kind", type=click.Choice(["rows", "keys", "chats", "pages", "answers"]))
@click.argument("file", type=click.Path(path_type=Path))
@answering
def lab_traffic(kind: str, file: Path) -> None:
    """Use one service of the lab without a pause until standard input ends, and write each try into FILE.

    Then count what of it is still there, take it away, and write that as the last line.
    """
    from opslib.lab import traffic
    from opslib.lab.supervisor import Lab

    own = Lab(places.lab_folder())
    traffic.into(file, traffic.KINDS[kind](own.settings), sys.stdin)


def lab_progress(text: str, done: int, total: int) -> None:
    """Show how far the lab is."""
    tell(f"lab: {text}")
