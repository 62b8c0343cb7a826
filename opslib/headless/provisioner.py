"""JupyterLab's kernels, forked from a process that has imported what runbooks need: nobody waits for that at 3 a.m.

An entry point of jupyter_client (``jupyter_client.kernel_provisioners``), which ``ops jupyter`` names as the default,
and an extension of its server, which starts that process beside it. Where a kernel cannot be forked (another one than
ipykernel, another Python path, not Linux) it is started as ever; nothing but time is lost.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_runtime_dir

from opslib.headless import kernel_warm
from opslib.headless.kernel_leash import Leash
from opslib.headless.kernel_standby import SCHEME, Standby, Standing

LAUNCHER = ["-m", "ipykernel_launcher"]

ZYGOTE = kernel_warm.Zygote()
"""What this server's kernels are forked from; it ends with the server."""

STANDBY = Standby(ZYGOTE)
"""The kernel that the next notebook gets, where one stands by."""


class Provisioner(LocalProvisioner):
    """jupyter_client's own, with kernels that are forked under a guardian where that can be."""

    _leash: Leash | None = None
    _standing: Standing | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Reserve the kernel that stands by, where there is one and nobody has connected to other addresses yet."""
        manager = self.parent
        if self.kernel_spec.argv[1:3] == LAUNCHER and manager and _usual(manager):
            self._standing = STANDBY.reserve()
            if self._standing:
                manager.load_connection_info(self._standing.addresses)
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork a kernel, or start it, and return how it is connected to."""
        # Its imports take seconds where the process to fork from is not there yet: the server goes on meanwhile.
        process = await asyncio.to_thread(self._forked, cmd, kwargs)
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        return kernel_warm.launched(self, process, str(kwargs.get("cwd") or Path.cwd()))

    def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> kernel_warm.Forked | None:
        standing, self._standing = self._standing, None
        self._let_go()
        said = dict(kwargs["env"]), str(kwargs.get("cwd") or Path.cwd())
        if standing:
            if self._plain(cmd) and standing.taken(*said, cmd[-1]):
                STANDBY.asked(said[0])
                self._leash = standing.leash
                return standing.process
            # One that is forked or started has its addresses.
            standing.end()
        if sys.platform != "linux" or cmd[:1] != [sys.executable] or cmd[1:3] != LAUNCHER:
            return None
        STANDBY.asked(said[0])
        leash = Leash()
        # "alone": what a notebook without a desk has started is its own executor, which seals the run.
        process = ZYGOTE.taken(ZYGOTE.ask("alone", cmd[3:], *said, leash.end))
        if process is None:
            leash.let_go()
        else:
            self._leash = leash
        return process

    def _plain(self, cmd: list[str]) -> bool:
        """Return whether a kernel is told nothing but where its connection's file is."""
        told = cmd[:3] == [sys.executable, *LAUNCHER] and cmd[3:4] == ["-f"] and len(cmd) == 5
        return told and "curve_publickey" not in self.connection_info

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
        if self._standing is not None:
            self._standing.end()
            self._standing = None


def _usual(manager: Any) -> bool:
    """Return whether a kernel's addresses are Unix sockets, and these and its key are nobody's choice."""
    if manager.transport != "ipc" or any(manager.ports) or "Session" in manager.config:
        return False
    place = f"{str(manager.connection_file).removesuffix('.json')}-ipc"
    return manager.ip == place and bool(manager.session.key) and manager.session.signature_scheme == SCHEME


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: object) -> None:
    """Start importing as soon as the server is there, before somebody asks for the first kernel."""
    threading.Thread(target=stand_by, name="kernel-zygote", daemon=True).start()


def stand_by() -> bool:
    """Import, and have a kernel stand by from then on; False where kernels are started. Safe to call from a thread."""
    if sys.platform != "linux" or not ZYGOTE.start():
        return False
    atexit.register(STANDBY.close)
    STANDBY.keep(os.environ, Path(jupyter_runtime_dir()))
    return True
