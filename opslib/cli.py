"""``ops``: the command line. Answers go to standard output, progress to standard error.

Each command imports what it needs when it runs, so that a short command starts fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from opslib import settings
from opslib.console import Main, Progress, answering, print_json, print_rows, tell
from opslib.errors import ExitCode, UsageError

DEMO = (
    "diagnostics/cache",  # first: it watches for a while, in which the database gets work to be diagnosed
    "diagnostics/database",
    "runbooks/back-up-database",
    "runbooks/restore-database",
)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="opslib", prog_name="ops")
def main() -> None:
    """Executable runbooks: run a notebook on a target, keep the sealed report."""


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_notebooks(as_json: bool) -> None:
    """List the notebooks and what they are for."""
    from opslib.headless import notebooks

    rows = [dict(notebooks.summary(notebook)) for notebook in notebooks.everything()]
    if as_json:
        print_json({"notebooks": rows})
    else:
        print_rows({"notebook": row["notebook"], "title": row["title"]} for row in rows)


@main.command("run")
@click.argument("notebook")
@click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Set one parameter; may be repeated."
)
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="lab, staging or production.")
@click.option("--plan", "planning", is_flag=True, help="Plan every step and apply none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def run_notebook(notebook: str, parameters: tuple[str, ...], environment: str, planning: bool, as_json: bool) -> int:
    """Run NOTEBOOK on a target and archive its sealed report.

    NOTEBOOK is a name such as diagnostics/database (ops list). Its parameters stand in its first code cell; a wrong
    one lists them.

    Exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 refused, 5 a step failed, 64 wrong usage.
    """
    from opslib.headless import runner

    progress = Progress()
    result = runner.run(
        notebook,
        parameters,
        environment,
        settings.archive_folder(),
        mode="plan" if planning else "run",
        progress=progress,
    )
    progress.done()
    return _answer(result, as_json)


@main.command("undo")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def undo_run(run: str, as_json: bool) -> int:
    """Undo the steps of RUN, the last one first, and verify each.

    RUN is the id of a run (ops archive list), its beginning or its last part. What comes out is a run of its own.
    """
    from opslib.headless.undo import undo

    progress = Progress()
    result = undo(run, settings.archive_folder(), progress=progress)
    progress.done()
    return _answer(result, as_json)


def _answer(result: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print_json(result)
    else:
        _print_result(result)
    return int(result["exit_code"])


def _print_result(result: Mapping[str, Any]) -> None:
    colours = {"OK": "green", "WARNING": "yellow", "UNKNOWN": "magenta", "CRITICAL": "red"}
    counts = ", ".join(f"{n} {word}" for word, n in result["counts"].items() if n)
    word = result["verdict"] if result["state"] == "finished" else f"{result['verdict']} ({result['state']})"
    planned = "planned only, nothing was changed" if result["mode"] == "plan" else ""
    said = "  ".join(part for part in (result["notebook"], planned, counts) if part)
    click.echo(f"{click.style(word, fg=colours[result['verdict']], bold=True)}  {said}")
    if result["reason"]:
        click.echo(f"  {result['reason']}")
    click.echo(f"  {result['report']}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def guide(as_json: bool) -> None:
    """Say how many of the guide's items each notebook carries out.

    A notebook with 0 is planned and does not exist yet.
    """
    from opslib.guide import catalogue

    rows = catalogue.coverage()
    if as_json:
        places = [{"item": p.id, "notebook": p.notebook, "cell": p.cell} for p in catalogue.places()]
        print_json({"notebooks": rows, "places": places})
    else:
        print_rows(rows)
        done, all_of_it = (sum(int(row[name]) for row in rows) for name in ("carried_out", "items"))
        click.echo(f"{done} of {all_of_it} items")


@main.group()
def archive() -> None:
    """Look into the archive of runs, and verify it."""


@archive.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_runs(as_json: bool) -> None:
    """List the archived runs, newest first."""
    from opslib.archive.store import Archive
    from opslib.canonical import to_json

    rows = [to_json(row) for row in Archive(settings.archive_folder()).runs()]
    if as_json:
        print_json({"runs": rows})
    else:
        shown = ("run", "environment", "mode", "state", "verdict", "seconds")
        print_rows({name: row.get(name) for name in shown} for row in rows)


@archive.command("show")
@click.argument("run")
@answering
def show_run(run: str) -> None:
    """Print what RUN was asked and what came out.

    RUN is the id of a run (ops archive list), its beginning or its last part.
    """
    from opslib.archive.store import Archive

    archived = Archive(settings.archive_folder())
    folder = archived.folder / "runs" / archived.find(run).run
    for name in ("run.json", "result.json"):
        if (folder / name).exists():
            click.echo((folder / name).read_text(encoding="utf-8").rstrip())
    click.echo(folder / "report.html")


@archive.command("verify")
@click.option("--head", metavar="SEQ:SHA256", help="A head that was noted elsewhere: the archive must still hold it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def verify_archive(head: str | None, as_json: bool) -> int:
    """Check every entry, seal and journal.

    The exit code is 0 when all fit, 5 when anything does not.
    """
    from opslib.archive.verify import HEAD, verify
    from opslib.canonical import to_json

    if head is not None and not HEAD.fullmatch(head):
        raise UsageError(f"{head!r} is not a head.", "Give it as ops archive verify printed it: SEQ:SHA256.")
    seen = verify(settings.archive_folder(), head)
    if as_json:
        print_json({**to_json(seen), "ok": seen.ok})
    else:
        click.echo(str(seen))
    return 0 if seen.ok else int(ExitCode.FAILED)


@archive.command("index")
@answering
def index_archive() -> None:
    """Write the archive's index page anew; say where it is."""
    from opslib.archive.store import Archive

    click.echo(Archive(settings.archive_folder()).index())


@main.group()
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
    own.up(rows or ROWS, progress=_lab_progress)
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


def _lab_progress(text: str, done: int, total: int) -> None:
    tell(f"lab: {text}")


@main.command()
@answering
def demo() -> int:
    """Start the lab, run all notebooks, verify the archive.

    A lab that was not running is taken down again at the end; the reports stay.
    """
    from opslib.archive.store import Archive
    from opslib.archive.verify import verify
    from opslib.headless import runner
    from opslib.lab.supervisor import Lab

    folder, own = settings.archive_folder(), Lab(settings.lab_folder())
    was_running = any(row.get("state") == "up" for row in own.status())
    own.up(progress=_lab_progress)
    progress = Progress()
    try:
        results = [runner.run(name, (), "lab", folder, progress=progress) for name in DEMO]
    finally:
        progress.done()
        if not was_running:
            own.down()
    for result in results:
        _print_result(result)
    seen = verify(folder)
    click.echo(str(seen))
    click.echo(f"\nOpen {Archive(folder).index()}")
    broken = [r for r in results if r["state"] != "finished"] or not seen.ok
    return int(ExitCode.FAILED) if broken else 0


if __name__ == "__main__":
    main()
