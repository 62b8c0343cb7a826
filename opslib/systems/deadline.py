"""Wall-clock deadlines of our own: drivers' time-outs were seen to hang behind a silent network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from opslib.errors import Unreachable


@contextmanager
def deadline(seconds: float, what: str, expire: Callable[[], None]) -> Iterator[None]:
    """Run the block; after ``seconds`` call ``expire`` (from another thread), which must make it fail.

    Whatever the block then raises becomes Unreachable with the name of what was too slow.
    """
    expired = threading.Event()

    def ring() -> None:
        expired.set()
        expire()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if expired.is_set():
            raise Unreachable(
                f"{what} gave no answer within {seconds:g} s.", "Look at the network and at the server's load.", "slow"
            ) from error
        raise
    finally:
        timer.cancel()


def shut(fileno: int) -> None:
    """Shut the socket behind ``fileno`` both ways, so that a call blocked on it returns at once."""
    with suppress(OSError):
        twin = socket.socket(fileno=socket.dup(fileno))
        try:
            twin.shutdown(socket.SHUT_RDWR)
        finally:
            twin.close()
