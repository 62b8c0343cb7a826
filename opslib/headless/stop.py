"""Ending a run from outside in a stated state: SIGTERM, SIGINT, ``ops stop``, and the run's own time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opslib.runs import outside

EVERY = 0.25
"""Seconds between two looks whether the run was asked to stop."""


class Stop:
    """Signals end a run: they raise KeyboardInterrupt, once, and only inside :meth:`armed`.

    One that comes while the run is registered waits until then; one that comes while it is sealed changes
    nothing. SIGINT stays ignored where who started the run had it ignored, as a shell does for what its script leaves
    in the background: a Ctrl-C is not meant for that. For the main thread of a process.
    """

    def __init__(self) -> None:
        self._armed, self._caught = False, ""

    def __enter__(self) -> Self:
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        numbers = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGINT)
        self._before = {number: signal.signal(number, self._catch) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Let a signal, also one that came before, end the block with KeyboardInterrupt."""
        try:
            self._armed = True
            self._stop()
            yield
        finally:
            self._armed = False

    @contextmanager
    def watching(self, archive: Path, run: str, seconds: float) -> Iterator[None]:
        """During the block, look for ``ops stop`` and at the clock; either is like a signal."""
        over, until = threading.Event(), time.monotonic() + seconds

        def watch() -> None:
            while not over.wait(EVERY):
                if by := outside.said(archive, run, "stop"):
                    return self.ask(f"{by} (ops stop)")
                if time.monotonic() > until:
                    return self.ask(f"its limit of {seconds:g} s")
            return None

        watcher = threading.Thread(target=watch, name="stop", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            outside.forget(archive, run, "stop")

    def ask(self, by: str) -> None:
        """Stop as a signal does, for the reason ``by``; from any thread."""
        self._caught = self._caught or by
        os.kill(os.getpid(), signal.SIGTERM)

    def _catch(self, number: int, frame: Any) -> None:
        self._caught = self._caught or signal.Signals(number).name
        self._stop()

    def _stop(self) -> None:
        if self._armed and self._caught:
            self._armed = False
            raise KeyboardInterrupt(self._caught)
