"""One archived run from open entry to seal: the frame around an executor, headless or interactive."""

from __future__ import annotations

import html
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.errors import ArchiveError, ExitCode, OpsError
from opslib.headless import kernel_user, origin
from opslib.headless.asked import Asked
from opslib.headless.cell_log import CellLog
from opslib.headless.kernel_leash import Begun
from opslib.headless.private import Private
from opslib.late import Late
from opslib.model import Probe, Verdict, now
from opslib.places import ROOT
from opslib.probes import ASKED
from opslib.redaction import Redactor
from opslib.runs.asking import Asking
from opslib.runs.by_hand import ByHand
from opslib.runs.channel import SOCKET, Server
from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.work import Work

LEADS = ("leads_to", "leads_for", "leads_with")
"""Fields of a result that say which notebook its worst finding leads to, for which check, and given what."""

PARTIAL = "notebook.partial.ipynb"
"""What papermill writes at the end: a reader never takes half a notebook for a whole one."""

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")
"""What a kernel inherits of the runner's environment; everything else, credentials above all, stays outside."""

GRACE = 30.0
"""Seconds that a step under way is waited for when its run is stopped; after that it is in doubt."""


class Session:
    """A run that is registered in the archive, with its executor listening; ``close`` seals it."""

    def __init__(
        self,
        asked: Asked,
        archive: Archive,
        *,
        locks: Locks | None = None,
        progress: Callable[[str], None] = lambda text: None,
        begin: Callable[[Session], Begun] | None = None,
    ) -> None:
        """``begin`` asks for the notebook's process: it comes while the run is registered."""
        self.asked, self.archive = asked, archive
        self.notebook, self.settings = asked.notebook, asked.settings
        self._progress = progress
        self.started_at = now()
        self._clock = time.monotonic()
        self.id = asked.run or asked.new_id(self.started_at)
        self._locks = locks or Locks(asked.settings, self.id)
        self._published = ""
        described = ROOT / f".env.{self.settings.environment}"
        self.account = kernel_user.account(self.settings.kernel_user, archive.folder, described)
        self._own = Private()
        self.private = self._own.path
        self.socket = self.private / "run"
        self.begun: Begun | None = None
        try:
            # One with a user of its own must have its folder first, and that is given to it once all is there.
            if begin and not self.account:
                with suppress(OSError):  # no handle, no memory: asked for again, and told by the run
                    self.begun = begin(self)
            self._open()
        except BaseException:
            if self.begun:
                self.begun.close()
            self._own.remove()
            self._locks.close()
            raise
        self._cells: dict[str, tuple[int, float]] = {}
        self.last_cell: str | None = None
        self.broken_cell: str | None = None

    def _open(self) -> None:
        """Register the run, and have its executor listen."""
        run, redactor = self.asked.run_json(self.id, self.started_at), Redactor(self.settings.secrets())
        self.folder = self.archive.open(run, redactor=redactor, render=recover)
        self.shown = CellLog(self.folder)
        self._keep_agreement()
        self.publish()
        kind = ByHand if self.by_hand else Executor
        self.executor = kind(self._work(), locks=self._locks, progress=self._progress)
        self.redactor = self.executor.redactor
        self.server = self._serve(self.executor)
        if self.account:
            self.account.take(self.private, self.socket)

    @property
    def by_hand(self) -> bool:
        """Whether a person steps through the notebook."""
        return self.asked.how == "interactive"

    def _work(self) -> Work:
        agreed = self.asked.agreed
        asking = Asking(
            self.id,
            self.archive.folder / "approvals",
            self.settings,
            origin.names(),
            lambda step: self.asked.saved_plan(self.id, now(), (step,)),
        )
        return Work(
            run=self.id,
            notebook=self.notebook.name,
            settings=self.settings,
            folder=self.folder,
            mode=self.asked.mode,
            approved=agreed.plan if agreed else None,
            break_glass=bool(agreed and agreed.break_glass),
            until=agreed.until if agreed else None,
            asking=asking if self.by_hand else None,
            history=self.asked.history,
            probes=Late(self._probes),
        )

    def _probes(self) -> Mapping[str, Probe]:
        from opslib.headless import archive_probes

        return {**ASKED, **archive_probes.of(self.archive.folder, self.folder, self.settings, self.id)}

    def _serve(self, executor: Executor) -> Server:
        urgent = {"cancel": executor.cancel} if isinstance(executor, ByHand) else None
        return Server(self.socket, executor, peer=self.account.uid if self.account else None, urgent=urgent)

    def _keep_agreement(self) -> None:
        if self.asked.agreed is None:
            return
        _keep(self.folder / "plan.json", self.asked.agreed.data)
        for name, data in self.asked.agreed.copies:
            files.make_folder(self.folder / "approvals")
            _keep(self.folder / "approvals" / name, data)

    def publish(self) -> None:
        """Publish the archive's newest head, where the target's description says where; a failure is only told."""
        if self.settings.anchor_bucket is None:
            return
        try:
            from opslib.archive import anchor

            self._published = f"head {anchor.publish(self.archive.folder, self.settings).seq} published"
        except Exception as error:
            # Also no memory and no open file left: a run that is sealed comes to its stated end.
            said = error.message if isinstance(error, OpsError) else f"{type(error).__name__}."
            self._published = f"NOT PUBLISHED: {said}"
            self._progress(self._published)

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

    def cell_started(self, cell: str, marks: Sequence[str] = ()) -> None:
        """Journal that a cell begins; what the executor journals from now on belongs to it.

        ``marks`` say what a person did otherwise than the notebook.
        """
        self.executor.cell = self.last_cell = cell
        marked = {"marks": list(marks)} if marks else {}
        seq = self.executor.journal.append("cell-started", cell=cell, late=True, **marked)
        self._cells[cell] = (seq, time.monotonic())

    def cell_finished(self, cell: str, status: str) -> list[int]:
        """Journal that it ended; returns the journal's numbers from its first line to its last."""
        first, since = self._cells.get(cell, (0, time.monotonic()))
        seconds = round(time.monotonic() - since, 3)
        last = self.executor.journal.append("cell-finished", cell=cell, late=True, seconds=seconds, status=status)
        self.executor.cell = None
        if status != "ok":
            self.broken_cell = cell
        return list(range(first, last + 1))

    def stop(self, by: str) -> str:
        """Break the run off: nothing new is begun, the step under way is waited for. Returns the reason to record."""
        self.executor.finished = False
        self.executor.stop(f"stopped by {by}")
        if not self.executor.settle(GRACE):
            return f"stopped by {by}; the step under way did not end within {GRACE:g} s and is in doubt"
        return f"stopped by {by}"

    def close(self, state: str, exit_code: ExitCode | None, reason: str) -> dict[str, Any]:
        """End the run: result, report, seal, index. Returns the content of result.json.

        Raises ArchiveError when that could not be written; the next start then closes the run as interrupted.
        """
        if self.begun:  # ended before where it was used
            self.begun.close()
        self.server.close()
        try:
            return self._close(state, exit_code, reason)
        finally:
            self._own.remove()
            self._locks.close()

    def _close(self, state: str, exit_code: ExitCode | None, reason: str) -> dict[str, Any]:
        executor, found = self.executor, self.executor.findings
        verdict = found.verdict if state == "finished" else Verdict.worst([found.verdict, Verdict.UNKNOWN])
        executor.cell = None
        self._keep_plan()
        executor.close(state, verdict)
        finished_at = now()
        agreed = self.asked.agreed
        result = {
            "run": self.id,
            "state": state,
            "verdict": verdict.value,
            "exit_code": int(exit_code if exit_code is not None else ExitCode[verdict.value]),
            "started_at": to_json(self.started_at),
            "finished_at": to_json(finished_at),
            "seconds": round(time.monotonic() - self._clock, 3),
            "mode": executor.work.mode,
            "reason": executor.redactor.text(reason or found.why),
            **dict(zip(LEADS, map(executor.redactor.text, found.leads_to), strict=True)),
            "counts": {word.value: found.counts.get(word.value, 0) for word in Verdict},
            "steps": len(executor.stepper.plans),
            "published": self._published,
            "break_glass": bool(agreed and agreed.break_glass),
            "approvals": [dict(said) for said in agreed.approvals] if agreed else [],
        }
        files.write_json(self.folder / "result.json", result, named=False)
        self._draw()
        self.archive.close(self.id, executor.redactor)
        self.publish()
        return result

    def _keep_plan(self) -> None:
        """Write plan.json: what was planned here, in the form that can be approved. An approved plan stays."""
        if self.asked.agreed is not None:
            return
        saved = self.asked.saved_plan(self.id, self.started_at, tuple(self.executor.stepper.plans))
        with suppress(ArchiveError):
            _keep(self.folder / "plan.json", saved.encode(), named=False)

    def _draw(self) -> None:
        try:
            from opslib.archive import report

            report.write_pages(self.folder)
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
    """Give the notebook that papermill wrote its name; of a run that was cut off, what it had shown is written."""
    partial, notebook = folder / PARTIAL, folder / "notebook.ipynb"
    if CellLog(folder).restore(notebook):
        partial.unlink(missing_ok=True)
    elif partial.exists():
        partial.replace(notebook)


def recover(folder: Path) -> None:
    """Complete the folder of a run that was cut off, before it is sealed as interrupted."""
    from opslib.archive import report

    keep_notebook(folder)
    report.write_pages(folder)


def _keep(path: Path, data: bytes, *, named: bool = True) -> None:
    files.write(path, data, path.with_name(f".{path.name}.part"), named=named)
