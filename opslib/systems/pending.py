"""A blocking call under a wall-clock limit of our own, for libraries whose calls cannot be broken off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from opslib.errors import Unreachable

T = TypeVar("T")


class Pending(Generic[T]):
    """A call that runs in a daemon thread from the moment this is made; :meth:`result` waits for it.

    A call that is too slow is given up, not ended: its thread stays until the library's own time-outs
    end it. Whoever starts an effect this way must therefore treat a late one as "may have happened".
    """

    def __init__(self, what: str, seconds: float, work: Callable[[], T]) -> None:
        self._what = what
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Return what the call returned or raise what it raised; Unreachable when it took too long."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if self._error is not None:
            raise self._error
        if not self._values:
            raise Unreachable(
                f"{self._what} gave no answer within {self._seconds:g} s.",
                "Look at the network and at the service's state.",
            )
        return self._values[0]

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._values.append(work())
        except BaseException as error:
            self._error = error
