"""``ops archive push`` and its neighbours: sealed runs in a locked store, how long they are kept, and what is held."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from opslib import places
from opslib.console import Progress, answering, print_json, print_rows, say, tell
from opslib.errors import ExitCode, UsageError
from opslib.model import now

environment_option = click.option(
    "--environment", default="lab", show_default=True, metavar="NAME", help="Whose store: lab, staging or production."
)


@click.command("push")
@environment_option
@click.option("--whole", is_flag=True, help="Look at every object anew, whatever an earlier push left.")
@answering
def push(environment: str, whole: bool) -> int:
    """Put sealed runs that the store lacks into it, file by file, locked; go on with what broke off.

    The exit code is 5 when something could not be stored; all else was.
    """
    from opslib import settings
    from opslib.archive.push import push as put

    progress = Progress()
    try:
        done = put(places.archive_folder(), settings.load(environment), whole=whole, progress=progress)
    finally:
        progress.done()
    say(f"archive {done.archive}, up to entry {done.seq}: {done.runs} runs, {done.objects} objects added")
    for fault in done.faults:
        tell(fault)
    return int(ExitCode.FAILED) if done.faults else 0


@click.command("pull")
@click.argument("run")
@click.argument("folder", type=click.Path(path_type=Path))
@environment_option
@answering
def pull(run: str, folder: Path, environment: str) -> None:
    """Bring a stored RUN into FOLDER, every byte held against what the log here names.

    RUN is the id of a sealed run, its beginning or its last part, also of one that is no longer here.
    """
    from opslib import settings
    from opslib.archive.pull import pull as fetch

    found, count = fetch(places.archive_folder(), run, settings.load(environment), folder)
    say(f"{count} files in {folder / 'runs' / found}")


reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever reads the log.")


@click.command("hold")
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--incident", default="", metavar="NAME", help="Also every sealed run that names this incident.")
@reason_option
@environment_option
@answering
def hold(runs: tuple[str, ...], incident: str, reason: str, environment: str) -> int:
    """Put sealed runs under legal hold: in the signed log, and on their objects in the store.

    A held run is removed by nobody's retention. The exit code is 3 when the store could not be asked: the log holds.
    """
    from opslib.archive import holding

    folder = places.archive_folder()
    named = (*runs, *(holding.of_incident(folder, incident) if incident else ()))
    if not named:
        raise UsageError("No run is named.", "Give runs, or --incident NAME.")
    fresh = holding.hold(folder, named, _by(), reason)
    say(f"{len(fresh)} runs put under legal hold" + ("" if len(fresh) == len(named) else "; the others were already"))
    return _marked(folder, environment, named)


@click.command("release")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@reason_option
@environment_option
@answering
def release(runs: tuple[str, ...], reason: str, environment: str) -> int:
    """Release runs from legal hold: in the signed log, and on their objects in the store. Locks stay."""
    from opslib.archive import holding

    folder = places.archive_folder()
    say(f"{len(holding.release(folder, runs, _by(), reason))} runs released from legal hold")
    return _marked(folder, environment, runs)


@click.command("holds")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_holds(as_json: bool) -> None:
    """List the runs under legal hold, with the reason."""
    from opslib.archive.holds import fates
    from opslib.archive.log import Log

    rows = [{"run": run, "reason": why} for run, why in sorted(fates(Log(places.archive_folder())).held.items())]
    print_json({"held": rows}) if as_json else print_rows(rows)


@click.command("retain")
@click.option("--apply", "agreed", default="", metavar="DIGEST", help="Remove what the plan with this digest names.")
@environment_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def retain(agreed: str, environment: str, as_json: bool) -> int:
    """Print which runs' retention is over, with their ages; with --apply remove their folders from this machine.

    Each is first read back from the store, byte by byte. The log keeps its entries for ever, and says who removed what.
    The exit code is 5 when a run of the plan stayed.
    """
    from opslib import settings
    from opslib.archive import retention
    from opslib.archive.store import Archive
    from opslib.canonical import to_json

    folder, described = places.archive_folder(), settings.load(environment)
    if not agreed:
        planned = retention.plan(folder, described, now())
        if as_json:
            print_json({**to_json(planned), "digest": planned.digest})
        else:
            print_rows(to_json(one) for one in planned.due)
            for run, why in planned.staying:
                tell(f"{run} stays: {why}")
            say(f"{len(planned.due)} runs of {environment} would be removed from this machine.")
            if planned.due:
                say(f"To remove them: ops archive retain --environment {environment} --apply {planned.digest}")
        return 0
    progress = Progress()
    try:
        done = retention.remove(Archive(folder), described, agreed, _by(), progress)
    finally:
        progress.done()
    print_json(to_json(done)) if as_json else say(f"{len(done.runs)} runs removed; they are in the store")
    for fault in done.faults:
        tell(fault)
    return int(ExitCode.FAILED) if done.faults else 0


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@answering
def export(folder: Path) -> None:
    """Write the sealed runs as Parquet tables, one file a month, for DuckDB and the like; again only what is new."""
    from opslib.archive.export import export as write

    progress = Progress()
    try:
        done = write(places.archive_folder(), folder, progress)
    finally:
        progress.done()
    say(f"{done.runs} runs in {folder}: {len(done.written)} months written, {len(done.gone)} taken away")


def _by() -> str:
    from opslib.headless import origin

    return f"{origin.who()}@{origin.where()}"


def _marked(folder: Path, environment: str, named: Sequence[str]) -> int:
    from opslib import settings
    from opslib.archive import holding
    from opslib.errors import OpsError

    try:
        count = holding.mark(folder, settings.load(environment), named)
    except OpsError as error:
        tell(f"The log says so; the store does not know it yet. {error}\nIt is told by the next: ops archive push")
        return int(ExitCode.UNKNOWN)
    say(f"{count} objects in the store were told")
    return 0


COMMANDS: tuple[click.Command, ...] = (push, pull, hold, release, list_holds, retain, export)
