"""The papermill engine ``opslib``: a kernel that holds reading credentials only, outputs redacted before they are kept.

Registered as entry point ``papermill.engine``. ``ops run`` passes the run's session; called by papermill
alone (``papermill in.ipynb out.ipynb --engine opslib``) the notebook opens its own run.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine as PapermillEngine
from papermill.exceptions import PapermillExecutionError
from papermill.log import logger
from traitlets import Instance
from traitlets.config import Config

from opslib.headless import kernel_outputs, notebooks
from opslib.headless.kernel_leash import GRACE, SILENT, Leash, Session, Watch, hide
from opslib.headless.kernel_process import Line, Manager
from opslib.headless.kernel_user import KERNEL, Account
from opslib.headless.private import parent

CellFailed = PapermillExecutionError


class Engine(PapermillEngine):  # type: ignore[misc] # papermill is untyped
    """Executes a notebook for papermill; see the module's docstring."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        start_timeout: int = 60,
        execution_timeout: float | None = None,
        session: Session | None = None,
        grace: float = GRACE,
        silent: float = SILENT,
        **unused: Any,
    ) -> Any:
        """Run ``nb_man.nb`` cell by cell in a fresh kernel; called by papermill.

        ``execution_timeout`` is how many seconds one cell may take. When this returns or raises, no process
        that the notebook of a session started is left. Raises UsageError, before any, for parameters that don't fit.
        """
        for cell in nb_man.nb.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell["id"] = "injected-parameters"
        if session is None:  # with one, ops run has looked at the parameters already
            notebooks.injected(nb_man.nb)
        hide()
        with ExitStack() as stack:
            private = session.private if session else Path(stack.enter_context(_own_folder()))
            environment = session.environment() if session else dict(os.environ)
            # The mark that all processes of this notebook inherit; and no imports from the folder they start in.
            environment |= {"OPS_KERNEL": str(private), "PYTHONSAFEPATH": "1"}
            account = session.account if session else None
            if account:
                environment |= account.environment(private)
            leash = Leash()
            stack.callback(leash.close, f"OPS_KERNEL={private}" if session else "")
            watch = Watch(leash, seconds=execution_timeout, grace=grace, silent=silent)
            stack.callback(watch.close)
            client = Client(
                nb_man,
                session=session,
                watch=watch,
                leash=leash,
                account=account,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                log=logger,
                log_output=log_output,
                config=_own_files(private),
            )
            return client.execute(env=environment)


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ops-", dir=parent())


def _own_files(private: Path) -> Config:
    # Unix sockets: no port of the kernel is open to other users. The kernel makes them, where its user may;
    # named by default they would lie in the working folder, shared by all runs that start there.
    (private / KERNEL).mkdir(mode=0o700, exist_ok=True)
    files = {"transport": "ipc", "connection_file": f"{private}/kernel.json", "ip": f"{private}/{KERNEL}/at"}
    return Config({"KernelManager": files})


class Client(PapermillNotebookClient):  # type: ignore[misc] # papermill is untyped
    """papermill's client, with each cell told to the session and every message redacted on arrival."""

    session: Session | None = Instance(object, default_value=None, allow_none=True)  # type: ignore[assignment]
    watch: Watch = Instance(Watch)  # type: ignore[assignment]
    leash: Leash = Instance(Leash)  # type: ignore[assignment]
    account: Account | None = Instance(Account, default_value=None, allow_none=True)  # type: ignore[assignment]

    _meter = kernel_outputs.Meter()

    def create_kernel_manager(self) -> Manager:
        """Return a manager whose kernel stands under a guardian."""
        self.km = Manager(
            kernel_name=self.kernel_name,
            config=self.config,
            leash=self.leash,
            account=self.account,
            whole=self.session is not None,
        )
        return self.km

    def execute(self, **said: Any) -> Any:
        """Start the kernel, execute the cells, end the kernel; returns the notebook."""
        self.reset_execution_trackers()
        with self.setup_kernel(**said):
            line = Line(self.kc)
            try:
                # Asked before any cell: one that has broken its kernel would not answer.
                told = self.wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = told["content"]["language_info"]
                self.kc.hb_channel.unpause()
                self.watch.beating, self.watch.cut = self.kc.hb_channel.is_beating, line.cut
                self.papermill_execute_cells()
                self.set_widgets_metadata()
            except BaseException:
                # Nothing of a broken kernel is waited for.
                self.shutdown_kernel = "immediate"
                raise
            finally:
                self.watch.close()
                line.close()
        return self.nb

    def papermill_execute_cells(self) -> None:
        """Execute the cells in order; stop after the first that fails, keeping its output."""
        if self.session:
            self.session.shown.begin(self.nb)
        for index, cell in enumerate(self.nb.cells):
            status = "ok"
            try:
                if self.session and cell.cell_type == "code":
                    self.session.cell_started(cell["id"])
                self._meter = kernel_outputs.Meter()
                self.nb_man.cell_start(cell, index)
                self._execute_in_time(cell, index)
            except CellExecutionError as error:
                status = "error"
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException as error:
                status = "error"
                # Else papermill calls it completed.
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                raise
            finally:
                self._keep(self.nb.cells[index], status)
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
                if self.session and cell.cell_type == "code":
                    self.session.shown.append(index, self.nb.cells[index])

    def _execute_in_time(self, cell: Any, index: int) -> None:
        self.watch.cell(cell["id"] if cell.cell_type == "code" else "")
        try:
            self.execute_cell(cell, index)
        except DeadKernelError:
            if not self.watch.why:
                raise DeadKernelError(f"the kernel ended in cell {cell['id']} ({self.leash.ending()})") from None
        except CellExecutionError:
            # Interrupted because of its time: that is the reason, not the interrupt.
            if not self.watch.why:
                raise
        finally:
            self.watch.cell("")
        if self.watch.why:
            raise TimeoutError(self.watch.why)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Redact what the kernel sent before anything keeps it; what is too much is not kept."""
        if not self._meter.takes(msg):
            return None
        if self.session and "content" in msg:
            msg = kernel_outputs.without_secrets(msg, self.session.redactor)
        return super().process_message(msg, cell, cell_index)

    def _keep(self, cell: Any, status: str) -> None:
        if self.session is None or cell.cell_type != "code":
            return
        kept = kernel_outputs.kept(cell.get("outputs", []), self._meter, self.session.redactor)
        cell["outputs"] = from_dict(kept)  # type: ignore[no-untyped-call]
        cell["metadata"]["opslib"] = {"journal": self.session.cell_finished(cell["id"], status)}


def execute(
    notebook: str,
    output: str,
    parameters: Mapping[str, Any],
    session: Session,
    *,
    seconds: float | None = None,
    silent: float = SILENT,
) -> None:
    """Execute a notebook through papermill; raises CellFailed, which is papermill's own error, when a cell fails.

    ``seconds`` is how long one cell may take; TimeoutError
    says which one took longer, or answered no heartbeat for ``silent`` seconds. DeadKernelError says in which
    cell the kernel ended.
    """
    import papermill

    # A run that is stopped leaves nbclient's task with an exception that nobody asks for; why it ended is told by us.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    papermill.execute_notebook(
        notebook,
        output,
        parameters=dict(parameters),
        request_save_on_cell_execute=False,
        engine_name="opslib",
        kernel_name="python3",
        language="python",
        progress_bar=False,
        execution_timeout=seconds,
        session=session,
        silent=silent,
    )
