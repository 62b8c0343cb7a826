"""A person at a notebook, without a browser: a real kernel beside a real desk, cells run by their ids, buttons pressed.

It speaks what JupyterLab speaks: cells with their id in the request, widgets' messages over a subshell.
"""

import os
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

from jupyter_client.manager import KernelManager

from opslib.headless.desk import Desk
from opslib.runs.attaching import DESK
from opslib.runs.channel import Server

PATIENCE = 180.0


class Front:
    """One notebook opened: ``said`` is what its kernel sent, newest last."""

    def __init__(self, desk, notebook, folder):
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment |= {DESK: str(desk), "JPY_SESSION_NAME": str(notebook), "IPYTHONDIR": str(folder / "ipython")}
        environment |= {"JUPYTER_RUNTIME_DIR": str(folder)}
        self._kernel = KernelManager(
            kernel_name="python3", transport="ipc", connection_file=f"{folder}/kernel.json", ip=f"{folder}/at"
        )
        self._kernel.start_kernel(env=environment)
        self.pid = self._kernel.provisioner.pid
        self._open()

    def _open(self):
        self._client = self._kernel.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)
        message = self._client.session.msg("create_subshell_request", {})
        self._client.control_channel.send(message)
        self._subshell = self._client.get_control_msg(timeout=PATIENCE)["content"]["subshell_id"]
        self.widgets, self.shown = {}, {}

    def start(self, cell, source):
        """Run a cell and do not wait; returns the request's id."""
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": cell})
        self._client.shell_channel.send(message)
        self.shown[message["header"]["msg_id"]] = []
        return message["header"]["msg_id"]

    def wait(self, request):
        """Wait until a cell has ended; returns what it showed, errors as ``Name: words``."""
        self._until(lambda: self.shown[request][-1:] == ["idle"])
        return [str(one) for one in self.shown[request][:-1]]

    def run(self, cell, source):
        """Run a cell to its end."""
        return self.wait(self.start(cell, source))

    def press(self, name, *texts):
        """Press the newest button of that name once it can be pressed; ``texts`` are typed before."""
        self._until(lambda: self._button(name))
        for text in texts:
            typed = [one for one, state in self.widgets.items() if state.get("_model_name") == "TextModel"]
            self._send(typed[-1], {"method": "update", "state": {"value": text}, "buffer_paths": []})
        self._send(self._button(name), {"method": "custom", "content": {"event": "click"}})
        self.widgets[self._button(name)]["disabled"] = True

    def words(self):
        """Return what the newest panel says."""
        said = [state.get("value", "") for state in self.widgets.values() if state.get("_model_name") == "HTMLModel"]
        return said[-1] if said else ""

    def hears(self, text):
        """Wait until the newest panel says ``text``."""
        self._until(lambda: text in self.words())

    def restart(self):
        """Start the kernel anew, as JupyterLab does: the same notebook, and nothing of what it knew."""
        self._client.stop_channels()
        self._kernel.restart_kernel(now=True)
        self._open()

    def close(self):
        """End the kernel."""
        self._client.stop_channels()
        self._kernel.shutdown_kernel(now=True)
        self._kernel.cleanup_resources()

    def _button(self, name):
        found = [
            one
            for one, state in self.widgets.items()
            if state.get("_model_name") == "ButtonModel" and state["description"] == name and not state["disabled"]
        ]
        return found[-1] if found else None

    def _send(self, widget, data):
        message = self._client.session.msg("comm_msg", {"comm_id": widget, "data": data})
        message["header"]["subshell_id"] = self._subshell
        self._client.shell_channel.send(message)

    def _until(self, true):
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until, (self.words(), list(self.shown.values())[-3:])
            try:
                self._take(self._client.get_iopub_msg(timeout=0.1))
            except Empty:
                continue

    def _take(self, message):
        kind, content = message["msg_type"], message["content"]
        request = self.shown.get((message["parent_header"] or {}).get("msg_id"))
        if kind == "comm_open":
            self.widgets[content["comm_id"]] = dict(content["data"]["state"])
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.widgets[content["comm_id"]] |= content["data"]["state"]
        elif request is None:
            return
        elif kind == "status" and content["execution_state"] == "idle":
            request.append("idle")
        elif kind == "error":
            request.append(f"{content['ename']}: {content['evalue']}")
        elif kind == "stream":
            request.append(content["text"])
        elif kind in ("display_data", "execute_result"):
            request.append(content["data"].get("text/plain", ""))


@contextmanager
def at_desk(folder, environment="lab"):
    """Serve a desk in this process; hands out ``open(notebook)``, which opens one of the notebooks in a kernel."""
    folder.mkdir(mode=0o700, exist_ok=True)
    desk, fronts = Desk(environment), []
    server = Server(Path(folder) / "desk", desk)

    def open_(notebook):
        fronts.append(Front(folder / "desk", f"/copies/notebooks/{notebook}.ipynb", folder))
        return fronts[-1]

    try:
        yield open_
    finally:
        for front in fronts:
            front.close()
        server.close()
        desk.close()
