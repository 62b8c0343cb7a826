"""``ops resume``: go on with a run that was broken off, in a run of its own that follows it.

The notebook runs again from its first cell, so that readings are new. A step that an earlier run finished is
not repeated; one whose end nobody knows is settled by a look at the target before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.archive.store import Archive
from opslib.errors import Refused
from opslib.headless import agreement, earlier, notebooks, runner
from opslib.headless.asked import Asked
from opslib.runs.steps import State


def resume(
    run: str,
    archive: Path,
    *,
    environment: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Go on with ``run`` (its id, or the beginning or end of it) and return as :func:`runner.run` does.

    Raises Refused when there is nothing to resume, when it was undone, when the notebook is another by now, or
    when the approval that it was applied under does not hold any more.
    """
    return runner.execute(to_resume(Archive(archive), run, environment), archive, progress=progress)


def to_resume(store: Archive, run: str, environment: str | None = None) -> Asked:
    """Return what a run that goes on with ``run`` is asked to do; raises as :func:`resume` does."""
    before = earlier.find(store, run, environment)
    asked, last = before.asked, before.last
    if asked.get("mode") == "plan":
        raise Refused(f"{before.work} was planned only.", f"Apply it with: ops run --apply {before.work}")
    if last.state == "finished" and "undoes" not in last.run and last.run.get("how") != "resolve":
        raise Refused(f"{last.name} finished, so there is nothing to resume.", "Start a new run.")
    if any(step.state in (State.UNDONE, State.UNDO_IN_DOUBT) for step in before.steps.values()):
        raise Refused(f"{before.work} was undone, in part or wholly.", "Finish with ops undo, then start a new run.")
    notebook = notebooks.find(str(asked["notebook"]))
    if notebook.sha256 != asked["notebook_sha256"]:
        raise Refused(
            f"{notebook.name} is not the notebook that {before.work} ran.", "Undo that run, or bring it back."
        )
    target = settings.load(str(asked["environment"]))
    before.same_place(target)
    return Asked(
        notebook,
        notebook.again(asked["parameters"]),
        target,
        run=before.next_run("resume"),
        links={"resumes": last.name} | ({"applies": asked["applies"]} if "applies" in asked else {}),
        agreed=agreement.again(store, before, target) if "applies" in asked else None,
        history=before.steps,
    )
