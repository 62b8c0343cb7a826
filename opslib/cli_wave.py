"""``ops wave``: a notebook over many environments or tenants, one first, then a ramp, stopped at so many errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from opslib import places
from opslib.console import Progress, answering, print_json, print_rows, say
from opslib.errors import UsageError


@click.group()
def wave() -> None:
    """Run a notebook over many members: one first, then more at a time, and no more after so many errors."""


@wave.command("run")
@click.argument("notebook")
@click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="For every member; may be repeated."
)
@click.option("--environment", "environments", multiple=True, metavar="NAME", help="A member; may be repeated.")
@click.option(
    *("--over", "table"),
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file: a member per row, a parameter per column; a column environment, or one --environment.",
)
@click.option("--ramp", default="", help="Sizes of the batches after the first, e.g. 2,5,25%; unset: each doubles.")
@click.option("--stop-at", default="1", show_default=True, help="After so many errors nothing more begins; or N%.")
@click.option("--plan", "planning", is_flag=True, help="Plan every member; then: ops wave apply.")
@click.option("--queue", "by_queue", is_flag=True, help="By workers (ops worker), a batch at a time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def run_wave(
    notebook: str,
    parameters: tuple[str, ...],
    environments: tuple[str, ...],
    table: Path | None,
    ramp: str,
    stop_at: str,
    planning: bool,
    by_queue: bool,
    as_json: bool,
) -> int:
    """Run NOTEBOOK over members: one first, then 2, 4, 8 … or as --ramp says.

    An error is CRITICAL, UNKNOWN, refused or failed. The exit code is the worst of all, and at least 3 where something
    did not begin.
    """
    from opslib.headless import wave, wave_table
    from opslib.model import now

    if table is None and not environments:
        raise UsageError("Over what?", "Name members: --environment, more than once, or a table with --over.")
    asked = wave_table.wave(
        notebook,
        wave_table.rows(table, environments, parameters),
        now(),
        mode="plan" if planning else "run",
        ramp=tuple(one.strip() for one in ramp.split(",") if one.strip()),
        stop_at=stop_at,
        by_queue=by_queue,
    )
    progress = Progress()
    report = wave.begin(asked, places.archive_folder(), tell=progress)
    progress.done()
    return _answer(report, as_json)


@wave.command("resume")
@click.argument("name", metavar="WAVE")
@click.option("--stop-at", default="", help="Another limit; errors that are there count. Unset: the wave's own.")
@click.option("--queue", "by_queue", is_flag=True, help="What is left by workers; always where it was begun so.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def resume_wave(name: str, stop_at: str, by_queue: bool, as_json: bool) -> int:
    """Go on with WAVE, which was broken off or stopped at its errors: what came to its end is not repeated.

    Of a wave whose plans are being applied, that is gone on with.
    """
    return _go_on(name, "", stop_at, by_queue, as_json)


@wave.command("apply")
@click.argument("name", metavar="WAVE")
@click.option("--queue", "by_queue", is_flag=True, help="By workers (ops worker), a batch at a time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def apply_wave(name: str, by_queue: bool, as_json: bool) -> int:
    """Apply the plans of WAVE in the same order; each needs the approvals that it names (ops approve)."""
    return _go_on(name, "apply", "", by_queue, as_json)


@wave.command("show")
@click.argument("name", metavar="WAVE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def show_wave(name: str, as_json: bool) -> int:
    """Show what became of each member of WAVE, as the archive has it now."""
    from opslib.archive import waves
    from opslib.headless import wave

    return _answer(wave.look(waves.find(places.archive_folder(), name)), as_json)


@wave.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_waves(as_json: bool) -> None:
    """List the waves of the archive, newest first."""
    from opslib.headless import wave

    rows = wave.known(places.archive_folder())
    print_json({"waves": rows}) if as_json else print_rows(rows)


def _go_on(name: str, stage: str, stop_at: str, by_queue: bool, as_json: bool) -> int:
    from opslib.archive import waves
    from opslib.headless import wave

    progress = Progress()
    record = waves.find(places.archive_folder(), name)
    stage = stage or str(record.outcome().get("stage", ""))
    report = wave.go_on(record, stage, stop_at=stop_at, by_queue=by_queue, tell=progress)
    progress.done()
    return _answer(report, as_json)


def _answer(report: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print_json(report)
        return int(report["exit_code"])
    print_rows(
        {name: "-" if value in ("", None) else value for name, value in row.items()} for row in report["members"]
    )
    say(f"{report['wave']}: {report['says']}{'; ' + report['stopped'] if report['stopped'] else ''}")
    if report["stage"] == "plan" and not report["stopped"]:
        say(f"  Approve each plan, then: ops wave apply {report['wave']}")
    elif report["begun"] < len(report["members"]):
        say(f"  Go on with: ops wave resume {report['wave']}")
    return int(report["exit_code"])
