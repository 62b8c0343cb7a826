"""What a drill does to the lab, through the lab's own command line alone: break, mend, and use it all the while.

Beside the lab's own files stands what a drill has broken (``drill/open.json``), so that the next one finds and mends
what a drill that was killed has left behind. The traffic ends with who started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opslib import files
from opslib.errors import Refused, StepFailed
from opslib.probes.backups_drill import Sample

LONGEST = 300.0
"""Seconds that one command of the lab may take."""
GOOD = 5
"""Good tries in a row that show a steady service."""
EVERY = 0.1


def _command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "opslib.cli", "lab", *words]


def order(*words: str) -> None:
    """Have the lab do something (``break FAULT``, ``mend FAULT``); raises StepFailed with what it said."""
    try:
        done = subprocess.run(
            _command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
            start_new_session=True,  # Ctrl-C is for the drill, which mends; not for what it begins
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"ops lab {' '.join(words)} took more than {LONGEST:g} s.", "Look at the lab.") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise StepFailed(f"ops lab {' '.join(words)} failed: {said}", "Look at the lab: ops lab status.")


@dataclass(frozen=True)
class Counted:
    """What the traffic found at its end: the numbers that are still there, or why nobody can say."""

    counted: str
    there: frozenset[int]
    uncounted: str


class Traffic:
    """A process that uses one service until :meth:`end`; what it writes down can be read at any time."""

    def __init__(self, kind: str, file: Path) -> None:
        self._file, self._said = file, ""
        self._process = subprocess.Popen(
            _command("traffic", kind, str(file)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def samples(self) -> list[Sample]:
        """Return the tries so far."""
        return [Sample.model_validate(said) for said in self._lines() if "n" in said]

    def steady(self, seconds: float) -> bool:
        """Wait until the newest tries were good; False when that did not come within ``seconds``.

        Raises StepFailed where the traffic has ended by itself: nothing is measured any more.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise StepFailed(f"The traffic ended by itself: {self._complaint()}", "Nothing was measured since.")
            newest = self.samples()[-GOOD:]
            if len(newest) == GOOD and not any(one.why for one in newest):
                return True
            time.sleep(EVERY)
        return False

    def end(self) -> Counted:
        """Let it count and end; one that does not is killed, and nobody knows."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for said in self._lines():
            if "there" in said:
                return Counted(str(said["counted"]), frozenset(said["there"]), str(said["uncounted"]))
        return Counted("", frozenset(), f"the traffic ended without a count: {self._complaint()}")

    def _complaint(self) -> str:
        assert self._process.stderr is not None
        if not self._said:
            self._said = " ".join(self._process.stderr.read().decode(errors="replace").split())
        return self._said[-300:] or "it said nothing"

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self._file.is_file():
            return
        # The last piece may be a line that is being written.
        for line in self._file.read_bytes().split(b"\n")[:-1]:
            with suppress(ValueError, ValidationError):
                yield json.loads(line)


class Broken:
    """What drills have broken in a lab and not mended yet; held by one drill at a time."""

    def __init__(self, lab: Path) -> None:
        self._folder = lab / "drill"
        self._file = self._folder / "open.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other drills away from this lab; raises Refused while one is under way."""
        files.make_folder(self._folder)
        lock = files.try_lock(self._folder / "lock")
        if lock is None:
            raise Refused("Another drill of this lab is under way.", "Wait until it has ended.")
        try:
            yield
        finally:
            os.close(lock)

    def note(self, drill: str, fault: str) -> None:
        """Write down that ``drill`` is about to make ``fault``; it is on the disk before anything is broken."""
        files.write_json(self._file, {"drill": drill, "fault": fault})

    def forget(self) -> None:
        """Write down that it is mended."""
        self._file.unlink(missing_ok=True)

    def left(self) -> Mapping[str, str] | None:
        """Return what an earlier drill left broken (``drill``, ``fault``), or None."""
        try:
            said = json.loads(files.read_plain(self._file, 10_000))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Refused(f"{self._file} cannot be read: {error}.", "See what is broken: ops lab mend.") from error
        return {"drill": str(said["drill"]), "fault": str(said["fault"])}
