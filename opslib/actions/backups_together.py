"""Parts of one backup, done side by side: each in a thread of its own, all of them ended by the first that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from opslib.actions.base import Progress
from opslib.errors import StepFailed

T = TypeVar("T")

AT_ONCE = 2
"""Parts at a time. Each has a session, a client program and the packing busy, which is two cores' work and more."""

TELL_SECONDS = 0.5


class Going:
    """What the parts of one work share: how many bytes went by, and whether they have to end."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.bytes = 0

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces and count them; raises StepFailed once all have to end."""
        for piece in pieces:
            self.check()
            with self._lock:
                self.bytes += len(piece)
            yield piece

    def check(self) -> None:
        """Raise StepFailed once all have to end."""
        if self._ended.is_set():
            raise StepFailed("Another part failed, or the step was stopped.", "Look at the first message.")

    def end(self) -> None:
        """Let all end."""
        self._ended.set()


class Together(Generic[T]):
    """Does jobs, :data:`AT_ONCE` at a time, in their order."""

    def __init__(self, progress: Progress, text: str) -> None:
        self._progress, self._text = progress, text
        self.going = Going()

    def do(self, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """Return what the jobs return; raises what the first of them raised, or the progress: then none goes on.

        Only this thread tells the progress. Comes back when every job has ended.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = [pool.submit(job) for job in jobs]
            try:
                while True:
                    done, left = wait(futures, TELL_SECONDS, FIRST_EXCEPTION)
                    if failed := next((one for one in futures if one in done and one.exception()), None):
                        failed.result()
                    if not left:
                        return [one.result() for one in futures]
                    self._progress(f"{self._text}: {self.going.bytes // 2**20} MiB")
            finally:
                self.going.end()
                for one in futures:
                    one.cancel()


def quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody: a part is not in the thread that may."""
