"""The papermill engine ``opslib``: a kernel that holds reading credentials only, outputs redacted before they are kept.

Registered as entry point ``papermill.engine``. ``ops run`` passes the run's session; called by papermill
alone (``papermill in.ipynb out.ipynb --engine opslib``) the notebook opens its own run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine as PapermillEngine
from papermill.log import logger
from traitlets import Instance
from traitlets.config import Config

from opslib.redaction import Redactor


class Session(Protocol):
    """What the engine needs of the run that it executes."""

    redactor: Redactor
    private: Path

    def environment(self) -> dict[str, str]:
        """Return the kernel's whole process environment."""

    def cell_started(self, cell: str) -> None:
        """Note that the cell with this id begins."""

    def cell_finished(self, cell: str, status: str) -> list[int]:
        """Note that it ended (``ok`` or ``error``); returns the journal's numbers that belong to it."""


class Engine(PapermillEngine):  # type: ignore[misc] # papermill is untyped
    """Executes a notebook for papermill; see the module's docstring."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        session: Session | None = None,
        **unused: Any,
    ) -> Any:
        """Run ``nb_man.nb`` cell by cell in a fresh kernel; called by papermill."""
        for cell in nb_man.nb.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell["id"] = "injected-parameters"
        with ExitStack() as stack:
            private = session.private if session else stack.enter_context(tempfile.TemporaryDirectory(prefix="ops-"))
            client = Client(
                nb_man,
                session=session,
                kernel_name=kernel_name,
                timeout=execution_timeout,
                startup_timeout=start_timeout,
                log=logger,
                log_output=log_output,
                # Unix sockets: no port of the kernel is open to other users. They lie where the connection file
                # lies; without one they would lie in the working folder, shared by all runs that start there.
                config=Config({"KernelManager": {"transport": "ipc", "connection_file": f"{private}/kernel.json"}}),
            )
            stack.callback(client.end)
            environment = {} if session is None else {"env": session.environment()}
            # What a kernel writes past its messages is not redacted, so it goes nowhere.
            return client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **environment)


class Client(PapermillNotebookClient):  # type: ignore[misc] # papermill is untyped
    """papermill's client, with each cell told to the session and every message redacted on arrival."""

    session: Session | None = Instance(object, default_value=None, allow_none=True)  # type: ignore[assignment]

    _group: int | None = None

    def end(self) -> None:
        """End what the notebook started and a killed kernel left: the processes of the kernel's group."""
        if self._group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    def papermill_execute_cells(self) -> None:
        """Execute the cells in order; stop after the first that fails, keeping its output."""
        self._group = self.km.provisioner.pgid
        for index, cell in enumerate(self.nb.cells):
            status = "ok"
            try:
                if self.session and cell.cell_type == "code":
                    self.session.cell_started(cell["id"])
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                status = "error"
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException:
                status = "error"
                raise
            finally:
                self._keep(self.nb.cells[index], status)
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Redact what the kernel sent before anything keeps it."""
        if self.session and "content" in msg:
            msg = {**msg, "content": self.session.redactor.tree(msg["content"])}
        return super().process_message(msg, cell, cell_index)

    def _keep(self, cell: Any, status: str) -> None:
        if self.session is None or cell.cell_type != "code":
            return
        # A secret may be split over two stream messages; only the joined text shows it.
        cell["outputs"] = _joined(cell.get("outputs", []), self.session.redactor)
        cell["metadata"]["opslib"] = {"journal": self.session.cell_finished(cell["id"], status)}


def _joined(outputs: list[Any], redactor: Redactor) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        last = kept[-1] if kept else None
        if last and output["output_type"] == last["output_type"] == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            kept.append(output)
    for output in kept:
        if output["output_type"] == "stream":
            output["text"] = redactor.text(output["text"])
    return kept


def execute(notebook: str, output: str, parameters: Mapping[str, Any], session: Session) -> None:
    """Execute a notebook through papermill; raises papermill's PapermillExecutionError when a cell fails."""
    import papermill

    papermill.execute_notebook(
        notebook,
        output,
        parameters=dict(parameters),
        engine_name="opslib",
        kernel_name="python3",
        language="python",
        progress_bar=False,
        session=session,
    )
