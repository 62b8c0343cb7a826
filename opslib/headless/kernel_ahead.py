"""The process that ``ops`` has started for its run's notebook before it knew anything else, as the runner holds it.

See :mod:`opslib.warm_ahead` for how it starts, and :mod:`opslib.headless.kernel_ahead_process` for what it is. It
serves once: asked, it becomes the guardian of the notebook's process, which has the user, environment, leash and watch
of one that is started.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from opslib import warm_ahead
from opslib.headless.kernel_warm import START_SECONDS, Forked, Zygote, keep_warm


class Ahead(Zygote):
    """A zygote that has been started, is good for one process and is that process's guardian."""

    imports = True

    def __init__(self, pid: int, line: socket.socket) -> None:
        super().__init__(looks=True)  # it becomes no kernel
        self._pid, self._line = pid, line

    def taken(self, told: int | None) -> Forked | None:
        """Return it, once its imports are over."""
        if told is None:
            return None
        # It may be importing still, or hang in it.
        ends = select.poll()
        ends.register(told, select.POLLIN | select.POLLHUP)
        guardian = None
        if ends.poll(START_SECONDS * 1000):
            guardian = Forked.of(told)
        else:
            os.close(told)
        self._hang_up()
        if guardian is None:
            self._end()
        return guardian

    def _begin(self) -> None:
        """It was started before, and serves once."""

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
            self._line = None

    def _end(self) -> None:
        self._hang_up()
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0


@contextmanager
def ahead() -> Iterator[None]:
    """Have the notebook's process of the run inside come from the one that was started, where one was."""
    if warm_ahead.begun is None:
        yield
        return
    pid, line = warm_ahead.begun
    warm_ahead.begun = None
    zygote = Ahead(pid, socket.socket(fileno=line.detach()))
    try:
        with keep_warm(zygote):
            yield
    finally:
        zygote.close()
