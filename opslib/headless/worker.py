"""``ops worker``: a process that takes runs from the queue, one after the other, until it is asked to end.

Its main thread executes runs, as that of ``ops run`` does. One thread talks to the engine that brings keys, and comes
back when the connection breaks; one gives signs of life, and sends again what others have left. Where the main thread
hangs, the process is ended from below Python (:class:`Watchdog`).
"""

from __future__ import annotations

import faulthandler
import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from opslib import settings, settings_queue
from opslib.errors import OpsError, Refused, Unreachable
from opslib.headless import origin
from opslib.headless.kernel_warm import keep_warm, kept
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
HANGS = 1800.0
"""Seconds without a sign of life of the main thread after which its process is ended: to look through a run's evidence
for secrets, and to seal it, takes minutes where that is large."""
LOOK = 0.5

Tell = Callable[[str], None]


class Watchdog:
    """Ends this process, and says where it stood, when its main thread gives no sign of life for ``hangs`` seconds.

    It is the C library's thread that waits: one of Python's would hang with what holds the interpreter. To end is all
    that it does. What becomes of the run is decided as for any worker that was killed, by others.
    """

    def __init__(self, hangs: float) -> None:
        self._hangs, self._until, self._main = hangs, -math.inf, threading.main_thread()

    def alive(self, seconds: float = 0.0) -> None:
        """Take a sign of life; the next one may come so many seconds later than usual. Of other threads none counts."""
        until = time.monotonic() + seconds + self._hangs
        if threading.current_thread() is self._main and until > self._until:
            self._until = until
            faulthandler.dump_traceback_later(seconds + self._hangs, exit=True, file=2)

    def off(self) -> None:
        """Expect nothing: there is no work, or what had its own time is over."""
        self._until = -math.inf
        faulthandler.cancel_dump_traceback_later()


class _Stop(Stop):
    """Signals as a worker means them: the first asks it to take nothing more, the next ends the run under way."""

    def __init__(self, ending: threading.Event, watchdog: Watchdog) -> None:
        super().__init__()
        self._ending, self._watchdog = ending, watchdog

    @contextmanager
    def watching(self, archive: Path, run: str, seconds: float) -> Iterator[None]:
        """Give the run its own time; what comes after it gets the usual one."""
        self._watchdog.alive(seconds)
        try:
            with super().watching(archive, run, seconds):
                yield
        finally:
            self._watchdog.off()
            self._watchdog.alive()

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
        hangs: float = HANGS,
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
        self._tell, self._watchdog = tell, Watchdog(hangs)
        served = tuple(environments)
        self._worker = Worker(
            self.name, url, archive, served, self._new_stop, silent, patience, self._hear, self._pause
        )

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
                if zygote := kept():
                    # It imports while the engine is asked for the first run, and not after that.
                    threading.Thread(target=zygote.start, daemon=True).start()
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
        self._watchdog.alive()
        try:
            if self._ending.is_set():
                return 0  # whoever looks next finds it waiting, and sends it again
            return 1 if carry_out(ledger, key, self._worker) else 0
        except OpsError as error:
            self._trouble = error
            self._ending.set()
            return 0
        finally:
            self._watchdog.off()
            self._key, self._stop = "", None
            free.set_result(None)

    def _new_stop(self) -> Stop:
        self._stop = _Stop(self._ending, self._watchdog)
        return self._stop

    def _hear(self, text: str) -> None:
        self._watchdog.alive()
        self._tell(text)

    def _pause(self) -> None:
        self._ending.wait(LOOK)

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
