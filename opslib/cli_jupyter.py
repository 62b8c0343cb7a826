"""``ops jupyter``: JupyterLab on a target, for people who step through runbooks."""

from __future__ import annotations

import click

from opslib import cli_lab, places
from opslib.console import answering, say, tell


@click.command("jupyter")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="lab, staging or production.")
@click.option(
    "--port", type=click.IntRange(1024, 65_535), default=8888, show_default=True, help="Or the next free one."
)
@click.option("--browser/--no-browser", default=True, help="Open it, or only say where it is.")
@answering
def jupyter(environment: str, port: int, browser: bool) -> None:
    """Open JupyterLab on a target, at the map of the guide; Ctrl-C ends it.

    It listens on this machine only and wants a token. The lab is started if it is not running, and goes on
    afterwards. Notebooks are copies: what is edited there is marked in the run's record, and gone at the end.
    """
    from opslib.headless.jupyter import serving
    from opslib.headless.stop import Stop

    if environment == "lab":
        from opslib.lab.supervisor import Lab

        Lab(places.lab_folder()).up(progress=cli_lab.lab_progress)
    with Stop() as stop, serving(environment, port=port, progress=tell) as running:
        say(running.url)
        tell(f"JupyterLab on {environment}; end it with Ctrl-C.")
        if browser:
            import webbrowser

            webbrowser.open(running.url)
        try:
            with stop.armed():
                running.process.wait()
        except KeyboardInterrupt:
            tell("Ending JupyterLab; runs that were not finished are sealed as interrupted.")
