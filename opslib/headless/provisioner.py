"""JupyterLab's kernels, forked from a process that has imported what runbooks need: nobody waits for that at 3 a.m.

An entry point of jupyter_client (``jupyter_client.kernel_provisioners``), which ``ops jupyter`` names as the default,
and an extension of its server, which starts that process beside it. Where a kernel cannot be forked (another one than
ipykernel, another Python path, not Linux) it is started as ever; nothing but time is lost.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from opslib.headless import kernel_warm
from opslib.headless.kernel_leash import Leash

LAUNCHER = ["-m", "ipykernel_launcher"]

ZYGOTE = kernel_warm.Zygote()
"""What this server's kernels are forked from; it ends with the server."""


class Provisioner(LocalProvisioner):
    """jupyter_client's own, with kernels that are forked under a guardian where that can be."""

    _leash: Leash | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork a kernel, or start it, and return how it is connected to."""
        # Its imports take seconds where the process to fork from is not there yet: the server goes on meanwhile.
        process = await asyncio.to_thread(self._forked, cmd, kwargs)
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        return kernel_warm.launched(self, process, str(kwargs.get("cwd") or Path.cwd()))

    def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> kernel_warm.Forked | None:
        self._let_go()
        if sys.platform != "linux" or cmd[:1] != [sys.executable] or cmd[1:3] != LAUNCHER:
            return None
        leash = Leash()
        # "alone": what a notebook without a desk has started is its own executor, which seals the run.
        said = dict(kwargs["env"]), str(kwargs.get("cwd") or Path.cwd())
        process = ZYGOTE.fork("alone", cmd[3:], *said, leash.end)
        if process is None:
            leash.let_go()
        else:
            self._leash = leash
        return process

    async def kill(self, restart: bool = False) -> None:
        """End the kernel at once."""
        # Not by a signal to the guardian: killed, it could not end what is below it.
        if self._leash is None:
            await super().kill(restart)
        self._let_go()

    async def cleanup(self, restart: bool = False) -> None:
        """Let go what is left of the kernel."""
        self._let_go()
        await super().cleanup(restart)

    def _let_go(self) -> None:
        if self._leash is not None:
            self._leash.let_go()
            self._leash = None


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: object) -> None:
    """Start importing as soon as the server is there, before somebody asks for the first kernel."""
    threading.Thread(target=ZYGOTE.start, name="kernel-zygote", daemon=True).start()
