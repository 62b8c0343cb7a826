"""What every server of the lab has in common."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from opslib.lab.accounts import Account
from opslib.lab.processes import LabError, Trace, await_ready, find, free_port, launch, listens, stop, strays
from opslib.lab.state import Entry, State

Progress = Callable[[str, int, int], None]
"""``progress(text, done, total)``: what has just been done, as how many of how many parts."""

ATTEMPTS = 3


class Service:
    """One server of the lab. A subclass says how it is prepared, started and filled."""

    name: ClassVar[str]
    what: ClassVar[str]
    polite: ClassVar[signal.Signals] = signal.SIGTERM
    patience: ClassVar[float] = 30.0
    """Seconds that it may take to be ready."""

    def __init__(self, state: State, passwords: Mapping[str, str]) -> None:
        self.state = state
        self.passwords = passwords
        self.folder = state.folder / self.name
        self.log = state.folder / "logs" / f"{self.name}.log"

    def prepare(self) -> None:
        """Write what the server needs before it starts; called before every start."""

    def command(self) -> list[str]:
        """Return the command line; no secret may stand in it."""
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        """Return environment variables for the server."""
        return {}

    def account(self) -> Account:
        """Return the account under which the server runs."""
        return Account()

    def ready(self) -> bool:
        """Tell whether the server answers."""
        return listens(self.trace, self.port)

    def fill(self) -> None:
        """Put the lab's data into the running server."""

    def discard(self) -> None:
        """Remove data that is incomplete because filling was interrupted."""

    @property
    def entry(self) -> Entry:
        """The service's entry in the lab's state."""
        return self.state.entry(self.name)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self.entry.port

    @property
    def trace(self) -> Trace:
        """The running process; raises LabError if there is none."""
        if self.entry.trace is None:
            raise LabError(f"{self.name} was never started.", "Start the lab: ops lab up")
        return self.entry.trace

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return find(self.entry.trace) is not None

    @property
    def complete(self) -> bool:
        """Whether the process is alive and its data is complete."""
        return self.running and self.entry.filled

    def up(self) -> None:
        """Start the server unless it runs, and fill it unless it is full."""
        if self.complete:
            return
        if not self.entry.filled:
            stop(self.entry.trace, self.polite)
            self.discard()
        if not self.running:
            self._start()
        if not self.entry.filled:
            self.fill()
            self.entry.filled = True
            self.state.save()

    def down(self) -> None:
        """Stop the server and all its children."""
        known = self.running
        stop(self.entry.trace, self.polite)
        if not known and self.entry.port:
            for stray in strays(self.command(), self.folder):
                stop(stray, self.polite)

    def _start(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for attempt in range(1, ATTEMPTS + 1):
            if not self.entry.port or attempt > 1:
                self.entry.port = free_port(self.state.ports)
            self.prepare()
            command, account = self.command(), self.account()
            self.state.save()  # the port: by it a process is found again that nobody could write down any more
            self.entry.trace = launch(
                command, self.log, folder=self.folder, variables=self.variables(), account=account
            )
            self.state.save()
            try:
                return await_ready(self.trace, self.ready, self.name, self.log, self.patience)
            except LabError:
                # Somebody may have taken the port between its choice and its use: choose another.
                stop(self.entry.trace, self.polite)
                if attempt == ATTEMPTS or not self.port_was_taken():
                    raise
        return None

    def port_was_taken(self) -> bool:
        """Tell from the log's end whether the start failed on the port."""
        end = _end(self.log)
        return any(sign in end for sign in ("Address already in use", "address already in use", "could not bind"))


def _end(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]) if log.is_file() else ""
