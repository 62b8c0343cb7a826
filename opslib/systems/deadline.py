"""Wall-clock deadlines of our own: drivers' time-outs were seen to hang behind a silent network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from opslib.errors import Unreachable

LOOK = "Look at the network and at the server's load."


@contextmanager
def deadline(seconds: float, what: str, expire: Callable[[], None], next_step: str = LOOK) -> Iterator[None]:
    """Run the block; after ``seconds`` call ``expire`` (from another thread), which must make it fail.

    Whatever the block then raises becomes Unreachable (kind ``slow``) with the name of what was too slow.
    ``expire`` is never called, nor still running, once the block was left.
    """
    expired = threading.Event()

    def ring() -> None:
        expired.set()
        # What cannot be ended has ended by itself.
        with suppress(Exception):
            expire()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if expired.is_set():
            raise Unreachable(f"{what} gave no answer within {seconds:g} s.", next_step, "slow") from error
        raise
    finally:
        timer.cancel()
        # After the block, the number of a closed socket may be another one's.
        timer.join()


def shut(fileno: int) -> None:
    """Shut the socket behind ``fileno`` both ways, so that a call blocked on it returns at once."""
    with suppress(OSError):
        twin = socket.socket(fileno=socket.dup(fileno))
        try:
            twin.shutdown(socket.SHUT_RDWR)
        finally:
            twin.close()
