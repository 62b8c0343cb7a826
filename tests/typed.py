"""Commands as they are typed, answered in the test's own process: one of its own costs a second of imports.

What only a process shows (what it imports, a signal, a terminal, a reader that went away) is tried with one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from opslib.cli import main

OPS = Path(sys.executable).with_name("ops")


@dataclass(frozen=True)
class Said:
    """What a command answered, named as ``subprocess.run`` names it."""

    returncode: int
    stdout: str
    stderr: str
    data: bytes
    """Both streams, as they were written."""


def ops(*arguments: str, environment: Mapping[str, str]) -> Said:
    """Type ``ops`` and these words where ``environment`` is the whole environment."""
    gone = {name: None for name in os.environ if name not in environment}
    with pytest.MonkeyPatch.context() as here:
        here.setattr(sys, "argv", [str(OPS), *arguments])
        done = CliRunner(env=gone | dict(environment)).invoke(main, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr, done.stdout_bytes + done.stderr_bytes)
