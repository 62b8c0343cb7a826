"""A blocking call under a wall-clock limit of our own, for libraries whose calls cannot be broken off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from opslib.errors import Unreachable

T = TypeVar("T")

_THREAD = threading.local()


def given_up() -> bool:
    """Tell whether the call that runs in this thread was given up: it must begin nothing more."""
    event: threading.Event | None = getattr(_THREAD, "given_up", None)
    return event is not None and event.is_set()


class Pending(Generic[T]):
    """A call that runs in a daemon thread from the moment this is made; :meth:`result` waits for it.

    A call that is too slow is given up, not ended: its thread stays until the library's own time-outs
    end it. Whoever starts an effect this way must therefore treat a late one as "may have happened", and
    the call itself can ask :func:`given_up` before it sends anything more. What a call returns that was
    given up goes to ``discard``.
    """

    def __init__(
        self, what: str, seconds: float, work: Callable[[], T], discard: Callable[[T], None] | None = None
    ) -> None:
        self._given_up = threading.Event()
        self._what = what
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._discard = discard
        self._ending = threading.Lock()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Return what the call returned or raise what it raised; Unreachable (kind ``slow``) when it took too long."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        with self._ending:
            if self._error is None and not self._values:
                self._given_up.set()
        if self._error is not None and not self._given_up.is_set():
            raise self._error
        if not self._values:
            raise Unreachable(
                f"{self._what} gave no answer within {self._seconds:g} s.",
                "Look at the network and at the service's state.",
                "slow",
            )
        return self._values[0]

    def _run(self, work: Callable[[], T]) -> None:
        _THREAD.given_up = self._given_up
        try:
            value = work()
        except BaseException as error:
            with self._ending:
                self._error = error
            return
        with self._ending:
            late = self._given_up.is_set()
            if not late:
                self._values.append(value)
        if late and self._discard is not None:
            self._discard(value)
