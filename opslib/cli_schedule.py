"""``ops schedule``: what runs when, what became of each due time, and what cron, systemd or Kubernetes need for it."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opslib import cli_run, places
from opslib.console import Progress, answering, print_json, print_rows, say, tell
from opslib.errors import ExitCode, OpsError, UsageError

if TYPE_CHECKING:
    from opslib.headless.schedule_table import Schedule, Table

BACK = timedelta(days=32)
"""How far back the last due time is looked for."""


@click.group()
def schedule() -> None:
    """Run notebooks at set times, and see of each due time what became of it.

    The schedules stand in schedules.toml (OPS_SCHEDULES), and who is told of them.
    """


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_schedules(as_json: bool) -> None:
    """List the schedules: when each was due last, what became of that, when it is due next."""
    from opslib.headless import schedule_table, schedule_times
    from opslib.headless.schedule_looking import entries, installed
    from opslib.model import now

    folder, moment, rows = places.archive_folder(), now(), []
    for one in schedule_table.read().whole():
        last = entries(folder, one, moment - BACK, moment)[-1:]
        why = installed(folder, one)
        following = schedule_times.following(one.cron, one.zone, moment)
        rows.append(
            {
                "schedule": one.name,
                "notebook": f"{one.notebook} (plan)" if one.plan else one.notebook,
                "environment": one.environment,
                "cron": f"{one.cron} {one.zone}",
                "last_due": last[0].row["due"] if last else "-",
                "what_became": " ".join(filter(None, (last[0].word, last[0].verdict))) if last else "-",
                "next_due": f"{following:%Y-%m-%dT%H:%M:%SZ}" if not why else f"- ({why})",
                "tell": ", ".join(one.tell) or "-",
            }
        )
    print_json({"schedules": rows}) if as_json else print_rows(rows)


@schedule.command("due")
@click.option("--days", default=7.0, show_default=True, type=click.FloatRange(0.01, 400), help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def due_times(days: float, as_json: bool) -> int:
    """List every due time of the last days with its entry, earliest first.

    Exit code 1 when one is late, was skipped or missed, its run was broken off, or somebody who is to know was not
    told; 3 when no schedule is installed.
    """
    from opslib.headless import schedule_table, schedule_telling
    from opslib.headless.schedule_looking import entries, installed, unkept
    from opslib.model import now

    folder, moment = places.archive_folder(), now()
    read = schedule_table.read()
    table = read.whole()
    deaf = schedule_telling.untold(folder, read, moment)
    found = [due for one in table for due in entries(folder, one, moment - timedelta(days=days), moment)]
    found.sort(key=lambda due: due.due)
    away = {one.name: why for one in table if (why := installed(folder, one))}
    if as_json:
        print_json({"due_times": [due.row for due in found], "not_installed": away, "not_told": deaf})
    else:
        print_rows(due.row for due in found)
        for name, why in away.items():
            tell(f"{name}: {why}")
        for row in deaf:
            tell(f"{row['to']} was not told, {row['facts']} to tell: {row['why']}")
    if any(unkept(found)) or deaf:
        return int(ExitCode.WARNING)
    return int(ExitCode.UNKNOWN if len(away) == len(table) else ExitCode.OK)


@schedule.command("run")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def run_schedule(name: str, as_json: bool) -> int:
    """Run the schedule NAME if it is due. This is what cron, systemd and Kubernetes call.

    A due time is run once, whoever calls; by a worker, and waited for, where there is a queue (OPS_QUEUE_URL).
    Exit codes: those of ops run; 0 where nothing is due, 1 where due times were missed and nothing is run, 4 where the
    run before still goes on.
    """
    from opslib.headless import queue_asking, schedule_running, schedule_table
    from opslib.settings_queue import configured

    progress, table = Progress(), schedule_table.read()
    one = table.row(name)
    # What is planned is planned here: a plan names who asked for it.
    by_queue: Any = {"start": queue_asking.start, "still_going": queue_asking.still_going}
    ways = by_queue if configured() and not one.plan else {}
    try:
        did = schedule_running.run(one, places.archive_folder(), progress=progress, **ways)
    finally:
        # Also of a run that could not begin. Whether people heard of it does not change what became of it.
        try:
            _told(table)
        except (OpsError, OSError) as error:
            tell(f"Nobody was told: {error}")
    progress.done()
    if as_json:
        print_json(did)
    elif "result" in did:
        cli_run.print_result(did["result"])
    else:
        say(f"{name}: {did['did']}{': ' + did['why'] if 'why' in did else ''}; next due {did['next']}")
    return int(did["exit_code"])


@schedule.command("tell")
@click.option("--environment", metavar="NAME", help="Only of the schedules of this target.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def tell_of_schedules(environment: str | None, as_json: bool) -> int:
    """Tell those who are to know what became of due times and was not told yet.

    Each call of ops schedule run ends with this; called by itself it tells what nobody called for. Exit code 5 when
    somebody could not be told, and is still to be.
    """
    from opslib.headless import schedule_table

    table = schedule_table.read()
    rows = _told(table, environment)
    if as_json:
        print_json({"told": rows, "faults": table.faults})
    elif not rows:
        say("Nothing to tell.")
    for name, faults in table.faults.items():
        tell(f"{name}: {'; '.join(faults)}")
    failed = table.faults or any(row["did"] != "told" for row in rows)
    return int(ExitCode.FAILED if failed else ExitCode.OK)


def _told(table: Table, environment: str | None = None) -> list[dict[str, Any]]:
    from opslib.headless import schedule_telling

    return schedule_telling.tell(places.archive_folder(), table, environment=environment, progress=tell)


def _writing(command: Any) -> Any:
    for option in (
        click.option(
            "--install", is_flag=True, help="Write it for the user who calls this, in place of an earlier one."
        ),
        click.option("--remove", is_flag=True, help="Take out what --install wrote; all else stays."),
    ):
        command = option(command)
    return command


@schedule.command("cron")
@_writing
@answering
def cron(install: bool, remove: bool) -> None:
    """Print crontab lines; with --install they become a marked block of your crontab."""
    from opslib.headless import schedule_callers, schedule_crontab
    from opslib.model import now

    table, ops = _asked(install, remove)
    carried = {} if remove else schedule_callers.environment()
    lines = schedule_crontab.lines(table, ops, carried, schedule_crontab.machine_zone(), now())
    if not (install or remove):
        say("\n".join(lines), lines=True)
        return
    changed = schedule_crontab.install(lines if install else ())
    _in_force(table, install)
    tell("crontab: written." if changed else "crontab: it was so already.")


@schedule.command("systemd")
@_writing
@answering
def systemd(install: bool, remove: bool) -> int:
    """Print timer and service units; with --install they become user units, and the timers are started."""
    from opslib.headless import schedule_callers, schedule_systemd
    from opslib.model import now

    table, ops = _asked(install, remove)
    units = schedule_systemd.units(table, ops, {} if remove else schedule_callers.environment(), now())
    if not (install or remove):
        for name, text in units.items():
            say(f"# --- {name}\n{text}", lines=True)
        return 0
    place = schedule_systemd.folder()
    changed = schedule_systemd.install(units if install else {}, place)
    _in_force(table, install)
    tell(f"{place}: {', '.join(changed)}" if changed else f"{place}: it was so already.")
    faults = schedule_systemd.enable([*(units if install else ()), *changed], place)
    for fault in faults:
        tell(f"The files are there, and systemd did not take them: {fault}")
    return int(ExitCode.FAILED if faults else ExitCode.OK)


@schedule.command("kubernetes")
@click.option("--image", required=True, help="The image that has this project, its table and its notebooks.")
@answering
def kubernetes(image: str) -> None:
    """Print CronJob manifests. They are never applied from here."""
    from opslib.headless import schedule_kubernetes, schedule_table

    say(schedule_kubernetes.manifests(schedule_table.read().whole(), image), lines=True)


def _asked(install: bool, remove: bool) -> tuple[tuple[Schedule, ...], Path]:
    from opslib.headless import schedule_callers, schedule_table

    if install and remove:
        raise UsageError("It is installed or removed, not both.", "Leave one of the two out.")
    # What was installed can be taken out whatever the table has become.
    return () if remove else schedule_table.read().whole(), schedule_callers.program(sys.argv[0])


def _in_force(table: tuple[Schedule, ...], install: bool) -> None:
    from opslib.headless.schedule_looking import put_in_force
    from opslib.model import now

    put_in_force(places.archive_folder(), table if install else (), now())
