"""``ops drill``: break services of the lab, recover them by their notebooks, and say what was promised and achieved."""

from __future__ import annotations

import click

from opslib import cli_run, places
from opslib.console import Progress, answering, print_json, tell


@click.command("drill")
@click.argument("services", nargs=-1, metavar="[SERVICE]…")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Only the lab is ever broken.")
@click.option("--stop-at-trouble", is_flag=True, help="Drill no further service once one was not recovered.")
@click.option("--day", default="", metavar="NAME", help="A game day: the drill breaks and measures, people recover.")
@click.option("--minutes", default=30.0, show_default=True, help="How long people have for each service.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def drill(
    services: tuple[str, ...], environment: str, stop_at_trouble: bool, day: str, minutes: float, as_json: bool
) -> int:
    """Drill the recovery of each SERVICE in the lab, or of all five of the guide's table.

    They are database, application, llm, cache and frontend. One after the other is broken while a process of ours uses
    it, noticed by its check, recovered by its notebook as an ordinary run, and put back. What came out is shown by
    disaster/recovery-drill, whose verdict is the exit code, as of ops run. Ctrl-C mends and ends. With --day nothing is
    recovered here: people do that, by their runbooks and meanwhile, and reviews/game-day shows what came out.
    """
    from opslib.headless import drill as drills

    progress = Progress()
    result = drills.drill(
        services,
        environment,
        places.archive_folder(),
        stop_at_trouble=stop_at_trouble,
        day=day,
        minutes=minutes,
        progress=progress,
    )
    progress.done()
    if as_json:
        print_json(result)
    else:
        if result["drilled"] != "finished":
            tell("The drill was stopped before its end; what it had broken is mended.")
        cli_run.print_result(result)
    return int(result["exit_code"])
