"""One archived run from open entry to seal: the frame around an executor, headless or interactive."""

from __future__ import annotations

import getpass
import html
import os
import platform
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opslib import files
from opslib.archive import report
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.errors import ExitCode
from opslib.headless.notebooks import Notebook
from opslib.model import Verdict, now
from opslib.redaction import Redactor
from opslib.runs.channel import Server
from opslib.runs.executor import Executor, Mode
from opslib.runs.run import SOCKET
from opslib.settings import ROOT, Settings

PARTIAL = "notebook.partial.ipynb"
"""Where papermill writes while a run goes on: a reader never takes half a notebook for a whole one."""

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")
"""What a kernel inherits of the runner's environment; everything else, credentials above all, stays outside."""


class Session:
    """A run that is registered in the archive, with its executor listening; ``close`` seals it."""

    def __init__(
        self,
        notebook: Notebook,
        values: dict[str, Any],
        settings: Settings,
        archive: Archive,
        *,
        mode: Mode,
        how: str,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.notebook, self.settings, self.archive = notebook, settings, archive
        self._progress = progress
        self.started_at = now()
        self._clock = time.monotonic()
        self.id = _name(notebook.name, self.started_at)
        # A folder of its own, short because a socket's path may have 107 bytes only.
        self.private = Path(tempfile.mkdtemp(prefix="ops-"))
        try:
            self.folder = archive.open(
                self._asked(values, mode, how),
                redactor=Redactor(settings.secrets()),
                render=recover,
            )
            self.executor = Executor(
                run=self.id,
                notebook=notebook.name,
                settings=settings,
                folder=self.folder,
                mode=mode,
                progress=progress,
            )
            self.redactor = self.executor.redactor
            self.socket = self.private / "run"
            self._server = Server(self.socket, self.executor)
        except BaseException:
            shutil.rmtree(self.private, ignore_errors=True)
            raise
        self._cells: dict[str, tuple[int, float]] = {}
        self.last_cell: str | None = None
        self.broken_cell: str | None = None

    def _asked(self, values: dict[str, Any], mode: Mode, how: str) -> dict[str, Any]:
        """Return the content of run.json: what was asked, by whom, of which code."""
        return {
            "run": self.id,
            "notebook": self.notebook.name,
            "title": self.notebook.title,
            "notebook_sha256": self.notebook.sha256,
            "environment": self.settings.environment,
            "target": self.settings.public(),
            "parameters": values,
            "mode": mode,
            "how": how,
            "requested_by": f"{getpass.getuser()}@{socket.gethostname()}",
            "started_at": to_json(self.started_at),
            "versions": {name: version(name) for name in ("opslib", "papermill")}
            | {"python": platform.python_version()},
            "commit": _commit(),
        }

    @property
    def report(self) -> Path:
        """The run's page."""
        return self.folder / "report.html"

    def environment(self) -> dict[str, str]:
        """Return the kernel's process environment: the reading part of the target, and the way to the executor."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {
            SOCKET: str(self.socket),
            "JUPYTER_RUNTIME_DIR": str(self.private),
            "IPYTHONDIR": str(self.private / "ipython"),
        }
        return kept | self.settings.variables() | own

    def cell_started(self, cell: str) -> None:
        """Journal that a cell begins; what the executor journals from now on belongs to it."""
        self.executor.cell = self.last_cell = cell
        seq = self.executor.journal.append("cell-started", cell=cell)
        self._cells[cell] = (seq, time.monotonic())

    def cell_finished(self, cell: str, status: str) -> list[int]:
        """Journal that it ended; returns the journal's numbers from its first line to its last."""
        first, since = self._cells.get(cell, (0, time.monotonic()))
        seconds = round(time.monotonic() - since, 3)
        last = self.executor.journal.append("cell-finished", cell=cell, seconds=seconds, status=status)
        self.executor.cell = None
        if status != "ok":
            self.broken_cell = cell
        return list(range(first, last + 1))

    def close(self, state: str, exit_code: ExitCode | None, reason: str) -> dict[str, Any]:
        """End the run: result, report, seal, index. Returns the content of result.json.

        Raises ArchiveError when that could not be written; the next start then closes the run as interrupted.
        """
        self._server.close()
        try:
            return self._close(state, exit_code, reason)
        finally:
            shutil.rmtree(self.private, ignore_errors=True)

    def _close(self, state: str, exit_code: ExitCode | None, reason: str) -> dict[str, Any]:
        executor = self.executor
        verdict = executor.verdict if state == "finished" else Verdict.worst([executor.verdict, Verdict.UNKNOWN])
        executor.cell = None
        executor.close(state, verdict)
        finished_at = now()
        result = {
            "run": self.id,
            "state": state,
            "verdict": verdict.value,
            "exit_code": int(exit_code if exit_code is not None else ExitCode[verdict.value]),
            "started_at": to_json(self.started_at),
            "finished_at": to_json(finished_at),
            "seconds": round(time.monotonic() - self._clock, 3),
            "mode": executor.mode,
            "reason": executor.redactor.text(reason or executor.why),
            "counts": {word.value: executor.counts.get(word.value, 0) for word in Verdict},
            "steps": len(executor.plans),
        }
        files.write_json(self.folder / "result.json", result)
        self._draw()
        self.archive.close(self.id, executor.redactor)
        return result

    def _draw(self) -> None:
        try:
            report.write(self.folder)
        except Exception as error:
            # The record counts more than its page: it is sealed all the same, and the page says what happened.
            said = self.redactor.text(f"{type(error).__name__}: {error}")
            page = (
                f"<!doctype html><meta charset=utf-8><title>{self.id}</title>"
                f"<p>This page could not be drawn ({html.escape(said)}). "
                "The run's record is in journal.jsonl and result.json beside this page.</p>"
            )
            files.write(self.report, page.encode(), self.report.with_name(".report.html.part"))
            self._progress(f"the report could not be drawn: {said}")


def keep_notebook(folder: Path) -> None:
    """Give the notebook that papermill was writing its name; what a killed run left of it counts as well."""
    partial = folder / PARTIAL
    if partial.exists():
        partial.replace(folder / "notebook.ipynb")


def recover(folder: Path) -> None:
    """Complete the folder of a run that was cut off, before it is sealed as interrupted."""
    keep_notebook(folder)
    report.write(folder)


class Stop:
    """SIGTERM and SIGINT end a run in a stated state: they raise, once, and only inside :meth:`armed`.

    One that comes while the run is registered waits until then; one that comes while it is sealed changes nothing.
    """

    def __init__(self) -> None:
        self._armed, self._caught = False, ""

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._catch) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Let a signal, also one that came before, raise KeyboardInterrupt with its name."""
        self._armed = True
        try:
            self._stop()
            yield
        finally:
            self._armed = False

    def _catch(self, number: int, frame: Any) -> None:
        self._caught = self._caught or signal.Signals(number).name
        self._stop()

    def _stop(self) -> None:
        if self._armed and self._caught:
            self._armed = False
            raise KeyboardInterrupt(self._caught)


def _name(notebook: str, started_at: datetime) -> str:
    return f"{started_at:%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-{secrets.token_hex(3)}"


def _commit() -> str | None:
    # Read from git's own files: no program is started for a note in the record.
    try:
        head = (ROOT / ".git" / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        return (ROOT / ".git" / head.removeprefix("ref: ")).read_text().strip()
    except OSError:
        return None
