"""JupyterLab for people: on this machine alone, with a token, and with the desk that its notebooks ask for executors.

It opens copies of the notebooks: what is edited there is marked in the record, never in the source, and is gone
at the end. Its processes get nothing of this one's environment that could be a credential.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files, places, settings
from opslib.errors import StepFailed
from opslib.headless import kernel_user
from opslib.headless.desk import Desk
from opslib.headless.kernel_leash import end_marked, hide
from opslib.headless.kernel_user import KERNEL, Account
from opslib.headless.private import Private
from opslib.headless.session import KEPT
from opslib.runs.attaching import DESK
from opslib.runs.channel import Server

START = "start-here.ipynb"
PROVISIONER = "opslib.headless.provisioner"
"""The server's extension from which its kernels come; named, not imported: it brings jupyter_client."""
LINE = "opslib.headless.kernel_websocket.Connection"
"""What the server opens for a page to its kernel; named for the same reason."""
KERNEL_ROOM = 64
"""Bytes that a kernel's sockets have behind the private folder's name: ``/kernel/kernel-<36>-ipc-5``."""
STARTING = 60.0
"""Seconds in which JupyterLab answers."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """A JupyterLab that answers: ``url`` opens it, with its token."""

    url: str
    process: subprocess.Popen[bytes]
    desk: Desk
    home: Path


@contextmanager
def serving(environment: str, *, port: int = 8888, progress: Tell = lambda text: None) -> Iterator[Running]:
    """Serve JupyterLab and its desk on ``environment`` during the block, on 127.0.0.1 and the first free port.

    At the end its kernels are ended and open runs sealed as interrupted. Raises SettingsError for a description
    that does not do, StepFailed when JupyterLab does not start.
    """
    target = settings.load(environment)
    account = kernel_user.account(target.kernel_user, places.archive_folder(), places.ROOT / f".env.{environment}")
    hide()
    private, desk = Private(KERNEL_ROOM), Desk(environment, progress)
    mark = f"OPS_KERNEL={private.path}"
    try:
        server = Server(private.path / "desk", desk, peer=account.uid if account else None)
        try:
            home = _home(private.path, account, environment, _config(port))
            process = _start(home, private.path, account)
            try:
                yield Running(_answering(process, home), process, desk, home)
            finally:
                _end(process)
                end_marked(mark.encode())
        finally:
            server.close()
            desk.close()
    finally:
        private.remove()


def _home(private: Path, account: Account | None, environment: str, config: dict[str, Any]) -> Path:
    """Make the folder that JupyterLab lives in: its settings and the copies of the notebooks."""
    home = private / KERNEL
    if account:
        account.take(private, private / "desk")
    home.mkdir(mode=0o700, exist_ok=True)
    source, copies = places.notebooks_folder(), home / "notebooks"
    shutil.copytree(source, copies, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for path in copies.rglob("*.ipynb"):
        path.write_text(_led(path.read_text(encoding="utf-8"), environment), encoding="utf-8")
    config["ServerApp"]["root_dir"] = str(copies)
    files.make_folder(home / "config" / "labconfig")
    files.write_json(home / "config" / "jupyter_server_config.json", config)
    files.write_json(home / "config" / "labconfig" / "page_config.json", PAGE)
    manager = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "docmanager-extension"
    files.make_folder(manager)
    files.write_json(manager / "plugin.jupyterlab-settings", SAVING)
    if account:
        for path in (home, *home.rglob("*")):
            os.chown(path, account.uid, account.gid)
    return home


def _led(text: str, environment: str) -> str:
    # The one default that must not be typed by hand in each notebook: a desk serves one environment.
    return text.replace('environment: str = \\"lab\\"', f'environment: str = \\"{environment}\\"', 1)


PAGE = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyterlab/extensionmanager-extension": True,
        "@jupyterlab/terminal-extension": True,
    }
}
"""No news from the net, nothing to install, no terminal: this JupyterLab is for runbooks."""


SAVING = {"autosaveInterval": 10}
"""Seconds after which the copy is saved: what cells had shown, a waiting step's plan among it, outlives a reload."""


def _config(port: int) -> dict[str, Any]:
    return {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 50,
            "open_browser": False,
            "allow_remote_access": False,
            "allow_root": True,
            "jpserver_extensions": dict.fromkeys(("jupyter_lsp", "jupyter_server_terminals", "notebook_shim"), False)
            | {"jupyterlab": True, PROVISIONER: True},
            "terminals_enabled": False,
            "kernel_websocket_connection_class": LINE,
            "default_url": f"/lab/tree/{START}",
        },
        "IdentityProvider": {"token": secrets.token_urlsafe(32)},
        # Unix sockets in a private folder: no port of a kernel is open to other users.
        "KernelManager": {"transport": "ipc"},
        "KernelProvisionerFactory": {"default_provisioner_name": "opslib"},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
        },
    }


def _start(home: Path, private: Path, account: Account | None) -> subprocess.Popen[bytes]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    own = {
        DESK: str(private / "desk"),
        "OPS_KERNEL": str(private),
        "PYTHONSAFEPATH": "1",
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "config" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    user: dict[str, Any] = {}
    if account:
        own |= account.environment(private)
        user = {"user": account.uid, "group": account.gid, "extra_groups": []}
    with (home / "jupyterlab.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyterlab"],
            cwd=home / "notebooks",
            env=kept | own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **user,
        )


def _answering(process: subprocess.Popen[bytes], home: Path) -> str:
    """Return the address with its token, once JupyterLab answers there."""
    until = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError, ValueError, KeyError):
            said = json.loads((home / f"jpserver-{process.pid}.json").read_bytes())
            with socket.create_connection(("127.0.0.1", said["port"]), timeout=1):
                return f"http://127.0.0.1:{said['port']}/lab/tree/{START}?token={said['token']}"
        time.sleep(0.1)
    log = (home / "jupyterlab.log").read_text(encoding="utf-8", errors="replace")
    raise StepFailed(f"JupyterLab did not start: {' '.join(log.strip().splitlines()[-1:])}", "Set up again: make setup")


def _end(process: subprocess.Popen[bytes]) -> None:
    # At once: it holds copies only, and asked kindly it waits for every kernel that is in a cell.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
