"""A run's folder read back as it is: complete, unfinished, torn or damaged, and it says which.

The journal is the truth for what was done and how it ended; ``result.json`` adds times and exit code;
the notebook adds text, code and outputs. Whatever can't be read becomes a fault in words, never an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from opslib import files
from opslib.archive import record_steps
from opslib.archive.log import RUN_ID
from opslib.archive.record_steps import Step as Step
from opslib.errors import OpsError
from opslib.model import Verdict
from opslib.runs import saved_plan
from opslib.runs.cards import text_of
from opslib.runs.steps import in_order, work_of

Said = Mapping[str, Any]
LARGEST: Final = 64 * 1024 * 1024
"""No file of a run that is read for its report has more bytes."""
FIRST: Final = "0" * 64


@dataclass(frozen=True)
class Record:
    """Everything that a report is made of.

    ``lines`` counts the journal's whole lines, readable or not; ``head`` is the last one's SHA-256. ``plan`` is
    the saved plan of a planning run, ``plan_sha256`` of the file's bytes, ``plan_run`` the run that saved it.
    ``beside`` are the other runs of the same work that lie in the same folder.
    """

    folder: str
    run: Said
    result: Said
    journal: tuple[Said, ...]
    lines: int
    head: str
    cells: tuple[Said, ...] | None
    faults: tuple[str, ...] = field(default=())
    plan: Said = field(default_factory=dict)
    plan_sha256: str = ""
    beside: tuple[str, ...] = ()
    plan_run: str = ""

    @property
    def name(self) -> str:
        """The run's id."""
        return text_of(self.run, "run") or self.folder

    def events(self, *names: str) -> list[Said]:
        """Return the journal's lines of these events, in order."""
        if len(names) == 1:
            return [line for _, line in self._by_event.get(names[0], ())]
        found = [numbered for name in dict.fromkeys(names) for numbered in self._by_event.get(name, ())]
        return [line for _, line in sorted(found, key=lambda numbered: numbered[0])]

    @cached_property
    def _by_event(self) -> dict[str, list[tuple[int, Said]]]:
        """The journal's lines by event, with their places: a page asks for them at each of its cells."""
        found: dict[str, list[tuple[int, Said]]] = {}
        for number, line in enumerate(self.journal):
            if isinstance(event := line.get("event"), str):
                found.setdefault(event, []).append((number, line))
        return found

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The run's steps, as :func:`steps` says them."""
        return record_steps.of(self.events(*record_steps.STATUS), text_of(self.run, "mode"))

    @property
    def planned(self) -> list[Said]:
        """The steps of the saved plan, each with ``step``, ``digest`` and ``plan``."""
        steps = self.plan.get("steps")
        return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []

    @cached_property
    def state(self) -> str:
        """``finished``, ``failed``, ``refused``, ``interrupted``, or "not finished" where no end is recorded."""
        closed = self.events("closed")
        return text_of(closed[-1], "state") if closed else text_of(self.result, "state") or "not finished"

    @cached_property
    def verdict(self) -> str:
        """The recorded verdict; UNKNOWN where none is."""
        ends = [*self.events("finished"), self.result, *self.events("closed")]
        words = [text_of(end, "verdict") for end in ends if end.get("verdict")]
        return words[-1] if words and words[-1] in list(Verdict) else Verdict.UNKNOWN.value


def load(folder: Path) -> Record:
    """Return the record in ``folder``; never raises for what is in its files."""
    faults: list[str] = []
    run = _object(folder / "run.json", faults, must=True)
    result = _object(folder / "result.json", faults, must=False)
    journal, lines, head = _journal(folder / "journal.jsonl", faults)
    notebook = _object(folder / "notebook.ipynb", faults, must=False)
    cells = notebook.get("cells")
    kept = tuple(cell for cell in cells if isinstance(cell, dict)) if isinstance(cells, list) else None
    plan, sha = _plan(folder / "plan.json", faults)
    plan_run = text_of(plan, "run")
    if text_of(run, "mode") != "plan":
        plan = {}  # the plan that was applied, in its own words: what came of it is told by the journal
    record = Record(
        folder.name, run, result, journal, lines, head, kept, tuple(faults), plan, sha, _beside(folder), plan_run
    )
    return _compared(record)


def _plan(path: Path, faults: list[str]) -> tuple[Said, str]:
    """The saved plan of a planning run; other runs have a list of their steps' plans there, or nothing."""
    try:
        data = files.read_plain(path, LARGEST)
        said = json.loads(data.decode("utf-8", "replace"))
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        faults.append(f"plan.json can't be read ({type(error).__name__}).")
        return {}, ""
    if not isinstance(said, dict):
        return {}, ""
    try:
        saved_plan.parse(data)
    except OpsError as error:
        faults.append(f"plan.json can't be applied. {error.message}")
    return said, saved_plan.sha256(data)


def _beside(folder: Path) -> tuple[str, ...]:
    if not RUN_ID.fullmatch(folder.name):
        return ()
    work, number = work_of(folder.name), 0
    found, more = [name for name in (work, f"{work}-apply") if (folder.parent / name).is_dir()], ["first"]
    while more:
        number += 1
        names = [f"{work}-{kind}-{number}" for kind in ("resume", "undo", "resolve")]
        more = [name for name in names if (folder.parent / name).is_dir()]
        found += more
    return tuple(name for name in in_order(found, work) if name != folder.name)


def _compared(record: Record) -> Record:
    said, told = text_of(record.result, "verdict"), record.verdict
    if not said or said == told:
        return record
    fault = f"result.json says {said}, the journal says {told}; the journal counts."
    return replace(record, faults=(*record.faults, fault))


def _object(path: Path, faults: list[str], must: bool) -> dict[str, Any]:
    try:
        value = json.loads(files.read_plain(path, LARGEST).decode("utf-8", "replace"))
    except FileNotFoundError:
        if must:
            faults.append(f"{path.name} is missing.")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        faults.append(f"{path.name} can't be read ({type(error).__name__}).")
        return {}
    if not isinstance(value, dict):
        faults.append(f"{path.name} holds no JSON object.")
        return {}
    return value


def _journal(path: Path, faults: list[str]) -> tuple[tuple[Said, ...], int, str]:
    try:
        data = files.read_plain(path, LARGEST)
    except OSError as error:
        faults.append(f"journal.jsonl can't be read ({type(error).__name__}): nothing here is proven.")
        return (), 0, FIRST
    *whole, torn = data.split(b"\n")
    if torn:
        faults.append("The journal's last line is torn: the run was cut off while writing it.")
    lines: list[Said] = []
    head = FIRST
    for number, raw in enumerate(whole, 1):
        line = _line(raw)
        if not line:
            faults.append(f"Line {number} of the journal can't be read.")
        elif line.get("prev") != head:
            faults.append(f"Line {number} of the journal does not continue the line before it.")
        if line:
            lines.append(line)
        head = hashlib.sha256(raw).hexdigest()
    return tuple(lines), len(whole), head


def _line(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def steps(record: Record) -> list[Step]:
    """Return the run's steps in order, each with the status that its journal lines give it.

    A step with an intent and no outcome is in doubt, and so is one of which a look at the target could not
    tell; one that was planned in a run that was to apply it is interrupted.
    """
    return list(record.steps)


def seconds_between(first: str, last: str) -> float | None:
    """Return the seconds between two ISO 8601 times; None when one is none."""
    try:
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    except (TypeError, ValueError):
        return None
