"""``ops``: the command line. Answers go to standard output, progress to standard error.

Each command imports what it needs when it runs, so that a short command starts fast.
"""

from __future__ import annotations

import click

from opslib import cli_archive, cli_lab, cli_run, cli_search, cli_store, places
from opslib.cli_approve import approve
from opslib.cli_drill import drill
from opslib.cli_jupyter import jupyter
from opslib.cli_mandate import give_mandate
from opslib.cli_queue import queue, worker
from opslib.cli_schedule import schedule
from opslib.cli_sign_off import sign_off
from opslib.cli_warm import warm
from opslib.cli_wave import wave
from opslib.cli_witness import witness
from opslib.console import Main, Progress, answering, print_json, print_rows, say
from opslib.errors import ExitCode
from opslib.model import now

DEMO = (
    "diagnostics/cache",  # first: it watches for a while, in which the database gets work to be diagnosed
    "diagnostics/database",
    "runbooks/back-up-database",
)
RESTORE = "runbooks/restore-database"


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="opslib", prog_name="ops")
def main() -> None:
    """Executable runbooks: run a notebook on a target, keep the sealed report."""


@main.command("list")
@click.argument("notebook", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_notebooks(notebook: str | None, as_json: bool) -> None:
    """List the notebooks and what they are for, or the parameters of NOTEBOOK."""
    from opslib.headless import notebooks

    if notebook is not None:
        described = notebooks.described(notebooks.find(notebook))
        print_json({"notebook": notebook, "parameters": described}) if as_json else print_rows(described)
        return
    rows = [dict(notebooks.summary(notebook)) for notebook in notebooks.everything()]
    if as_json:
        print_json({"notebooks": rows})
    else:
        print_rows({"notebook": row["notebook"], "title": row["title"]} for row in rows)


@main.command()
@click.option("--items", is_flag=True, help="Each item with its cell, and what came out of that last.")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Whose runs are looked at.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def guide(items: bool, environment: str, as_json: bool) -> None:
    """Say how many of the guide's items each notebook carries out.

    A notebook with 0 is planned and does not exist yet. A verdict is that of the cell in the newest sealed run of its
    notebook, plans and undos aside; "(run)" marks the whole run's, where a cell is not judged by itself.
    """
    from opslib.archive import last_verdicts
    from opslib.guide import catalogue

    rows = catalogue.coverage()
    if items or as_json:
        found = last_verdicts.of_items(places.archive_folder(), catalogue.places(), environment)
    if as_json:
        print_json({"notebooks": rows, "places": found})
    elif items:
        print_rows(last_verdicts.shown(place) for place in found)
    else:
        print_rows(rows)
        done, all_of_it = (sum(int(row[name]) for row in rows) for name in ("carried_out", "items"))
        click.echo(f"{done} of {all_of_it} items")


@main.command()
@answering
def demo() -> int:
    """Start the lab, run all notebooks, apply a saved plan of the restore, verify the archive.

    A lab that was not running is taken down again at the end; the reports stay.
    """
    from opslib import settings
    from opslib.archive.audit import audit
    from opslib.archive.store import Archive
    from opslib.headless import agreement, runner
    from opslib.headless.kernel_warm import keep_warm
    from opslib.lab.supervisor import Lab

    folder, own = places.archive_folder(), Lab(places.lab_folder())
    was_running = any(row.get("state") == "up" for row in own.status())
    own.up(progress=cli_lab.lab_progress)
    progress = Progress()
    try:
        with keep_warm():
            results = [runner.run(name, (), "lab", folder, progress=progress) for name in DEMO]
            results.append(runner.run(RESTORE, (), "lab", folder, mode="plan", progress=progress))
            results.append(agreement.apply(results[-1]["run"], "lab", folder, progress=progress))
        seen = audit(folder, moment=now(), published=settings.load("lab"))
    finally:
        progress.done()
        if not was_running:
            own.down()
    for result in results:
        cli_run.print_result(result)
    say(seen, lines=True)
    click.echo(f"\nOpen {Archive(folder).index()}")
    broken = [r for r in results if r["state"] != "finished"] or not seen.ok
    return int(ExitCode.FAILED) if broken else 0


for command in (
    cli_run.run_notebook,
    approve,
    cli_run.resume_run,
    cli_run.undo_run,
    cli_run.stop_run,
    cli_run.confirm_run,
    cli_run.resolve_step,
    jupyter,
    warm,
    drill,
    schedule,
    queue,
    worker,
    wave,
    witness,
    sign_off,
    give_mandate,
    cli_archive.archive,
    cli_lab.lab,
):
    main.add_command(command)
for command in (*cli_search.COMMANDS, *cli_store.COMMANDS):
    cli_archive.archive.add_command(command)


if __name__ == "__main__":
    main()
