"""``ops undo``: take a work's applied steps back, the last one first, in a run of its own that is sealed as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.archive.store import Archive
from opslib.errors import ExitCode, OpsError, Refused
from opslib.headless import agreement, earlier, notebooks
from opslib.headless.asked import Agreed, Asked
from opslib.headless.session import Session
from opslib.headless.stop import Stop
from opslib.runs.claims import claim_plan
from opslib.runs.saved_plan import sha256
from opslib.runs.steps import State, StepRecord, number_of
from opslib.runs.undoing import UNDO
from opslib.runs.work import Mode


def undo(
    run: str,
    archive: Path,
    *,
    mode: Mode = "run",
    plan: str | None = None,
    environment: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Undo what ``run`` (its id or the beginning of it), and the runs that resumed it, applied; each step verified.

    A step whose end nobody knows is looked at first. Stops at the first step that cannot be undone; the steps
    before it stay as they are. In mode ``plan`` a plan of the undo is saved, to be approved; ``plan`` names
    such a one. Returns the result.json of the undoing run, with ``report``. Raises Refused when nothing is left
    to undo, or when a record is not what was sealed.
    """
    store = Archive(archive)
    before = earlier.find(store, run, environment)
    changed = _changed(before)
    target = settings.load(str(before.asked["environment"]))
    before.same_place(target)
    agreed = _agreed(store, before, target, plan)
    planning = mode == "plan"
    doing = Asked(
        replace(notebooks.find(str(before.asked["notebook"])), title=f"Undo of {before.work}"),
        {UNDO: before.work},
        target,
        mode=mode,
        how="undo",
        run="" if planning else before.next_run("undo"),
        links={"undoes": before.last.name} | ({"applies": sha256(agreed.data)} if plan and agreed else {}),
        agreed=None if planning else agreed,
        history=before.steps,
    )
    if plan is not None and agreed is not None:
        claim_plan(target, agreed.plan.run, doing.run)
    with Stop() as stop:
        session = Session(doing, store, progress=progress)
        with stop.watching(store.folder, session.id, target.run_minutes * 60):
            ended = (_plan if planning else _undo)(session, changed, stop)
        result = session.close(*ended)
    return {
        **result,
        "notebook": doing.notebook.name,
        "environment": target.environment,
        "report": str(session.report),
    }


def _changed(before: earlier.Earlier) -> list[StepRecord]:
    """Return the steps that left something to take back; raises Refused when there are none."""
    if changed := [step for step in before.steps.values() if step.changed]:
        return changed
    undone = [step.run for step in before.steps.values() if step.state is State.UNDONE]
    said = f"was undone already, by {max(undone, key=number_of)}" if undone else "applied no step"
    raise Refused(f"{before.work} {said}, so there is nothing to undo.", f"See: ops archive show {before.last.name}")


def _agreed(store: Archive, before: earlier.Earlier, target: settings.Settings, plan: str | None) -> Agreed | None:
    if plan is not None:
        return agreement.to_undo(plan, store, before, target)
    # Who approved a plan approved its undo with it, for as long as the plan holds; after that the undo is judged
    # as a change of its own.
    if "applies" not in before.asked:
        return None
    try:
        return agreement.again(store, before, target)
    except Refused:
        return None


def _plan(session: Session, changed: list[StepRecord], stop: Stop) -> tuple[str, ExitCode | None, str]:
    session.executor.finished = True
    for step in reversed(changed):
        session.executor.stepper.plan_back(step)
    return "finished", None, f"{len(changed)} step(s) would be undone, the last one first"


def _undo(session: Session, changed: list[StepRecord], stop: Stop) -> tuple[str, ExitCode | None, str]:
    session.executor.finished = True
    for step in reversed(changed):
        try:
            with stop.armed():
                session.executor.take_back(step)
        except KeyboardInterrupt as error:
            return "interrupted", ExitCode.FAILED, session.stop(str(error))
        except Refused as error:
            return "refused", ExitCode.REFUSED, str(error)
        except OpsError as error:
            return "failed", ExitCode.FAILED, str(error)
    return "finished", None, f"{len(changed)} step(s) were undone, the last one first"
