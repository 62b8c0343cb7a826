"""The desk beside JupyterLab: it gives each notebook that a person opens an executor process, and holds its leash.

Notebooks ask it for one thing only: to begin. What they say is a name and parameters, looked at by the same code
as the command line's; the credentials that can write stay in the executor's process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from opslib import errors
from opslib.errors import Refused, StepFailed, UsageError
from opslib.headless import notebooks
from opslib.runs.channel import Tell

ENDING = 120.0
"""Seconds that a run is waited for when JupyterLab has ended: a step under way comes to its end, and is sealed."""


class Desk:
    """Answers ``begin`` for one environment: the notebook's open run, or a new one."""

    def __init__(self, environment: str, progress: Callable[[str], None] = lambda text: None) -> None:
        self.environment = environment
        self._progress = progress
        self._runs: dict[str, subprocess.Popen[bytes]] = {}

    def answer(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Return where the notebook's executor listens, and the reading part of the target's description.

        Raises Refused for another environment and while the notebook's run is open with other parameters;
        UsageError for what is no notebook, or parameters that do not fit.
        """
        if request.get("verb") != "begin":
            raise UsageError(f"The desk knows no verb {request.get('verb')!r}.", "It knows: begin.")
        if request.get("environment") != self.environment:
            raise Refused(
                f"The notebook asks for {request.get('environment')}, but JupyterLab was started on "
                f"{self.environment}.",
                "Correct the parameter environment, or start another: ops jupyter --environment NAME",
            )
        notebook = notebooks.find(name_of(str(request.get("notebook"))))
        notebook.chosen(request.get("values") or {}, self.environment)  # refused before a process is started
        asked = {**request, "notebook": notebook.name}
        process = self._runs.get(notebook.name)
        if process is not None and (said := _ask(process, asked)) is not None and "ended" not in said:
            return _sound(said)
        self._runs.pop(notebook.name, None)
        process = start("desk")
        said = _ask(process, asked)
        if said is not None and "run" in said:
            self._runs[notebook.name] = process
            # It ends by itself when its run is sealed, and is not kept as a dead one then.
            threading.Thread(target=process.wait, name="executor", daemon=True).start()
            self._progress(f"{notebook.name} on {self.environment}: run {said['run']}")
        return _sound(said)

    def close(self) -> None:
        """Let go of every run and wait until it is sealed; what was not finished ends as interrupted."""
        for process in self._runs.values():
            with suppress(OSError):
                _pipe(process.stdin).close()
        for process in self._runs.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)


def start(by: str) -> subprocess.Popen[bytes]:
    """Start an executor process; the pipe to its standard input is its leash. ``by`` is ``desk`` or ``notebook``."""
    return subprocess.Popen(
        # -P: nothing that lies in the folder it starts in is imported where the writing credentials are.
        [sys.executable, "-P", "-m", "opslib.headless.interactive", by],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def name_of(path: str) -> str:
    """Return a notebook's name from the path that Jupyter gives its process; the folder ``notebooks`` is the root."""
    return path.rpartition("notebooks/")[2] or Path(path).name


def _ask(process: subprocess.Popen[bytes], asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write one line to an executor and return its answer; None when it has ended."""
    try:
        pipe = _pipe(process.stdin)
        pipe.write(json.dumps(dict(asked)).encode() + b"\n")
        pipe.flush()
        raw = _pipe(process.stdout).readline()
    except OSError:
        raw = b""
    said = json.loads(raw) if raw.strip() else None
    if said is None or "ended" in said:
        # One that is on its way out seals its run first.
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING)
    return said


def _pipe(pipe: Any) -> Any:
    assert pipe is not None
    return pipe


def _sound(said: dict[str, Any] | None) -> dict[str, Any]:
    if said is None:
        raise StepFailed("The run's executor did not start.", "See the terminal in which JupyterLab was started.")
    if "error" in said:
        kind = getattr(errors, str(said["kind"]), StepFailed)
        raise kind(said["error"], said["next"])
    return said
