"""The kernel that stands by: all of ipykernel is made, its sockets are there, and whose it is comes last.

What it is made with is the same for every notebook of its server: the environment, and IPython without a configuration
of the user's. What may differ, and all code of the user's, comes when it is taken: the working folder, the notebook's
name, the connection's file, then the extensions and files that IPython loads at its start.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from ipykernel import kernelapp

from opslib.warm_ahead import READY, TAKEN, TOLD, UNFIT

CONFIGURATION = [name + ending for name in ("ipython_config", "ipython_kernel_config") for ending in (".py", ".json")]


class IPKernelApp(kernelapp.IPKernelApp):
    """ipykernel's own program, called like it: the name is seen in ``%config`` and is a configuration's section."""

    line: socket.socket
    addresses: Any

    def init_connection_file(self) -> None:
        """Take the addresses and the key that the server has given."""
        self.load_connection_info(self.addresses)

    def write_connection_file(self, **said: Any) -> None:
        """Write nothing: the file is the server's, as with every kernel that a server has."""

    def init_extensions(self) -> None:
        """Wait until a notebook takes this kernel, and go on as its own."""
        if configured(self.config_file_paths):
            self.exit(UNFIT)
        self.line.send(READY)
        said = self.line.recv(TOLD)
        if not said or configured(self.config_file_paths):
            self.exit(UNFIT)
        self._become(json.loads(said))
        self.line.send(TAKEN)
        self.line.close()
        super().init_extensions()  # type: ignore[no-untyped-call]

    def _become(self, given: dict[str, Any]) -> None:
        os.chdir(given["cwd"])
        os.environ.update(given["environment"])
        self.connection_file = given["file"]
        sys.argv[1:] = ["-f", given["file"]]
        shell: Any = self.shell
        shell.starting_dir = str(Path.cwd())
        if shell.history_manager is not None:
            shell.history_manager.dir_hist[:] = [Path.cwd()]
        if name := given["environment"].get("JPY_SESSION_NAME"):
            shell.user_ns["__session__"] = name


def configured(folders: list[str]) -> bool:
    """Return whether IPython would read a configuration of the user's: it may ask for anything a kernel can know."""
    return any(Path(folder, name).exists() for folder in folders for name in CONFIGURATION)


def launch(line: socket.socket, addresses: dict[str, Any]) -> None:
    """Be the kernel; returns, or raises SystemExit, when it has ended."""
    app: Any = IPKernelApp.instance()
    app.line, app.addresses = line, addresses
    app.initialize([f"--IPKernelApp.parent_handle={os.getppid()}"])
    app.start()
