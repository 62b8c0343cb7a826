"""``ops worker``: a process that takes runs from the queue, one after the other, until it is asked to end.

Its main thread executes runs, as that of ``ops run`` does. One thread talks to the engine that brings keys, and comes
back when the connection breaks; one gives signs of life, and sends again what others have left.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from opslib import settings, settings_queue
from opslib.errors import OpsError, Refused, Unreachable
from opslib.headless import origin
from opslib.headless.kernel_warm import keep_warm
from opslib.headless.queue_asking import LONGEST_WAIT, PATIENCE, of_archive
from opslib.headless.queue_running import END, Worker, carry_out
from opslib.headless.stop import Stop
from opslib.redaction import DatabaseUrl
from opslib.systems import queue_transport
from opslib.systems.queue_ledger import Ledger

SILENT = 30.0
"""Seconds without a sign of life after which a worker is taken for dead; all workers of a queue have to agree."""
DRAIN = 300.0
"""Seconds that the run under way gets to end by itself when the worker is asked to end."""
LOOK = 0.5

Tell = Callable[[str], None]


class _Stop(Stop):
    """Signals as a worker means them: the first asks it to take nothing more, the next ends the run under way."""

    def __init__(self, ending: threading.Event) -> None:
        super().__init__()
        self._ending = ending

    def _catch(self, number: int, frame: Any) -> None:
        if self._caught or self._ending.is_set():
            self._caught = self._caught or f"{END} ({signal.Signals(number).name})"
            super()._catch(number, frame)
        self._ending.set()


class Running:
    """One worker; :meth:`run` is for the main thread of a process."""

    def __init__(
        self,
        url: DatabaseUrl,
        archive: Path,
        environments: Sequence[str],
        *,
        silent: float = SILENT,
        drain: float = DRAIN,
        patience: float = PATIENCE,
        until_empty: bool = False,
        tell: Tell = lambda text: None,
    ) -> None:
        self.name = f"{origin.who()}@{origin.where()}:{os.getpid()}"
        self._url, self._silent, self._drain, self._until_empty = url, silent, drain, until_empty
        self._ending, self._over = threading.Event(), threading.Event()
        self._inbox: queue.SimpleQueue[tuple[str, Future[None]] | None] = queue.SimpleQueue()
        self._key = ""
        self._stop: Stop | None = None
        self._trouble: OpsError | None = None
        self._tell = tell
        self._worker = Worker(self.name, url, archive, tuple(environments), self._new_stop, silent, patience, tell)

    def run(self) -> dict[str, Any]:
        """Take runs until SIGTERM or SIGINT, or until nothing is left; returns how many were carried out.

        Raises, before anything is taken, SettingsError where a target is not described, Refused where the queue is for
        another archive or on a target's server; and Unreachable when the queue is away for longer than its patience.
        """
        for environment in self._worker.environments:
            settings_queue.refuse_operated(self._url, settings.load(environment))
        of_archive(self._url, self._worker.archive)
        before = {number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)}
        threads = [threading.Thread(target=work, daemon=True) for work in (self._serve, self._look_after)]
        done = 0
        try:
            for thread in threads:
                thread.start()
            with keep_warm(), Ledger(self._url) as ledger:
                while (item := self._next()) is not None:
                    done += self._carry_out(ledger, *item)
        finally:
            self._ending.set()
            self._let_go(threads[0])
            self._over.set()
            threads[1].join()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._trouble is not None:
            raise self._trouble
        return {"worker": self.name, "runs": done}

    def _let_go(self, serving: threading.Thread) -> None:
        """Wait for the thread that brings keys; what it brought meanwhile is not begun: others send it again."""
        while serving.is_alive():
            with suppress(queue.Empty):
                if item := self._inbox.get(timeout=LOOK):
                    item[1].set_result(None)

    def _signalled(self, number: int, frame: Any) -> None:
        self._ending.set()

    def _next(self) -> tuple[str, Future[None]] | None:
        while True:
            try:
                return self._inbox.get(timeout=LOOK)
            except queue.Empty:
                continue

    def _carry_out(self, ledger: Ledger, key: str, free: Future[None]) -> int:
        self._key = key
        try:
            if self._ending.is_set():
                return 0  # whoever looks next finds it waiting, and sends it again
            return 1 if carry_out(ledger, key, self._worker) else 0
        except OpsError as error:
            self._trouble = error
            self._ending.set()
            return 0
        finally:
            self._key, self._stop = "", None
            free.set_result(None)

    def _new_stop(self) -> Stop:
        self._stop = _Stop(self._ending)
        return self._stop

    def _look_after(self) -> None:
        """Give signs of life, send again what others have left, and end a run that takes too long to end by itself."""
        every, until = max(LOOK, self._silent / 6), 0.0
        with Ledger(self._url) as ledger:
            while not self._over.wait(LOOK if self._ending.is_set() else every):
                # The queue may be away for a while: the other thread and the runs see to that.
                with suppress(OpsError):
                    self._look(ledger)
                if self._ending.is_set():
                    until = until or time.monotonic() + self._drain
                    if time.monotonic() > until and (stop := self._stop):
                        stop.ask(END)

    def _look(self, ledger: Ledger) -> None:
        if key := self._key:
            ledger.alive(key, self.name)
        if not self._ending.is_set():
            for left in ledger.send_forgotten(self._silent):
                self._tell(f"queue: {left} was left, and is sent again")
            if self._until_empty and not ledger.going(self._worker.environments):
                self._ending.set()

    def _serve(self) -> None:
        """Bring keys from the engine to the main thread; where the connection breaks, come back."""
        pause, since = 1.0, time.monotonic()
        try:
            while not self._ending.is_set():
                began = time.monotonic()
                try:
                    queue_transport.serve(self._url, self._worker.environments, self._handle, self._ending)
                except Unreachable as error:
                    if time.monotonic() - began > LONGEST_WAIT:
                        pause, since = 1.0, time.monotonic()
                    if time.monotonic() - since > self._worker.patience:
                        self._trouble = error
                        return
                    self._tell(f"{self.name}: {error.message} Trying again in {pause:g} s.")
                    self._ending.wait(pause)
                    pause = min(pause * 2, LONGEST_WAIT)
                except Refused as error:
                    self._trouble = error
                    return
        finally:
            self._inbox.put(None)

    def _handle(self, key: str) -> Future[None]:
        free: Future[None] = Future()
        self._inbox.put((key, free))
        return free
