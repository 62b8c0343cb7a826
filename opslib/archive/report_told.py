"""What a run's record adds up to: each check's latest result, the guide items it touched, and why its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.archive.record import Record, steps
from opslib.model import Verdict
from opslib.runs.cards import sub, text_of

Said = Mapping[str, Any]


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
