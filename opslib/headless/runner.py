"""``ops run``: one notebook, through papermill, into one sealed entry of the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.errors import ArchiveError, ExitCode, Refused, Unreachable, UsageError
from opslib.headless import notebooks
from opslib.headless.session import PARTIAL, Session, Stop, keep_notebook
from opslib.redaction import Redactor
from opslib.runs.executor import Mode


def run(
    name: str,
    given: Iterable[str],
    environment: str,
    archive: Path,
    *,
    mode: Mode = "run",
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run the notebook ``name`` and return its result.json with ``report``, the path of its page.

    Everything that can be wrong with the call (name, parameters, target description) raises UsageError
    before the archive is touched or a kernel started.
    """
    from opslib.archive.store import Archive

    notebook = notebooks.find(name)
    values = notebook.values(given, environment)
    target = settings.load(environment)
    _without_secrets(notebook, values, Redactor(target.secrets()))
    with Stop() as stop:
        session = Session(notebook, values, target, Archive(archive), mode=mode, how="headless", progress=progress)
        progress(f"{notebook.name} on {environment}: run {session.id}")
        state, exit_code, reason = _execute(session, values, stop)
        result = session.close(state, exit_code, reason)
    return {
        **result,
        "notebook": notebook.name,
        "environment": environment,
        "report": str(session.report),
    }


def _without_secrets(notebook: notebooks.Notebook, values: dict[str, Any], redactor: Redactor) -> None:
    # Such a run could only end in quarantine, after it has changed its target.
    told = [name for name, value in values.items() if redactor.leaks(str(value).encode())]
    if told or redactor.leaks(notebook.path.read_bytes()):
        where = f"parameter {', '.join(told)}" if told else f"notebook {notebook.name}"
        raise UsageError(
            f"A secret of the target stands in the {where}; nothing was started.",
            "Take it out, and change that secret: it was written where it must not be.",
        )


def _execute(session: Session, values: dict[str, Any], stop: Stop) -> tuple[str, ExitCode | None, str]:
    try:
        with stop.armed():
            ended = _executed(session, values)
            # A kernel that died leaves its step at work: what was begun comes to its stated end.
            session.executor.settle()
            return ended
    except KeyboardInterrupt as error:
        return "interrupted", ExitCode.FAILED, f"stopped by {error}"
    finally:
        keep_notebook(session.folder)


def _executed(session: Session, values: dict[str, Any]) -> tuple[str, ExitCode | None, str]:
    from papermill.exceptions import PapermillExecutionError

    from opslib.headless import engine

    try:
        engine.execute(str(session.notebook.path), str(session.folder / PARTIAL), values, session)
    except PapermillExecutionError as error:
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
