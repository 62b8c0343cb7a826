"""DuckDB over files of exported logs, in a process of its own that has no credentials (:mod:`.duck_child`).

Memory, disk and time are bounded; its working folder is taken away whatever happens.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opslib.errors import Refused, Unreachable

MEGABYTE = 1024 * 1024
LEFT_FREE = 512 * MEGABYTE
"""Bytes that stay free where it works."""
ENDING = 5.0

Form = Literal["evidence", "export"]


@dataclass(frozen=True)
class Bounds:
    """What it may take: memory and disk in bytes, time in seconds; ``folder`` is where it works."""

    memory: int = 1024 * MEGABYTE
    seconds: float = 7200.0
    threads: int = 2
    folder: Path | None = None


@dataclass(frozen=True)
class Texts:
    """The statements: how lines are read, and the questions by name."""

    steps: Mapping[str, str]
    questions: Mapping[str, str]


def answers(
    texts: Texts,
    given: Mapping[str, Any],
    *,
    form: Form,
    folder: Path,
    files: Sequence[tuple[str, str]],
    bounds: Bounds,
    tell: Callable[[float], None] = lambda percent: None,
) -> dict[str, Any]:
    """Return what the questions find in ``files`` (path below ``folder``, stream), and how the lines could be read.

    Raises Refused where there is too little room to work, Unreachable where it was not answered: nothing is half
    an answer.
    """
    place = bounds.folder or Path(tempfile.gettempdir())
    size = sum((folder / name).stat().st_size for name, _ in files)
    disk = shutil.disk_usage(place).free - LEFT_FREE
    if disk < 2 * size:
        raise Refused(
            f"Working on {size} bytes of logs may take twice that, and {max(disk, 0)} bytes may be taken in {place}.",
            "Free space there, name another folder (OPS_LOG_WORK), or ask a shorter window.",
        )
    # Not named by the request: two runs at once must not meet.
    work = Path(tempfile.mkdtemp(prefix="opslib-logs-", dir=place))
    try:
        request = {
            **texts.steps,
            "questions": dict(texts.questions),
            "given": dict(given),
            "form": form,
            "folder": str(folder),
            "files": [[number, str(folder / name), stream] for number, (name, stream) in enumerate(files)],
            "work": str(work),
            "memory": bounds.memory,
            "disk": disk,
            "threads": bounds.threads,
        }
        return _asked(request, bounds.seconds, tell)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _asked(request: Mapping[str, Any], seconds: float, tell: Callable[[float], None]) -> dict[str, Any]:
    command = [sys.executable, "-I", "-m", "opslib.systems.duck_child"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={}, text=True) as child:
        clock = threading.Timer(seconds, child.kill)
        clock.start()
        try:
            said = _said(child, request, tell)
        finally:
            late = not clock.is_alive()
            clock.cancel()
            child.kill()
    if "answers" in said:
        return dict(said["answers"])
    if late:
        raise Unreachable(f"DuckDB did not answer within {seconds:g} s.", "Ask a shorter window.", "slow")
    why = said.get("error") or f"it ended by itself ({child.returncode})"
    raise Unreachable(f"DuckDB did not answer: {why}", "More OPS_LOG_MEMORY_MB, or a shorter window.", "refused")


def _said(child: subprocess.Popen[str], request: Mapping[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):
        json.dump(request, child.stdin)
        child.stdin.close()
    said: dict[str, Any] = {}
    for line in child.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            # Cut off where it was killed.
            return {}
        tell(float(said.get("percent", 100.0)))
    return said
