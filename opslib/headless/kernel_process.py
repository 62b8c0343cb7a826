"""The kernel's process as jupyter_client manages it: with a guardian between the two, and a line that may be cut."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager
from traitlets import Bool, Instance

from opslib.headless import kernel_warm
from opslib.headless.kernel_leash import GUARDIAN, MESSAGE, Leash
from opslib.headless.kernel_user import Account


class Manager(AsyncKernelManager):
    """jupyter_client's manager, with a guardian between it and the kernel."""

    leash: Leash = Instance(Leash)  # type: ignore[assignment]
    account: Account | None = Instance(Account, default_value=None, allow_none=True)  # type: ignore[assignment]
    whole: bool = Bool(True)  # type: ignore[assignment]

    def client(self, **said: Any) -> Any:
        """Return a client that takes no message of more than :data:`MESSAGE` bytes."""
        client = super().client(**said)
        client.context.setsockopt(zmq.MAXMSGSIZE, MESSAGE)
        return client

    def write_connection_file(self, **said: Any) -> None:
        """Write the file with the kernel's key; it belongs to the kernel's user, if it has one of its own."""
        super().write_connection_file(**said)
        if self.account:
            os.chown(self.connection_file, self.account.uid, self.account.gid)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the guardian's command, which ends in the kernel's."""
        user = f"{self.account.uid}:{self.account.gid}" if self.account else ":" if self.whole else "alone"
        return [sys.executable, "-I", "-S", str(GUARDIAN), user, *super().format_kernel_cmd(extra_arguments)]

    async def _async_launch_kernel(self, kernel_cmd: list[str], **said: Any) -> None:
        if process := self._forked(kernel_cmd, said):
            self._reconcile_connection_info(kernel_warm.launched(self.provisioner, process, said.get("cwd") or "."))
            self.leash.process = process
            return
        # What a kernel writes past its messages is not redacted, so it goes nowhere.
        quiet = {"stdin": self.leash.end, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super()._async_launch_kernel(kernel_cmd, **said, **quiet)
        self.leash.process = getattr(self.provisioner, "process", None)

    def _forked(self, command: list[str], said: dict[str, Any]) -> kernel_warm.Forked | None:
        zygote = kernel_warm.kept()
        start = [sys.executable, "-I", "-S", str(GUARDIAN)]
        user, *kernel = command[len(start) :]
        # Only ipykernel itself is in a zygote; a kernel of another description is started.
        if zygote is None or command[: len(start)] != start or kernel[1:3] != ["-m", "ipykernel_launcher"]:
            return None
        where = str(said.get("cwd") or Path.cwd())
        return zygote.taken(zygote.ask(user, kernel[3:], said["env"], where, self.leash.end))

    async def _async_kill_kernel(self, restart: bool = False) -> None:
        # Not by a signal to the guardian: killed, it could not end what is below it.
        self.leash.let_go()
        if self.provisioner:
            await self.provisioner.wait()


class Line:
    """Tells whether the kernel's line for outputs was cut: closed by the kernel, or by a message that was too long."""

    def __init__(self, client: Any) -> None:
        address = f"inproc://outputs-{id(self)}"
        client.iopub_channel.socket.monitor(address, zmq.EVENT_DISCONNECTED)
        self._events: Any = zmq.Context.shadow(client.context.underlying).socket(zmq.PAIR)
        self._events.connect(address)

    def cut(self) -> bool:
        """Return whether it was."""
        return bool(self._events.poll(0))

    def close(self) -> None:
        """Look no more."""
        self._events.close(linger=0)
