"""``ops run``: one notebook, executed cell by cell, into one sealed entry of the archive."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from opslib import settings
from opslib.archive.store import Archive
from opslib.errors import ArchiveError, ExitCode, Refused, Unreachable, UsageError
from opslib.headless import notebooks
from opslib.headless.asked import Asked
from opslib.headless.notebooks_live import check_live
from opslib.headless.session import PARTIAL, Session, keep_notebook
from opslib.headless.shell_begun import Process
from opslib.headless.stop import Stop
from opslib.redaction import Redactor
from opslib.runs.locks import Locks
from opslib.runs.work import Mode

Tell = Callable[[str], None]


def run(
    name: str,
    given: Iterable[str],
    environment: str,
    archive: Path,
    *,
    mode: Mode = "run",
    run: str = "",
    links: Mapping[str, Any] = MappingProxyType({}),
    kernel: bool = False,
    target: settings.Settings | None = None,
    stop: Stop | None = None,
    progress: Tell = lambda text: None,
) -> dict[str, Any]:
    """Run the notebook ``name`` and return its result.json with ``report``, the path of its page.

    ``run`` is its id where that was given beforehand, and ``links`` says in run.json what for. With ``kernel``
    papermill and a Jupyter kernel execute it. ``target`` is the environment's description where whoever calls has just
    read it. ``stop`` hears signals where another process than one for this run alone executes it.

    Everything that can be wrong with the call (name, parameters, target description) raises UsageError
    before the archive is touched or a kernel started.
    """
    notebook = notebooks.find(name)
    values = notebook.values(given, environment)
    described = target or settings.load(environment)
    check_live(notebook, values, described, progress)
    asked = Asked(notebook, values, described, mode, run=run, links=links, kernel=kernel)
    return execute(asked, archive, stop=stop, progress=progress)


def execute(
    asked: Asked,
    archive: Path,
    *,
    locks: Locks | None = None,
    stop: Stop | None = None,
    progress: Tell = lambda text: None,
) -> dict[str, Any]:
    """Carry out what is asked, from open entry to seal, and return as :func:`run` does."""
    without_secrets(asked.notebook, dict(asked.values), Redactor(asked.settings.secrets()))
    with stop or Stop() as stop:
        begin = None if asked.kernel else Process
        session = Session(asked, Archive(archive), locks=locks, progress=progress, begin=begin)
        progress(f"{asked.notebook.name} on {asked.settings.environment}: run {session.id}")
        state, exit_code, reason = _execute(session, stop)
        result = session.close(state, exit_code, reason)
    return {
        **result,
        "notebook": asked.notebook.name,
        "environment": asked.settings.environment,
        "report": str(session.report),
    }


def without_secrets(notebook: notebooks.Notebook, values: dict[str, Any], redactor: Redactor) -> None:
    """Raise UsageError where a secret stands in what would be recorded: such a run could only end in quarantine."""
    told = [name for name, value in values.items() if redactor.leaks(str(value).encode())]
    if told or redactor.leaks(notebook.path.read_bytes()):
        where = f"parameter {', '.join(told)}" if told else f"notebook {notebook.name}"
        raise UsageError(
            f"A secret of the target stands in the {where}; nothing was started.",
            "Take it out, and change that secret: it was written where it must not be.",
        )
    if looking := [name for name, value in values.items() if redactor.suspicious(str(value))]:
        said = f"What looks like a credential stands in the parameter {', '.join(looking)}; nothing was started."
        raise UsageError(said, "Take it out, and change it if it is one: parameters are written into the record.")


def _execute(session: Session, stop: Stop) -> tuple[str, ExitCode | None, str]:
    seconds = session.settings.run_minutes * 60
    try:
        with stop.watching(session.archive.folder, session.id, seconds), stop.armed():
            ended = _executed(session)
            # A kernel that died leaves its step at work: what was begun comes to its stated end.
            session.executor.settle()
            return ended
    except KeyboardInterrupt as error:
        return "interrupted", ExitCode.FAILED, session.stop(str(error))
    finally:
        with suppress(ArchiveError):  # the disk is full: what is in the log stays beside the record
            keep_notebook(session.folder)


def _executed(session: Session) -> tuple[str, ExitCode | None, str]:
    way = _way(session.asked.kernel)
    try:
        way.execute(str(session.notebook.path), str(session.folder / PARTIAL), session.asked.values, session)
        session.shown.remove()
    except way.CellFailed as error:
        session.shown.remove()  # the notebook is written, with the error in it
        kind, said = str(error.ename), f"{error.ename} in cell {_cell(session)}: {error.evalue}"
        _journal(session, kind, str(error.evalue))
        refused = kind == "Refused"
        return ("refused" if refused else "failed"), _exit_code(kind), said
    except Exception as error:
        # A dead kernel, a full disk, a defect: the run still ends in a stated state, and is sealed.
        _journal(session, type(error).__name__, str(error))
        return "failed", ExitCode.FAILED, f"{type(error).__name__}: {error}"
    if session.broken_cell:
        return "failed", ExitCode.FAILED, f"the notebook ended in cell {session.broken_cell}, before its last one"
    if trouble := session.executor.trouble:
        refused = isinstance(trouble, Refused)
        return ("refused" if refused else "failed"), (ExitCode.REFUSED if refused else ExitCode.FAILED), str(trouble)
    if not session.executor.finished:
        return "failed", ExitCode.FAILED, "the notebook ended without run.finish()"
    return "finished", None, ""


def _way(kernel: bool) -> Any:
    """Return the module that executes the cells; only the one that is needed is imported."""
    if kernel:
        import papermill  # noqa: F401 - first: it loads our engine by its entry point

        return importlib.import_module("opslib.headless.engine")
    return importlib.import_module("opslib.headless.shell_engine")


def _cell(session: Session) -> str:
    return session.last_cell or "?"


def _journal(session: Session, kind: str, message: str) -> None:
    # A full disk breaks the journal first; the run is then closed by the next start, from what is in it.
    with suppress(ArchiveError):
        session.executor.journal.append("error", kind=kind, message=message)


def _exit_code(kind: str) -> ExitCode:
    # Not 64, whatever a cell raises: something was started.
    known = {error.__name__: error.exit_code for error in (Refused, Unreachable)}
    return known.get(kind, ExitCode.FAILED)
