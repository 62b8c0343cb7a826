"""How a notebook's process in JupyterLab comes to its executor: by the desk, or by starting one of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

from opslib import errors
from opslib.runs import kernel
from opslib.runs.channel import Client

DESK = "OPS_DESK"
"""Environment variable that leads a notebook's process to the desk beside JupyterLab; set by ``ops jupyter``."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
MOST = 300
"""Values, or cells, of which a notebook's process tells when it begins."""


def attach(environment: str) -> tuple[str, dict[str, str]]:
    """Return the executor's socket and the reading part of the target's description; raises OpsError.

    What the notebook's process knows by a parameter's name is sent along: which of it is one is looked up there.
    """
    names, ran = kernel.known()
    asked = {
        "verb": "begin",
        "environment": environment,
        "notebook": os.environ.get("JPY_SESSION_NAME", "interactive"),
        "values": {name: value for name, value in names.items() if _plain(name, value)},
        "ran": ran[-MOST:],
    }
    desk = os.environ.get(DESK)
    said = _start(asked) if desk is None else _ask(desk, asked)
    return said["socket"], said["variables"]


def _plain(name: str, value: Any) -> bool:
    plain = type(value) in (int, float, bool) or (type(value) is str and len(value) <= 1000)
    return plain and NAME.fullmatch(name) is not None


def at_desk() -> bool:
    """Whether the notebook was opened in a JupyterLab that ``ops jupyter`` started."""
    return DESK in os.environ


def _ask(desk: str, asked: dict[str, Any]) -> Any:
    try:
        line = Client(desk)
    except OSError:
        raise errors.StepFailed("The desk beside JupyterLab is gone.", "Start both again: ops jupyter") from None
    try:
        return line.ask(asked.pop("verb"), **asked)
    finally:
        line.close()


_leashes: list[subprocess.Popen[bytes]] = []
"""Executors that this process started: one whose pipe is let go ends its run."""


def _start(asked: dict[str, Any]) -> Any:
    """Start an executor process for this session; it ends, and seals, with this process."""
    # The pipe to its standard input is the leash: when this process ends, the executor closes the run.
    process = subprocess.Popen(
        # -P: nothing that lies beside the notebook is imported where the writing credentials are.
        [sys.executable, "-P", "-m", "opslib.headless.interactive", "notebook"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    process.stdin.flush()
    said = json.loads(process.stdout.readline() or b"{}")
    if "socket" not in said:
        kind = getattr(errors, said.get("kind", ""), errors.StepFailed)
        raise kind(said.get("error", "The run's executor did not start."), said.get("next", "See the terminal."))
    _leashes.append(process)
    return said
