"""Executing a run's notebook without a Jupyter kernel: what papermill's engine does, at the cost of the cells.

The process is another one under the same guardian, the same leash and the same watch, with the same environment and
user (:mod:`opslib.headless.shell_process`); what it sends is metered and redacted by the same code before anything
keeps it. What comes out is the notebook that papermill would have written. There are no kernel's sockets, no client's
polls, and none of the imports that come with them.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.headless import injected, kernel_outputs, meanwhile, shell_line, shell_outputs
from opslib.headless.kernel_leash import GRACE, MESSAGE, SILENT, Leash, Session, Watch
from opslib.headless.shell_begun import Process

START_SECONDS = 60.0
"""Within which the process is there."""

LATE = 5.0
"""Seconds within which a process that has ended is seen to have: a busy machine's guardian may be slow."""

LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": sys.version.split()[0],
}
"""What a kernel says of itself, and a notebook keeps."""


class CellFailed(Exception):
    """A cell ended with an error."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(f"{ename}: {evalue}")
        self.ename, self.evalue = ename, evalue


class DeadKernelError(RuntimeError):
    """The notebook's process ended before its cells; by this name a run with a kernel records it, too."""


def execute(
    notebook: str,
    output: str,
    parameters: Mapping[str, Any],
    session: Session,
    *,
    seconds: float | None = None,
    grace: float = GRACE,
    silent: float = SILENT,
) -> None:
    """Execute a notebook and write it; as :func:`opslib.headless.engine.execute`, but CellFailed when a cell fails.

    ``seconds`` is how long one cell may take; TimeoutError says which one took longer, or was stopped for ``silent``
    seconds. DeadKernelError says in which cell the process ended.
    """
    book = injected.prepared(Path(notebook), parameters)
    with meanwhile.preparing(book["cells"]), ExitStack() as stack:
        process = session.begun or Process(session)
        stack.callback(process.close)
        watch = Watch(process.leash, seconds=seconds, grace=grace, silent=silent)
        stack.callback(watch.close)
        line = Line(process.line(), process.leash, watch)
        stack.callback(line.close)
        Cells(book, session, line, watch).execute(parameters)
        # Also where there was no cell. While the tree ends there is something to do; it is written once that has ended.
        line.over()
        data = injected.written(book)
    files.write(Path(output), data, Path(f"{output}.part"), named=False)
    if failed := shell_outputs.error_of(book["cells"]):
        raise CellFailed(*failed)


