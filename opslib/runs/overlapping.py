"""Readings that overlap: lanes of them, each by a thread with handles of its own, the readings of one lane in order.

The one place of a run that starts threads for readings. What is made of them is recorded by whoever asks, in the order
in which it asked: who was first to answer decides nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

MOST = 24
"""Lanes at the same time at most; more wait for one that has ended."""
ALONE = 2.0
"""Seconds for which the others wait for lanes that are to run alone: a target that is down must not hold them up."""


class Closing(Protocol):
    """Handles on a target."""

    def close(self) -> None:
        """Close them."""


Asked = TypeVar("Asked")
Handles = TypeVar("Handles", bound=Closing)
Told = TypeVar("Told")


def begin(
    lanes: Sequence[Sequence[Asked]],
    opened: Callable[[], Handles],
    take: Callable[[Asked, Handles], None],
    *,
    most: int = MOST,
) -> threading.Event:
    """Begin what is asked for, ``most`` lanes at a time; once the event that is returned is set, nothing more begins.

    Each lane has handles of its own, ``opened`` before its first reading and closed after its last. ``take`` raises
    nothing. Nobody waits for the threads.
    """
    waiting: queue.SimpleQueue[Sequence[Asked]] = queue.SimpleQueue()
    over = threading.Event()
    for lane in lanes:
        waiting.put(lane)

    def work() -> None:
        while not over.is_set():
            try:
                lane = waiting.get_nowait()
            except queue.Empty:
                return
            handles = opened()
            try:
                for asked in lane:
                    if not over.is_set():
                        take(asked, handles)
            finally:
                handles.close()

    for number in range(min(most, len(lanes))):
        threading.Thread(target=work, name=f"lane {number + 1}", daemon=True).start()
    return over


def overlapped(
    lanes: Sequence[Sequence[Asked]],
    opened: Callable[[], Handles],
    made: Callable[[Asked, Handles], Told],
    seconds: float,
    alone: Sequence[Sequence[Asked]] = (),
) -> Iterator[tuple[Asked, Told]]:
    """Yield what was asked with what ``made`` returned, as they come in, at most for ``seconds``.

    ``opened`` and ``made`` as in :func:`begin`. What has not come by then is left out, and not waited for. Lanes that
    are ``alone`` come first; the others begin once these have ended, or after ``ALONE`` seconds.
    """
    done: queue.SimpleQueue[tuple[Asked, Told]] = queue.SimpleQueue()

    def take(asked: Asked, handles: Handles) -> None:
        done.put((asked, made(asked, handles)))

    began = time.monotonic()
    waited, left = sum(map(len, alone)), sum(map(len, (*alone, *lanes)))
    begun = [begin(alone, opened, take)]
    try:
        while left:
            if len(begun) == 1 and (not waited or time.monotonic() >= began + ALONE):
                begun.append(begin(lanes, opened, take))
            until = began + min(seconds, ALONE if len(begun) == 1 else seconds)
            try:
                yield done.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                if time.monotonic() >= began + seconds:
                    return
                continue
            left, waited = left - 1, waited - 1
    finally:
        for over in begun:
            over.set()
