"""``ops resolve``: a person's word, with evidence, how a step in doubt ended; recorded and sealed as a run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from opslib import files, settings
from opslib.archive.store import Archive
from opslib.errors import ExitCode, Refused, UsageError
from opslib.headless import earlier, notebooks, origin
from opslib.headless.asked import Asked
from opslib.headless.session import Session
from opslib.model import Outcome
from opslib.runs.steps import State

LARGEST = 16 * 1024 * 1024
"""No evidence has more bytes."""


def resolve(
    run: str, step: str, done: bool, evidence: Path, archive: Path, environment: str | None = None
) -> dict[str, Any]:
    """Record that ``step`` of ``run`` was done, or was not, as the file ``evidence`` shows.

    Returns the result.json of the recording run, with ``report``. Raises Refused unless that step is in doubt,
    UsageError for evidence that cannot be read or holds a secret of the target.
    """
    store = Archive(archive)
    before = earlier.find(store, run, environment)
    known = before.steps.get(step)
    if known is None or known.state is not State.IN_DOUBT:
        doubts = [name for name, one in before.steps.items() if one.state is State.IN_DOUBT]
        raise Refused(f"The step {step} of {before.work} is not in doubt.", f"In doubt: {', '.join(doubts) or 'none'}.")
    try:
        data = files.read_plain(evidence, LARGEST)
    except OSError as error:
        raise UsageError(f"The evidence {evidence} cannot be read.", "Give a plain file.") from error
    asked = before.asked
    target = settings.load(str(asked["environment"]))
    before.same_place(target)
    notebook = replace(notebooks.find(str(asked["notebook"])), title=f"How {step} of {before.work} ended")
    doing = Asked(
        notebook,
        {"step": step, "done": done},
        target,
        how="resolve",
        run=before.next_run("resolve"),
        links={"resolves": before.last.name},
        history=before.steps,
    )
    session = Session(doing, store)
    if session.redactor.leaks(data):
        session.close("refused", ExitCode.REFUSED, "the evidence holds a secret of the target")
        raise UsageError(f"A secret of the target stands in {evidence}.", "Take it out, and change that secret.")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", evidence.name).lstrip(".-")[:80] or "evidence"
    kept = session.folder / "evidence" / name
    files.write(kept, data, kept.with_name(f".{name}.part"))
    session.executor.journal.append(
        "resolved",
        step=step,
        outcome=Outcome.DONE if done else Outcome.NOT_DONE,
        by=f"{origin.who()}@{origin.where()}",
        evidence=name,
    )
    session.executor.finished = True
    said = f"{step} {'was' if done else 'was not'} done, as {name} shows"
    result = session.close("finished", None, said)
    return {**result, "notebook": notebook.name, "environment": target.environment, "report": str(session.report)}
