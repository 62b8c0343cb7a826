"""What really runs in a pod of the stand-in: in the one of the StatefulSet ``redis``, the lab's Valkey."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from opslib.lab import state as states
from opslib.lab.cache import Cache
from opslib.lab.processes import LabError

LOOK_SECONDS, ANSWER_SECONDS = 0.3, 0.3
"""How long a look counts, and how long the server may take to answer one."""


class Server(Protocol):
    """A process that a pod stands for."""

    def up(self) -> bool:
        """Tell whether it answers."""

    def renew(self) -> None:
        """End it and start it anew, with what it has on its disk; returns at once."""


class HostedCache:
    """The Valkey of the lab in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._looked, self._was_up = 0.0, True

    def up(self) -> bool:
        """Tell whether it answers a PING, whatever it says; while the lab itself is made it counts as up."""
        if self._lock.locked():
            return False
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._was_up, self._looked = self._answers(), time.monotonic()
        return self._was_up

    def renew(self) -> None:
        """End it and start it anew, in the background."""
        self._lock.acquire()
        threading.Thread(target=self._renew, name="renew the cache", daemon=True).start()

    def _renew(self) -> None:
        try:
            with states.locked(self._folder):
                state = states.read(self._folder)
                if state is not None:
                    cache = Cache(state, states.passwords(self._folder))
                    cache.down()
                    cache.up()
        except LabError as error:
            logging.getLogger(__name__).warning("The cache does not start: %s", error)
        finally:
            self._looked = 0.0
            self._lock.release()

    def _answers(self) -> bool:
        if not (self._folder / "target.env").is_file():
            return True
        with suppress(OSError, LabError):
            state = states.read(self._folder)
            port = state.entry(Cache.name).port if state else 0
            with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as wire:
                wire.settimeout(ANSWER_SECONDS)
                wire.sendall(b"PING\r\n")
                return bool(wire.recv(64))
        return False
