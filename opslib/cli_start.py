"""``ops`` as it is started: a run is asked of the process that stands by, where there is one; all else is done here."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from opslib import warm_asking


def main() -> None:
    """Carry out the command line."""
    if sys.argv[1:2] == ["run"] and sys.platform == "linux":
        warm_asking.ask(sys.argv[1:])
        from opslib import warm_ahead

        warm_ahead.begin(sys.argv[1:])
        # What is imported stays: it is looked through for garbage only once the run begins.
        gc.disable()
        # A plugin would see what the description holds, and all packages are looked through for one.
        os.environ.setdefault(warm_ahead.PLUGINS, "__all__")
        _leaving()
    else:
        _carry_out()


def _carry_out() -> None:
    from opslib.cli import main as here

    here()


def _leaving() -> None:
    """Carry it out and be gone: to take apart all that was imported, object by object, is a tenth of a small run."""
    try:
        _carry_out()
    except SystemExit as error:
        if not isinstance(error.code, int):
            raise
        atexit._run_exitfuncs()
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except (OSError, ValueError):
            raise error from None  # the interpreter tells of it
        os._exit(error.code)
