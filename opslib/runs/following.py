"""What a person runs, as the notebook's process sees it: each cell is told to the executor, and what it showed.

The cell that begins the run told nothing before; it is told first. Outputs are read back from the kernel's own
broadcast, so that the record shows what the person was shown, prints and errors too.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import Any

from opslib.errors import OpsError
from opslib.runs.channel import Client

MOST_OUTPUTS, MOST_BYTES = 1000, 8_000_000
"""Outputs of one cell that are told; the executor keeps fewer bytes of them, and says how many it cut."""

PATIENCE = 0.2


class Following:
    """Follows the cells of one kernel until :meth:`close`."""

    def __init__(self, path: str, shell: Any) -> None:
        self._shell, self._line, self._closed = shell, Client(path), False
        self._cells: dict[str, str] = {}
        self._showing = Client(path)
        self._broadcast = _broadcast()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()
        self._ready.wait(2)
        shell.events.register("pre_run_cell", self._before)
        shell.events.register("post_run_cell", self._after)
        sources = shell.history_manager.input_hist_raw
        self._tell(sources[-1] if sources else "")

    def close(self) -> None:
        """Follow no more; what was shown so far has been told."""
        if not self._closed:
            self._closed = True
            self._shell.events.unregister("pre_run_cell", self._before)
            self._shell.events.unregister("post_run_cell", self._after)

    def _before(self, info: Any) -> None:
        self._tell(info.raw_cell)

    def _tell(self, source: str) -> None:
        parent = self._shell.get_parent()
        cell = str((parent.get("metadata") or {}).get("cellId") or "")
        self._cells[parent["header"]["msg_id"]] = cell
        self._ask(self._line, "cell", cell=cell, source=source, count=self._shell.execution_count)

    def _after(self, result: Any) -> None:
        cell = self._cells.get(self._shell.get_parent()["header"]["msg_id"])
        if cell is not None:
            self._ask(self._line, "cell ran", cell=cell, ok=bool(result.success))

    def _ask(self, line: Client, verb: str, **said: Any) -> None:
        try:
            line.ask(verb, **said)
        except (OpsError, OSError):
            # The run is at its end, and its record with it; what a person does after that is theirs.
            self.close()

    def _follow(self) -> None:
        try:
            self._followed()
        finally:
            self._broadcast.stop_channels()

    def _followed(self) -> None:
        shown: dict[str, Shown] = {}
        while not (self._closed and not shown):
            try:
                message = self._broadcast.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                if self._closed:
                    return
                continue
            if message["msg_type"] == "iopub_welcome":
                self._ready.set()
            parent = str(message["parent_header"].get("msg_id") or "")
            cell = self._cells.get(parent)
            if cell is None:
                continue
            kept = shown.setdefault(parent, Shown())
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                del shown[parent]
                self._ask(self._showing, "cell showed", cell=cell, outputs=kept.outputs)
            else:
                kept.take(message)


class Shown:
    """The outputs of one cell, as a front end would keep them."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._named: dict[str, list[dict[str, Any]]] = {}
        self._clear = False
        self._bytes, self._cut = 0, False

    def take(self, message: dict[str, Any]) -> None:
        """Keep what this message shows."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self._clear = bool(content.get("wait"))
            if not self._clear:
                self.outputs.clear()
        name = str((content.get("transient") or {}).get("display_id") or "")
        if kind == "update_display_data":
            for output in self._named.get(name, ()):
                output |= {"data": content["data"], "metadata": content["metadata"]}
        if kind not in ("stream", "display_data", "execute_result", "error") or len(self.outputs) >= MOST_OUTPUTS:
            return
        self._bytes += len(json.dumps(content, default=str))
        if self._bytes > MOST_BYTES and kind != "error":
            if not self._cut:
                said = f"More than {MOST_BYTES} bytes were shown; the rest is not recorded.\n"
                self.outputs.append({"output_type": "stream", "name": "stderr", "text": said})
            self._cut = True
            return
        if self._clear:
            self.outputs.clear()
            self._clear = False
        output = {"output_type": kind} | {name: value for name, value in content.items() if name != "transient"}
        self.outputs.append(output)
        if name:
            self._named.setdefault(name, []).append(output)


def _broadcast() -> Any:
    import zmq
    from ipykernel.connect import get_connection_file
    from jupyter_client.blocking.client import BlockingKernelClient

    # A context of its own would be ended when it is collected, wherever that happens, and wait for open sockets then.
    client = BlockingKernelClient(context=zmq.Context.instance(), connection_file=get_connection_file())
    client.load_connection_file()
    with contextlib.suppress(OSError):
        client.start_channels(shell=False, iopub=True, stdin=False, hb=False, control=False)
    return client
