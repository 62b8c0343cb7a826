"""One kernel that stands by for the next notebook that is opened: with it a page waits for its first cell alone.

It is forked from the server's zygote, on a leash of its own, and stands in no list. It is good for one notebook, and
for the environment that it was made with; where that does not fit, or it is not there yet, a kernel is forked as ever.
There is one at most, and it ends with its server. What it is told last: :mod:`.kernel_standby_process`.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from opslib.headless.kernel_leash import Leash
from opslib.headless.kernel_warm import Forked, Zygote
from opslib.warm_ahead import READY, TAKEN, TOLD, UNFIT

NAME = "JPY_SESSION_NAME"
"""The variable with the notebook's name: the one in which kernels of one server differ."""

PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
SCHEME = "hmac-sha256"
LONGEST = 107
"""Bytes of a Unix socket's path at most (unix(7))."""

AFTERWARDS = 1.0
"""Seconds after a notebook was opened in which its first cell gets the machine, before the next kernel is made."""

ANSWER = 2.0
"""Seconds within which a kernel that stands by says that it is taken: it has nothing else to do."""


@dataclass
class Standing:
    """A kernel that stands by, as its server holds it: good for one notebook, or to be ended."""

    process: Forked
    leash: Leash
    line: socket.socket
    environment: dict[str, str]
    addresses: dict[str, Any]

    def ready(self) -> bool:
        """Return whether it is complete and lives."""
        self.line.settimeout(0)
        with suppress(OSError):
            return self.process.poll() is None and self.line.recv(TOLD, socket.MSG_PEEK) == READY
        return False

    def taken(self, environment: Mapping[str, str], cwd: str, file: str) -> bool:
        """Make it a notebook's own; False where it can't be. ``file`` is where the server has its addresses written."""
        own = {NAME: environment[NAME]} if NAME in environment else {}
        told = json.dumps({"environment": own, "cwd": cwd, "file": file}).encode()
        if len(told) > TOLD or shared(environment) != self.environment:
            return False
        with suppress(OSError):
            self.line.settimeout(ANSWER)
            if self.line.recv(TOLD) == READY and self.line.send(told) and self.line.recv(TOLD) == TAKEN:
                self.line.close()
                return True
        return False

    def end(self) -> None:
        """End it and take its sockets away."""
        self.line.close()
        self.leash.let_go()
        with suppress(TimeoutExpired):
            self.process.wait(ANSWER)
        for port in PORTS:
            Path(f"{self.addresses['ip']}-{self.addresses[port]}").unlink(missing_ok=True)


class Standby:
    """Keeps one kernel that stands by, from :meth:`keep` to :meth:`close`."""

    def __init__(self, zygote: Zygote) -> None:
        """It is forked from this zygote."""
        self._zygote = zygote
        self._folder: Path | None = None
        self._standing: Standing | None = None
        self._environment: dict[str, str] = {}
        self._lock = threading.Lock()

    def keep(self, environment: Mapping[str, str], folder: Path) -> None:
        """Have one for this environment from now on, its sockets in ``folder``, which is open to this user alone."""
        with self._lock:
            self._folder, self._environment = folder, shared(environment)
            self._make()

    def reserve(self) -> Standing | None:
        """Give the one that is ready to the caller, who takes or ends it; None where there is none. Never waits."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._standing is None or not self._standing.ready():
                return None
            standing, self._standing = self._standing, None
            return standing
        finally:
            self._lock.release()

    def asked(self, environment: Mapping[str, str]) -> None:
        """Have another soon, for the environment of the kernel that was asked for last."""
        with self._lock:
            self._environment = shared(environment)
            if self._folder:
                timer = threading.Timer(AFTERWARDS, self._again)
                timer.daemon = True
                timer.start()

    def close(self) -> None:
        """End it, and keep none."""
        with self._lock:
            self._folder = None
            self._end()

    def _again(self) -> None:
        with self._lock:
            self._make()

    def _make(self) -> None:
        """Make one where there is none that lives and fits."""
        if self._folder is None or (self._standing and self._fits(self._standing)):
            return
        if self._standing and self._standing.process.poll() == UNFIT:
            self._folder = None
        self._end()
        if self._folder is None:
            return
        ip = str(self._folder / f"kernel-{uuid.uuid4()}-ipc")
        if not self._folder.is_dir() or len(os.fsencode(f"{ip}-{len(PORTS)}")) > LONGEST:
            return
        ports = {name: number for number, name in enumerate(PORTS, 1)}
        addresses = {"transport": "ipc", "ip": ip, "key": secrets.token_hex(32), "signature_scheme": SCHEME, **ports}
        leash, (ours, theirs) = Leash(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # "alone": as with every kernel of JupyterLab. Its folder is the notebook's once it is taken.
        told = self._zygote.ask(
            "alone", [], self._environment, str(self._folder), leash.end, theirs.fileno(), addresses=addresses
        )
        process = self._zygote.taken(told)
        theirs.close()
        if process is None:
            ours.close()
            leash.let_go()
        else:
            self._standing = Standing(process, leash, ours, self._environment, addresses)

    def _fits(self, standing: Standing) -> bool:
        return standing.environment == self._environment and standing.process.poll() is None

    def _end(self) -> None:
        if self._standing:
            self._standing.end()
            self._standing = None


def shared(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what is the same for all notebooks of a server."""
    return {name: value for name, value in environment.items() if name != NAME}
