"""What the command line shares: answers on standard output, progress on standard error, errors as two sentences."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec

import click

from opslib.errors import ExitCode, OpsError
from opslib.runs.markup import visible

P = ParamSpec("P")
PAUSE = 2.0
"""Seconds between two lines of progress where standard error is a file (cron), not a person's terminal."""

PIPE = 141
"""Exit code of who writes to somebody who has gone, as shells tell it (128 and SIGPIPE)."""

DEFECT = "Look at the run, if one began, with: ops archive list"


def clean(text: object, lines: bool = False) -> str:
    """Return ``text`` fit for a terminal: whatever could steer it, hide or turn text shows as a sign for itself.

    With ``lines``, line ends and tabs stay; else they show as well, so that no record forges a line of ours.
    Everything that comes from a record, a system or an error goes through here before it is printed.
    """
    shown = visible(str(text))
    return shown if lines else shown.translate({9: "␉", 10: "␊"})


def say(text: object = "", lines: bool = False) -> None:
    """Write one line to standard output, cleaned."""
    click.echo(clean(text, lines))


def tell(text: str) -> None:
    """Write one line for people to standard error, cleaned; an error may have several."""
    click.echo(clean(text, lines=True), err=True)


def _cross(text: str) -> None:
    click.echo(f"{click.style('✗', fg='red')} {clean(text, lines=True)}", err=True)


class Progress:
    """One line that follows the work on a terminal; in a log, the first line of each piece of work and then a few."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ("", 0.0)

    def __call__(self, text: str) -> None:
        """Show ``text``; ``name: …`` belongs to the piece of work ``name``."""
        text = clean(text)
        work, now = text.partition(":")[0], time.monotonic()
        if self._terminal:
            columns = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{text[:columns]}", err=True, nl=": " not in text)
        elif work != self._last[0] or now - self._last[1] >= PAUSE:
            self._last = (work, now)
            tell(text)

    def done(self) -> None:
        """Clear the terminal's line, so that the answer begins on one of its own."""
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def answering(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turn an OpsError into two sentences on standard error and its exit code; with --json into one object."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or 0
        except OpsError as error:
            if kwargs.get("as_json"):
                print_json({"error": error.message, "next": error.next_step, "exit_code": int(error.exit_code)})
            _cross(error.message)
            if error.next_step:
                tell(f"  {error.next_step}")
            code = int(error.exit_code)
        except BrokenPipeError:
            # Who read along (head, less) has gone: that is their business. Nothing may be flushed to them at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = PIPE
        except Exception as error:
            # Python's own exit code for this is 1, which would mean WARNING.
            said = f"A defect of opslib: {type(error).__name__}, at {_place(error)}."
            if kwargs.get("as_json"):
                print_json({"error": said, "next": DEFECT, "exit_code": int(ExitCode.FAILED)})
            _cross(said)
            tell(f"  {DEFECT}")
            code = int(ExitCode.FAILED)
        sys.exit(code)

    return wrapped


def _place(error: Exception) -> str:
    # Where, and not what: the message of an unforeseen error has passed no redactor.
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"


def print_json(value: Any) -> None:
    """Write one JSON value to standard output; what could steer a terminal is escaped as JSON escapes it."""
    text = json.dumps(value, ensure_ascii=False)
    click.echo("".join(char if char < "\x7f" or visible(char) == char else json.dumps(char)[1:-1] for char in text))


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to standard output as aligned columns, those of the first row."""
    rows = [{name: clean(value) for name, value in row.items()} for row in rows]
    if not rows:
        return
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in rows[0]}
    for row in [{name: name for name in widths}, *rows]:
        click.echo("  ".join(row.get(name, "").ljust(width) for name, width in widths.items()).rstrip())


class Main(click.Group):
    """Wrong usage exits with 64 (sysexits), which no verdict uses; click's own code would mean CRITICAL."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that was typed."""
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.Abort:
            sys.exit(130)
        except click.ClickException as error:
            error.show()
            sys.exit(int(ExitCode.USAGE))
