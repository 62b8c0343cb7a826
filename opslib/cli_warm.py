"""``ops warm``: a process that stands by, so that a run costs what its cells cost."""

from __future__ import annotations

import os
import sys

import click

from opslib.console import answering, tell
from opslib.errors import UsageError

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TZ", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "TMPDIR")
"""What it is started with beside what the interpreter and libraries read at their start: nothing of any target."""


@click.command("warm")
@click.option(
    "--idle", type=click.FloatRange(0.01, 1440), default=60.0, show_default=True, metavar="MINUTES",
    help="End when nobody has asked for so long.",
)  # fmt: skip
@answering
def warm(idle: float) -> None:
    """Stand by with everything imported: ops run of this user is then forked from here.

    It knows no target: each run reads the environment and the description of whoever typed it, in a process of its own.
    Start it where the runs are typed, in the same session or service: who has other rights, limits or name spaces, and
    what runs inside of a notebook, gets nothing here and starts as without it. Ctrl-C ends it, once its runs have
    ended.
    """
    if sys.platform != "linux":
        raise UsageError("Only Linux can fork a run from a process that stands by.", "Runs start without it.")
    from opslib.headless.warm_asker import at_import

    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | at_import(dict(os.environ))
    tell("Standing by for ops run; Ctrl-C ends this.")
    program = [sys.executable, "-P", "-m", "opslib.cli_standing", str(idle)]
    os.execve(sys.executable, program, environment)  # noqa: S606 - our own program, a list
