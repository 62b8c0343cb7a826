"""The process that is started for one run's notebook before the run is known: it imports, and is then its guardian.

A program of its own, ``python -P -m opslib.headless.kernel_ahead_process NOTEBOOK``, its standard input a socket to the
runner (:mod:`opslib.warm_ahead`). It imports what every notebook's process does, then, for as long as it is not asked,
what this notebook names of a closed list. It has one thread, no secret and no credential. Asked as a zygote is
(:mod:`opslib.headless.kernel_forked`), it becomes what a zygote would have forked; when the runner is gone, it ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from opslib import settings, settings_part
from opslib.areas import AREAS
from opslib.headless import kernel_forked

FIRST = (
    "opslib.headless.shell_process",
    "opslib.runs.run",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
)
"""What each notebook's process imports, and what IPython's shell imports when it is made."""

LIBRARIES = frozenset({"boto3", "httpx", "psycopg", "redis", "sqlite3"})
"""What a cell's first words may import, so that it is there by then."""

_LIBRARY = re.compile(r"^(?:import|from) ([a-z0-9]+)", re.MULTILINE)
_AREA = re.compile(r"\b(checks|probes|pictures|actions)\.([a-z]+)\b")


def main(notebook: str = "") -> NoReturn:
    """Import until the runner asks, and become the guardian; where nobody asks, or that can't be, end."""
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = dict(os.environ)
    runner = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in FIRST:
        importlib.import_module(name)
    importlib.import_module(FIRST[0]).prepare()
    settings_part.prepare(settings.ReadSettings)
    for name in named(notebook):
        if select.select([runner], [], [], 0)[0]:
            break
        with suppress(ImportError):  # its cell will say so
            importlib.import_module(name)
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise SystemExit(1)  # a fork would lose the others: the runner starts another process
    added = {name: value for name, value in os.environ.items() if before.get(name) != value}
    gc.enable()
    gc.freeze()
    kernel_forked.guard(added, runner)


def named(notebook: str) -> list[str]:
    """Return which modules a notebook's cells name, of those that are imported ahead; none where it can't be read."""
    try:
        cells = json.loads(Path(notebook).read_bytes())["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    except (OSError, ValueError, LookupError, TypeError):
        return []
    libraries = [name for name in _LIBRARY.findall(text) if name in LIBRARIES]
    areas = [f"opslib.{package}.{area}" for package, area in _AREA.findall(text) if area in AREAS]
    return list(dict.fromkeys(libraries + areas))


if __name__ == "__main__":
    main(*sys.argv[1:])
