"""The process in which a run's cells are executed, as its runner asks for it: forked, or started."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from opslib.headless import kernel_warm
from opslib.headless.kernel_leash import GUARDIAN, Leash, Session, hide

PROGRAM = "opslib.headless.shell_process"


class Process:
    """The process in which a run's cells are executed, from when it is asked for until nothing of it is left.

    It is forked, or started, while its runner does something else: :meth:`line` waits for it. Until its first cell it
    executes nothing; with a run that could not be registered it ends.
    """

    def __init__(self, session: Session) -> None:
        """Ask for it: of the session is needed whose it is to be, and its folder."""
        hide()
        # The mark that all processes of this notebook inherit; and no imports from the folder they start in.
        self._environment = session.environment() | {"OPS_KERNEL": str(session.private), "PYTHONSAFEPATH": "1"}
        account = session.account
        if account:
            self._environment |= account.environment(session.private)
        self._user = f"{account.uid}:{account.gid}" if account else ":"
        self._mark = f"OPS_KERNEL={session.private}"
        self.leash = Leash()
        self._ours, self._theirs = socket.socketpair()
        self._over = False
        self._told: int | None = None
        self._zygote = kernel_warm.kept()
        # One that imports until it is asked loses nothing by waiting.
        if self._zygote is None or not self._zygote.imports:
            self._ask()

    def line(self) -> socket.socket:
        """Return the line to it; where none was forked, one is started."""
        if self._told is None and self.leash.process is None:
            self._ask()
        self._take()
        if self.leash.process is None:
            self._start()
        self._theirs.close()
        return self._ours

    def close(self) -> None:
        """End it, with everything that it has started."""
        if self._over:
            return
        self._over = True
        self.leash.let_go()
        self._take()
        self.leash.close(self._mark)
        for end in (self._ours, self._theirs):
            end.close()

    def _ask(self) -> None:
        if self._zygote:
            where = str(Path.cwd()), self.leash.end, self._theirs.fileno()
            self._told = self._zygote.ask(self._user, None, self._environment, *where)
        if self._told is None:
            self._start()

    def _take(self) -> None:
        if self._zygote and self._told is not None:
            self.leash.process, self._told = self._zygote.taken(self._told), None

    def _start(self) -> None:
        self.leash.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARDIAN), self._user, sys.executable, "-P", "-m", PROGRAM],
            stdin=self.leash.end,
            stdout=self._theirs.fileno(),
            # What a process writes past its messages is not redacted, so it goes nowhere.
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
