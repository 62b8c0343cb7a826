"""The executor of a run that a person steps through: ``python -m opslib.headless.interactive desk``.

Started by the desk beside JupyterLab, or by the notebook's process itself where there is no desk (``notebook``).
Each line of its standard input asks it to begin, or to begin again; each gets one line of answer. It serves until
the run is finished or ended, or until its standard input ends; then it seals the run.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Mapping
from typing import Any

from opslib import places, settings
from opslib.archive.store import Archive
from opslib.errors import ExitCode, OpsError, Refused
from opslib.headless import notebooks, origin, runner
from opslib.headless.asked import Asked
from opslib.headless.desk import name_of
from opslib.headless.hand_cells import Cells
from opslib.headless.kernel_leash import hide
from opslib.headless.notebooks_live import check_live
from opslib.headless.session import Session, keep_notebook
from opslib.headless.stop import Stop
from opslib.redaction import Redactor
from opslib.runs.by_hand import ByHand

FOR_EVER = float("inf")
EVERY = 0.2
"""Seconds between two looks whether the run has come to its end."""

SHOWING = 5.0
"""Seconds in which what the last cell showed has come; then the run is sealed without it."""

LEFT = 60 * 60.0
"""Seconds without any process of the notebook after which its run ends: nobody holds locks by having gone home."""


class Lines:
    """Lines of standard input, waited for with a limit; ``over`` when there are no more."""

    def __init__(self, number: int) -> None:
        self._number, self._read, self.over = number, b"", False

    def next(self, seconds: float) -> dict[str, Any] | None:
        """Return the next line's object; None when none came in ``seconds``."""
        if b"\n" not in self._read and not self.over and select.select([self._number], [], [], seconds)[0]:
            data = os.read(self._number, 1 << 20)
            self.over, self._read = not data, self._read + data
        line, end, rest = self._read.partition(b"\n")
        if not end:
            return None
        self._read = rest
        said = json.loads(line)
        return said if isinstance(said, dict) else {}


class Serving:
    """One interactive run: what was asked, its session, and what ran of its notebook."""

    def __init__(self, request: Mapping[str, Any], by: str) -> None:
        asked = _asked(request, by)
        self.session = Session(asked, Archive(places.archive_folder()))
        self.cells = Cells(self.session)
        assert isinstance(self.session.executor, ByHand)
        self.executor = self.session.executor
        self.executor.more = self.cells.verbs()
        self.cells.begun(request.get("ran") or ())
        self._heard_at = time.monotonic()

    def said(self) -> dict[str, Any]:
        """Return what leads the notebook's process here; the reading credentials reach it and nobody else."""
        session = self.session
        return {"run": session.id, "socket": str(session.socket), "variables": session.settings.variables()}

    def again(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a notebook that begins while its run is open: it is the same run, unless something else is asked.

        With other parameters, a run that changed nothing is ended for a new one; one that did must be ended by
        a person (Refused).
        """
        asked = _asked(request, "desk")
        if self.executor.finished or self.executor.done.is_set():
            return {"ended": self.session.id}
        if dict(asked.values) == dict(self.session.asked.values):
            self.executor.begin_again()
            self.cells.begun(request.get("ran") or ())
            return self.said()
        if self.executor.changed:
            raise Refused(
                f"{self.session.id} is open with other parameters, and has changed something.",
                f"Bring the parameters back and go on, or end it: ops stop {self.session.id}",
            )
        self.executor.ended_by = "its notebook, which began anew with other parameters"
        self.executor.done.set()
        return {"ended": self.session.id}

    def over(self) -> str | None:
        """Return why the run is at its end; None while it goes on."""
        if self.session.server.heard:
            self._heard_at = time.monotonic()
        if self.executor.done.is_set():
            return self.executor.ended_by or f"{origin.who()} (in JupyterLab)"
        if time.monotonic() - self._heard_at > LEFT:
            return f"no process of the notebook was there for {LEFT / 60:g} minutes"
        return None


def main(by: str) -> int:
    """Serve one interactive run; returns the process's exit code."""
    hide()
    lines = Lines(sys.stdin.fileno())
    with Stop() as stop:
        request = None
        while request is None and not lines.over:
            request = lines.next(EVERY)
        if request is None:
            return int(ExitCode.USAGE)
        try:
            serving = Serving(request, by)
        except OpsError as error:
            _answer(_fault(error))
            return int(error.exit_code)
        _answer(serving.said())
        _close(serving, _serve(serving, lines, stop))
    return 0


def _asked(request: Mapping[str, Any], by: str) -> Asked:
    """Return what a notebook asks to begin, looked at as the command line's call is; raises UsageError, Refused."""
    environment = str(request.get("environment"))
    target = settings.load(environment)
    notebook = notebooks.find(name_of(str(request.get("notebook"))))
    values = notebook.chosen(request.get("values") or {}, environment)
    if target.kernel_user is not None and by != "desk":
        raise Refused(
            f"On {environment} notebooks have a user of their own ({target.kernel_user}).",
            f"Start JupyterLab with: ops jupyter --environment {environment}",
        )
    runner.without_secrets(notebook, values, Redactor(target.secrets()))
    check_live(notebook, values, target, lambda text: None)
    return Asked(notebook, values, target, how="interactive")


def _serve(serving: Serving, lines: Lines, stop: Stop) -> str:
    """Serve until the run's end and return why it ended; nothing where it was finished."""
    session, executor = serving.session, serving.executor
    try:
        # No limit of time: a person is at it.
        with stop.watching(session.archive.folder, session.id, FOR_EVER), stop.armed():
            why = None
            while why is None and not executor.finished and not lines.over:
                if (request := lines.next(EVERY)) is not None:
                    _answer(_again(serving, request))
                why = serving.over()
            executor.settle()
            if executor.finished:
                _last_shown(serving, lines)
                return ""
            if why is not None and executor.done.is_set():
                return session.stop(why)
            return why or "the notebook's process, or JupyterLab, ended before run.finish()"
    except KeyboardInterrupt as error:
        return session.stop(str(error))


def _last_shown(serving: Serving, lines: Lines) -> None:
    until = time.monotonic() + SHOWING
    while not serving.cells.showed.wait(EVERY) and not lines.over and time.monotonic() < until:
        if (request := lines.next(0)) is not None:
            _answer(_again(serving, request))


def _again(serving: Serving, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return serving.again(request)
    except OpsError as error:
        return _fault(error)


def _close(serving: Serving, why: str) -> None:
    session = serving.session
    keep_notebook(session.folder)
    if why:
        session.close("interrupted", ExitCode.FAILED, why)
        return
    trouble = serving.executor.trouble
    if trouble is None:
        session.close("finished", None, "")
    elif isinstance(trouble, Refused):
        session.close("refused", ExitCode.REFUSED, str(trouble))
    else:
        session.close("failed", ExitCode.FAILED, str(trouble))


def _fault(error: OpsError) -> dict[str, str]:
    return {"kind": type(error).__name__, "error": error.message, "next": error.next_step}


def _answer(said: Mapping[str, Any]) -> None:
    # Standard output is a pipe to who started this process.
    print(json.dumps(dict(said)), flush=True)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
