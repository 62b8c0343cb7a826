"""Traffic of our own through a failure: numbered tries, one after the other, each written down with how it ended.

``ops lab traffic KIND FILE`` goes on until its standard input ends, so it never outlives who started it. Then it says
which of the acknowledged writes are still there, takes away what it had written, and ends. A line of the file is a
try (``n``, ``began``, ``ended``, ``why`` it failed; seconds of the machine's monotonic clock), the last line the count.
"""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from opslib.errors import OpsError
from opslib.lab.traffic_kinds import Answers, Chats, Keys, Pages, Rows
from opslib.settings import Settings

LAST_TRIES = 20
"""How often the count is tried, a second apart, where the service does not answer at the end."""


class Kind(Protocol):
    """One kind of traffic. ``counted`` is what it leaves, "" where it leaves nothing; ``pause`` in seconds."""

    counted: str
    pause: float

    def clean(self) -> None:
        """Take away what this kind's traffic has ever left, this one's too."""

    def prepare(self) -> None:
        """Make what the tries need."""

    def go(self, n: int) -> None:
        """Do the try with this number as a user would; raises OpsError where it is not acknowledged."""

    def there(self) -> set[int]:
        """Return the numbers that are still there."""

    def close(self) -> None:
        """Give connections back."""


KINDS: Mapping[str, Callable[[Callable[[], Settings]], Kind]] = {
    "rows": Rows,
    "keys": Keys,
    "chats": Chats,
    "pages": Pages,
    "answers": Answers,
}
"""Rows of the database, keys of the cache, chats with language models, pages of the front end, answers of the API."""


def run(kind: Kind, file: TextIO, leash: TextIO) -> None:
    """Try until ``leash`` ends; then count, clean up and return. Raises OpsError where it could not begin."""
    over = threading.Event()

    def wait() -> None:
        leash.read()
        over.set()

    threading.Thread(target=wait, name="leash", daemon=True).start()
    kind.clean()
    kind.prepare()
    n = 0
    try:
        while not over.is_set():
            n += 1
            _put(file, _tried(kind, n))
            over.wait(kind.pause)
        _put(file, _count(kind))
    finally:
        kind.close()


def _tried(kind: Kind, n: int) -> dict[str, Any]:
    began, why = time.monotonic(), ""
    try:
        kind.go(n)
    except OpsError as error:
        why = error.message or type(error).__name__
    return {"n": n, "began": began, "ended": time.monotonic(), "why": why[:300]}


def _count(kind: Kind) -> dict[str, Any]:
    """Return the last line: the numbers that are there, or why nobody can say."""
    why = ""
    for _ in range(LAST_TRIES):
        try:
            there = sorted(kind.there()) if kind.counted else []
            kind.clean()
        except OpsError as error:
            why = error.message
            time.sleep(1.0)
        else:
            return {"counted": kind.counted, "there": there, "uncounted": ""}
    return {"counted": kind.counted, "there": [], "uncounted": why[:300]}


def _put(file: TextIO, said: Mapping[str, Any]) -> None:
    file.write(json.dumps(said) + "\n")
    file.flush()


def into(path: Path, kind: Kind, leash: TextIO) -> None:
    """Do as :func:`run`, into the file at ``path``, which must not be there yet.

    Waits while another of this kind, whose drill was killed, still takes away what it wrote.
    """
    with path.open("x", encoding="utf-8") as file, path.with_name(f"{type(kind).__name__}.lock").open("w") as lock:
        path.chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(kind, file, leash)
