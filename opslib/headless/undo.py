"""``ops undo``: take a run's applied steps back, the last one first, in a run of its own that is sealed as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.archive import record
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ExitCode, OpsError, Refused
from opslib.headless import notebooks
from opslib.headless.session import Session, Stop


def undo(run: str, archive: Path, *, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Undo the applied steps of ``run`` (its id or the beginning of it) in reverse, each verified.

    Stops at the first step that cannot be undone; the steps before it stay as they are. Returns the
    result.json of the undoing run, with ``report``. Raises Refused when nothing was applied, or when the
    record is not what was sealed.
    """
    store = Archive(archive)
    asked = store.find(run)
    folder = store.folder / "runs" / asked.run
    if asked.run not in verify(store.folder).sealed:
        raise Refused(f"The record of {asked.run} is not what was sealed.", "See: ops archive verify")
    said = record.load(folder)
    done = {line["step"] for line in said.events("applied")}
    # Also a step whose verification failed: it was applied, and undoing it is what its message asks for.
    applied = [step for step in record.steps(said) if step.key in done]
    if not applied:
        raise Refused(f"{asked.run} applied no step, so there is nothing to undo.", "See: ops archive show")
    target = settings.load(str(said.run["environment"]))
    notebook = replace(notebooks.find(str(said.run["notebook"])), title=f"Undo of {asked.run}")
    with Stop() as stop:
        session = Session(notebook, {"undo": asked.run}, target, store, mode="run", how="undo", progress=progress)
        result = session.close(*_undo(session, said, applied, stop))
    return {**result, "notebook": notebook.name, "environment": target.environment, "report": str(session.report)}


def _undo(
    session: Session, said: record.Record, applied: list[record.Step], stop: Stop
) -> tuple[str, ExitCode | None, str]:
    values: dict[str, Mapping[str, Any]] = {line["step"]: line["values"] for line in said.events("applied")}
    session.executor.finished = True
    for step in reversed(applied):
        try:
            with stop.armed():
                session.executor.undo(step.key, step.plan, values[step.key])
        except KeyboardInterrupt as error:
            return "interrupted", ExitCode.FAILED, f"stopped by {error}"
        except Refused as error:
            return "refused", ExitCode.REFUSED, str(error)
        except OpsError as error:
            return "failed", ExitCode.FAILED, str(error)
    undone = f"{len(applied)} step(s) of {said.name} were undone"
    ended = {line["step"] for line in said.events("applied", "refused")}
    doubt = dict.fromkeys(line["step"] for line in said.events("intent") if line["step"] not in ended)
    if doubt:
        left = f"others began and did not end, look at the target: {', '.join(doubt)}"
        return "failed", ExitCode.FAILED, f"{undone}; {left}"
    return "finished", None, undone