class Line:
    """The runner's end of the line, and what is known of the process at the other one."""

    def __init__(self, line: socket.socket, leash: Leash, watch: Watch) -> None:
        self._line, self._leash, self._watch = line, leash, watch

    def ready(self) -> None:
        """Wait until the process is there; raises DeadKernelError where it does not come."""
        self._line.settimeout(START_SECONDS)
        try:
            kind, content = self.receive("before its first cell")
        except TimeoutError:
            raise DeadKernelError(f"the notebook's process was not there within {START_SECONDS:g} s") from None
        finally:
            self._line.settimeout(None)
        pid = content.get("pid")
        if kind != "ready" or type(pid) is not int:
            raise DeadKernelError("the notebook's process said something else than that it is there")
        self._watch.beating = lambda: _runs(pid)

    def execute(self, code: str) -> None:
        """Ask for the execution of one cell."""
        # One that has gone is told of by what is received next.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._line.sendall(shell_line.framed(json.dumps({"code": code}).encode()))

    def receive(self, where: str) -> tuple[str, dict[str, Any]]:
        """Return kind and content of the next message; raises TimeoutError or DeadKernelError where none comes."""
        try:
            data = shell_line.receive(self._line, MESSAGE)
        except ConnectionResetError:
            data = None
        if data is None:
            raise self._gone(where)
        said = json.loads(data.decode(errors="replace"))
        if b"\\ud" in data or b"\\uD" in data:
            # A half of a surrogate pair is no text, and could not be kept.
            said = json.loads(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
        kind, content = said["header"]["msg_type"], said["content"]
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise ValueError("a message of another form")
        return kind, content

    def _gone(self, where: str) -> Exception:
        alive = self._leash.alive(LATE)
        if self._watch.why:
            return TimeoutError(self._watch.why)
        if alive:
            return TimeoutError(f"the kernel closed its line, or sent more than {MESSAGE} bytes at once, {where}")
        return DeadKernelError(f"the kernel ended {where} ({self._leash.ending()})")

    def over(self) -> None:
        """Begin to end the process and everything below it: nothing more is asked."""
        self._leash.let_go()

    def close(self) -> None:
        """Close it."""
        self._line.close()


def _runs(pid: int) -> bool:
    """Whether a process is not stopped; True where that cannot be told."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"T", b"t")
    except OSError:
        return True  # one that has ended is seen by the end of its line


class Cells:
    """One notebook's cells, executed in order up to the first that fails."""

    def __init__(self, book: dict[str, Any], session: Session, line: Line, watch: Watch) -> None:
        self._book, self._session, self._line, self._watch = book, session, line, watch
        self._shown = shell_outputs.Shown()
        self._meter = kernel_outputs.Meter()
        self._last = next(filter(_executed, reversed(book["cells"])), None)

    def execute(self, parameters: Mapping[str, Any]) -> None:
        """Execute them; a cell that failed has its error among its outputs."""
        cells, about = self._book["cells"], self._book["metadata"]
        about["papermill"] = noted = {"parameters": dict(parameters), "exception": None, **_begun()}
        about["language_info"] = LANGUAGE
        for cell in cells:
            cell["metadata"]["papermill"] = {"status": "pending", "exception": None, **dict.fromkeys(_begun())}
        self._session.shown.begin(self._book)
        self._line.ready()
        for index, cell in enumerate(cells):
            if self._cell(cell, index) == "error":
                noted["exception"] = True
                break
        _end(noted)

    def _cell(self, cell: dict[str, Any], index: int) -> str:
        code, noted = cell["cell_type"] == "code", cell["metadata"]["papermill"]
        noted |= {"status": "running", "exception": False, **_begun()}
        self._meter, status = kernel_outputs.Meter(), "error"
        try:
            if code:
                self._session.cell_started(cell["id"])
            status = self._execute(cell) if _executed(cell) else "ok"
        finally:
            noted |= {"status": "completed"} if status == "ok" else {"status": "failed", "exception": True}
            if code:
                cell["outputs"] = kernel_outputs.kept(cell["outputs"], self._meter, self._session.redactor)
                cell["metadata"]["opslib"] = {"journal": self._session.cell_finished(cell["id"], status)}
            _end(noted)
            if code:
                self._session.shown.append(index, cell)
        return status

    def _execute(self, cell: dict[str, Any]) -> str:
        """Execute one cell and return how it ended: ``ok`` or ``error``."""
        cell["outputs"] = self._shown.begin()
        self._watch.cell(cell["id"])
        try:
            self._line.execute(cell["source"])
            kind = ""
            while kind != "execute_reply":
                kind, content = self._line.receive(f"in cell {cell['id']}")
                self._take(cell, kind, content)
        finally:
            self._watch.cell("")
        if self._watch.why:
            raise TimeoutError(self._watch.why)
        # The tag by which a notebook says that a cell is to fail counts, as it does for nbclient.
        failed = content.get("status") != "ok" and "raises-exception" not in cell["metadata"]["tags"]
        if failed or cell is self._last:
            # Nothing more will be asked: its tree ends while what it has shown is kept.
            self._line.over()
        return "error" if failed else "ok"

    def _take(self, cell: dict[str, Any], kind: str, content: dict[str, Any]) -> None:
        """Keep what a message says, redacted; what is too much is not kept."""
        message = {"header": {"msg_type": kind}, "content": content}
        if not self._meter.takes(message):
            return
        content = kernel_outputs.without_secrets(message, self._session.redactor)["content"]
        if type(content.get("execution_count")) is int:
            cell["execution_count"] = content["execution_count"]
        if kind not in ("execute_input", "execute_reply"):
            self._shown.take(kind, content)


def _executed(cell: Mapping[str, Any]) -> bool:
    return cell["cell_type"] == "code" and bool(cell["source"].strip())


def _begun() -> dict[str, Any]:
    return {"start_time": datetime.now(UTC).isoformat(), "end_time": None, "duration": None}


def _end(noted: dict[str, Any]) -> None:
    ended = datetime.now(UTC)
    noted["end_time"] = ended.isoformat()
    noted["duration"] = (ended - datetime.fromisoformat(noted["start_time"])).total_seconds()
