"""``ops run``: one notebook, through papermill, into one sealed entry of the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.errors import ExitCode, OpsError
from opslib.headless import notebooks
from opslib.headless.session import PARTIAL, Session, keep_notebook, stop_on_signals
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
    stop_on_signals()
    session = Session(notebook, values, target, Archive(archive), mode=mode, how="headless", progress=progress)
    progress(f"{notebook.name} on {environment}: run {session.id}")
    state, exit_code, reason = _execute(session, values)
    result = session.close(state, exit_code, reason)
    return {
        **result,
        "notebook": notebook.name,
        "environment": environment,
        "report": str(session.report),
    }


def _execute(session: Session, values: dict[str, Any]) -> tuple[str, ExitCode | None, str]:
    from papermill.exceptions import PapermillExecutionError

    from opslib.headless import engine

    try:
        engine.execute(str(session.notebook.path), str(session.folder / PARTIAL), values, session)
    except PapermillExecutionError as error:
        kind, said = str(error.ename), f"{error.ename} in cell {_cell(session)}: {error.evalue}"
        session.executor.journal.append("error", kind=kind, message=str(error.evalue))
        refused = kind == "Refused"
        return ("refused" if refused else "failed"), _exit_code(kind), said
    except KeyboardInterrupt as error:
        return "interrupted", ExitCode.FAILED, f"stopped by {error or 'SIGINT'}"
    except Exception as error:
        # A dead kernel, a full disk, a defect: the run still ends in a stated state, and is sealed.
        session.executor.journal.append("error", kind=type(error).__name__, message=str(error))
        return "failed", ExitCode.FAILED, f"{type(error).__name__}: {error}"
    finally:
        keep_notebook(session.folder)
    if not session.executor.finished:
        return "failed", ExitCode.FAILED, "the notebook ended without run.finish()"
    return "finished", None, ""


def _cell(session: Session) -> str:
    return session.last_cell or "?"


def _exit_code(kind: str) -> ExitCode:
    from opslib import errors

    raised = getattr(errors, kind, None)
    if isinstance(raised, type) and issubclass(raised, OpsError):
        return raised.exit_code
    return ExitCode.FAILED
