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
from pathlib import Path
from typing import Any, Final

from opslib import files
from opslib.model import Verdict
from opslib.runs.cards import sub, text_of

Said = Mapping[str, Any]
LARGEST: Final = 64 * 1024 * 1024
"""No file of a run that is read for its report has more bytes."""
FIRST: Final = "0" * 64


@dataclass(frozen=True)
class Step:
    """One step as the journal has it; ``plan`` and the others are empty where the run did not come so far."""

    key: str
    status: str
    cell: str
    seq: int
    plan: Said
    digest: str
    verification: Said
    values: Said
    message: str
    next_step: str
    seconds: float | None

    def evidence(self) -> dict[str, Any]:
        """Return the step in the form of an Evidence's JSON, for its card."""
        return {
            "status": self.status,
            "plan": {**self.plan, "digest": self.digest},
            "values": self.values,
            "verification": self.verification,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Record:
    """Everything that a report is made of.

    ``lines`` counts the journal's whole lines, readable or not; ``head`` is the last one's SHA-256.
    """

    folder: str
    run: Said
    result: Said
    journal: tuple[Said, ...]
    lines: int
    head: str
    cells: tuple[Said, ...] | None
    faults: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The run's id."""
        return text_of(self.run, "run") or self.folder

    def events(self, *names: str) -> list[Said]:
        """Return the journal's lines of these events, in order."""
        return [line for line in self.journal if line.get("event") in names]

    @property
    def state(self) -> str:
        """``finished``, ``failed``, ``refused``, ``interrupted``, or "not finished" where no end is recorded."""
        closed = self.events("closed")
        return text_of(closed[-1], "state") if closed else text_of(self.result, "state") or "not finished"

    @property
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
    record = Record(folder.name, run, result, journal, lines, head, kept, tuple(faults))
    return _compared(record)


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


def results(record: Record) -> list[Said]:
    """Return each check's latest result line, worst first; ``earlier`` lists the verdicts before it."""
    latest: dict[str, dict[str, Any]] = {}
    for line in record.events("result"):
        result = sub(line, "result")
        name = text_of(result, "check")
        before = latest.get(name)
        earlier = [*before["earlier"], text_of(sub(before, "result"), "verdict")] if before else []
        latest[name] = {**line, "earlier": earlier}
    order = [verdict.value for verdict in reversed(Verdict)]
    return sorted(latest.values(), key=lambda line: _rank(text_of(sub(line, "result"), "verdict"), order))


def _rank(verdict: str, order: list[str]) -> int:
    return order.index(verdict) if verdict in order else -1


_STATUS: Final = {
    "planned": "planned",
    "intent": "in doubt",
    "applied": "applied",
    "verified": "applied",
    "refused": "refused",
    "failed": "failed",
    "undone": "undone",
}


def steps(record: Record) -> list[Step]:
    """Return the run's steps in order, each with the status that its last journal line gives it.

    A step with an intent and no outcome is in doubt; one that was planned in a run that was to apply it
    is interrupted.
    """
    lines: dict[str, list[Said]] = {}
    for line in record.events(*_STATUS):
        lines.setdefault(text_of(line, "step") or text_of(line, "cell"), []).append(line)
    return [_step(key, said, text_of(record.run, "mode")) for key, said in lines.items()]


def _step(key: str, lines: list[Said], mode: str) -> Step:
    merged: dict[str, Any] = {}
    for line in lines:
        merged |= line
    status = _STATUS[text_of(lines[-1], "event")]
    if status == "planned" and mode != "plan":
        status = "interrupted"
    return Step(
        key=key,
        status=status,
        cell=text_of(lines[0], "cell"),
        seq=lines[0]["seq"] if isinstance(lines[0].get("seq"), int) else 0,
        plan=sub(merged, "plan") or {"title": text_of(merged, "action") or key, "action": text_of(merged, "action")},
        digest=text_of(merged, "digest"),
        verification=sub(merged, "verification"),
        values=sub(merged, "values"),
        message=text_of(merged, "message"),
        next_step=text_of(merged, "next_step"),
        seconds=merged["seconds"] if isinstance(merged.get("seconds"), (int, float)) else None,
    )


def seconds_between(first: str, last: str) -> float | None:
    """Return the seconds between two ISO 8601 times; None when one is none."""
    try:
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    except (TypeError, ValueError):
        return None


def items(record: Record) -> list[str]:
    """Return the guide items that the run's checks and steps carry out, sorted."""
    said = [sub(line, "result") for line in record.events("result")]
    said += [sub(line, "plan") for line in record.events("planned")]
    found = (item for one in said for item in (one.get("items") or ()) if isinstance(one.get("items"), list))
    return sorted({str(item) for item in found})


def why(record: Record, worst: list[Said]) -> str:
    """Return one sentence: why the run has its verdict."""
    planned = "Planned only, nothing was changed. " if text_of(record.run, "mode") == "plan" else ""
    return planned + _why(record, worst)


def _found(worst: list[Said]) -> str:
    """What the worst result says, which check says it, and how many more are not OK."""
    results = [sub(line, "result") for line in worst]
    more = sum(text_of(result, "verdict") != "OK" for result in results) - 1
    also = f" {more} more result{'s are' if more > 1 else ' is'} not OK." if more > 0 else ""
    return f"{text_of(results[0], 'summary')} (Check: {text_of(results[0], 'title')}.){also}"


def _why(record: Record, worst: list[Said]) -> str:
    stopped = [line for line in record.events("failed", "refused", "error") if line.get("message")]
    if record.state in ("failed", "refused") and stopped:
        return text_of(stopped[0], "message")
    if record.state != "finished":
        last = text_of(record.journal[-1], "cell") if record.journal else ""
        where = f" in cell {last}" if last else ""
        return text_of(record.result, "reason") or f"The run is {record.state}; its journal ends{where}."
    if record.verdict != "OK" and worst:
        return _found(worst)
    if text_of(record.result, "reason"):
        return text_of(record.result, "reason")
    done = [step for step in steps(record) if step.verification]
    if not worst and not done:
        return "No check was made, so nothing can be said."
    checked = f"{len(worst)} check{'s' * (len(worst) != 1)}" if worst else ""
    stepped = f"{len(done)} step{'s' * (len(done) != 1)}" if done else ""
    one = len(worst) + len(done) == 1
    return f"{' and '.join(filter(None, (checked, stepped)))} {'is' if one else 'are'} OK."
