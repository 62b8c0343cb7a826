"""Programs that a target's description names: given ``name=value`` lines on their input, waited for within a bound.

No shell, no argument of a run's own, nothing of this process's environment. They have no guardian
(:mod:`opslib.systems.programs`): what such a program has begun, an "off" or a rewind, has to come to its end even when
the run that asked for it is killed, and what it starts has to outlive it. So each must bear being started twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from opslib.errors import Unreachable, UsageError
from opslib.redaction import Redactor, Secret

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
KEPT_CHARACTERS = 2000
"""Of what a program says, its end; a message is for people."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal), and the end of what it said, redacted."""

    code: int
    said: str


def call(command: Sequence[str], given: Mapping[str, str | Secret], *, seconds: float) -> Ended:
    """Start the program, write one ``name=value`` line for each of ``given``, and wait for its end.

    Raises UsageError where it cannot be started, Unreachable (slow) after ``seconds``: it and all of its group are
    killed then, and whether it had an effect has to be looked up.
    """
    secrets = [value for value in given.values() if isinstance(value, Secret)]
    lines = "".join(
        f"{name}={value.reveal() if isinstance(value, Secret) else value}\n" for name, value in given.items()
    )
    try:
        process = subprocess.Popen(
            list(command),
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]} cannot be started: {error.strerror}.", "Check its path in the target's description."
        ) from error
    try:
        said, _ = process.communicate(lines.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"{command[0]} did not end within {seconds:g} s and was killed.",
            "Start it by hand to see what it waits for; what it had begun may have happened.",
            "slow",
        ) from None
    finally:
        _end(process)
    text = Redactor(secrets).text(said.decode(errors="replace").strip())
    return Ended(process.returncode, text[-KEPT_CHARACTERS:])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
