"""``ops queue`` and ``ops worker``: ask for runs here, and have them carried out on any number of machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from opslib import cli_run, places
from opslib.console import Progress, answering, print_json, print_rows, say, tell
from opslib.errors import Refused, UsageError

if TYPE_CHECKING:
    from opslib.systems.queue_rows import Row


@click.group()
def queue() -> None:
    """Ask for runs that workers carry out (ops worker), and see what became of them.

    The queue is a PostgreSQL of its own: OPS_QUEUE_URL in .env.queue. See docs/workers.md.
    """


@queue.command("install")
@answering
def install() -> None:
    """Create the queue's tables, once, and bind the queue to this archive.

    Refused on a server that a target's description names: the queue has to be there when the target is not.
    """
    from opslib.headless import queue_asking

    queue_asking.install(places.archive_folder())
    tell("The queue is installed. Start workers with: ops worker --environment NAME")


@queue.command("add")
@click.argument("notebook", required=False)
@click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Set one parameter; may be repeated."
)
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="lab, staging or production.")
@click.option("--apply", "plan", metavar="PLAN", help="Apply this plan, once: a planning run's id.")
@click.option("--key", default="", help="What is asked for twice under one key runs once; unset: the run's id.")
@click.option("--wait", "waiting", is_flag=True, help="Wait for its end; the exit code is then the run's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def add(
    notebook: str | None,
    parameters: tuple[str, ...],
    environment: str,
    plan: str | None,
    key: str,
    waiting: bool,
    as_json: bool,
) -> int:
    """Ask for a run of NOTEBOOK, looked at as by ops run. It is carried out by a worker, once.

    A queue does not plan: plan with ops run --plan, and have the approved plan applied.
    """
    from opslib.headless import queue_asking
    from opslib.settings_queue import needed
    from opslib.systems.queue_ledger import Ledger

    if (plan is None) == (notebook is None) or (plan is not None and (parameters or key)):
        raise UsageError("A notebook is run, or a plan is applied.", "Give one of the two; a plan alone.")
    with Ledger(needed()) as ledger:
        if plan is not None:
            row = queue_asking.ask_to_apply(ledger, plan, environment)
        else:
            row = queue_asking.ask(ledger, str(notebook), parameters, environment, key=key)
        if waiting:
            progress = Progress()
            (row,) = queue_asking.wait(ledger, [row.key], tell=progress)
            progress.done()
    if waiting:
        result = queue_asking.result(row, places.archive_folder())
        print_json(result) if as_json else cli_run.print_result(result)
        return queue_asking.exit_code(row)
    print_json(_shown(row)) if as_json else say(f"{row.key}: waits for a worker; see: ops queue list")
    return 0


@queue.command("list")
@click.argument("key", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what is over.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_queue(key: str | None, everything: bool, as_json: bool) -> None:
    """List what was asked for and is not over, newest first; of KEY, each attempt.

    What was broken off stays in the list until it is withdrawn: a person goes on with it.
    """
    from opslib.settings_queue import needed
    from opslib.systems.queue_ledger import Ledger
    from opslib.systems.queue_rows import BROKEN_OFF

    with Ledger(needed()) as ledger:
        ledger.archive()
        rows = ledger.rows(None if key is None else [key])
        if key is not None:
            if not rows:
                raise UsageError(f"There is no run with the key {key!r} in the queue.", "See: ops queue list --all")
            tries = [{name: str(value or "-") for name, value in one.items()} for one in ledger.attempts(key)]
            _tell_rows(rows, as_json, attempts=tries)
            return
    _tell_rows((row for row in rows if everything or not row.over or row.state == BROKEN_OFF), as_json)


@queue.command("withdraw")
@click.argument("key")
@answering
def withdraw(key: str) -> None:
    """Take back a run that still waits, or one that was broken off and that somebody has seen to."""
    from opslib.settings_queue import needed
    from opslib.systems.queue_ledger import Ledger

    with Ledger(needed()) as ledger:
        if not ledger.withdraw(key):
            raise Refused(f"{key} does not wait (any more).", "Stop a run with: ops stop RUN")
    tell(f"{key} is withdrawn.")


@click.command("worker")
@click.option(
    "--environment",
    "environments",
    multiple=True,
    default=("lab",),
    show_default=True,
    metavar="NAME",
    help="Whose runs it takes; may be repeated. Each has to be described here.",
)
@click.option("--until-empty", is_flag=True, help="End when nothing is left to be done.")
@click.option(
    *("--drain-seconds", "drain"),
    default=300.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    help="How long the run under way may go on when the worker is asked to end (SIGTERM).",
)
@click.option(
    *("--silent-seconds", "silent"),
    default=30.0,
    show_default=True,
    type=click.FloatRange(3, 3600),
    help="A worker that is silent for so long is taken for dead; the same for all workers.",
)
@click.option(
    *("--hang-seconds", "hangs"),
    default=1800.0,
    show_default=True,
    type=click.FloatRange(3, 86_400),
    help="A worker that stands still for so long, outside the time that its run may take, ends itself.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, at its end.")
@answering
def worker(
    environments: tuple[str, ...], until_empty: bool, drain: float, silent: float, hangs: float, as_json: bool
) -> None:
    """Take runs from the queue and carry them out, one after the other; start as many workers as you like.

    Each needs this project, the archive, and the description of its environments. SIGTERM: the run under way ends
    first; a second one stops it, and what only reads is then tried by another worker. One that hangs says where, and
    ends with exit code 1 as if it had been killed.
    """
    from opslib.headless.worker import Running
    from opslib.settings_queue import needed

    progress = Progress()
    own = dict.fromkeys(environments)
    running = Running(
        *(needed(), places.archive_folder(), tuple(own)),
        silent=silent,
        drain=drain,
        hangs=hangs,
        until_empty=until_empty,
        tell=progress,
    )
    progress(f"{running.name}: takes runs of {', '.join(own)}")
    did = running.run()
    progress.done()
    print_json(did) if as_json else say(f"{did['worker']}: {did['runs']} runs")


def _tell_rows(rows: Iterable[Row], as_json: bool, **more: Any) -> None:
    found = [_shown(row) for row in rows]
    if as_json:
        print_json({"runs": found, **more})
        return
    print_rows(found)
    for name, tries in more.items():
        say(f"{name}:")
        print_rows(tries)


def _shown(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "notebook": row.notebook or "(a plan)",
        "environment": row.environment,
        "state": row.state,
        "attempt": row.attempt,
        "run": row.run,
        "worker": row.worker or "-",
        "verdict": row.verdict or "-",
        "asked_by": row.asked_by,
        "silent": f"{row.silent:.0f} s" if row.state == "taken" else "-",
        "why": row.why or "-",
    }
