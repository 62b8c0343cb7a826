"""What a run is found by: its facts, and the words of its parameters, results, steps and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from opslib.archive import record, summary
from opslib.archive.record import Record
from opslib.archive.summary import Summary
from opslib.runs.cards import sub, text_of

T = TypeVar("T", "Line", Summary)
LONGEST = 2_000
"""So many characters of one line's text are searched."""


@dataclass(frozen=True)
class Line:
    """Something that a run says: ``kind`` is parameter, check, step, note or end; ``value`` a check's number.

    ``warning`` and ``critical`` are the limits that the number was held against; ``above`` is whether beyond is more.
    """

    kind: str
    name: str
    text: str
    verdict: str = ""
    value: float | None = None
    unit: str = ""
    warning: float | None = None
    critical: float | None = None
    above: bool = True


@dataclass(frozen=True)
class Searched:
    """A run as the index keeps it."""

    summary: Summary
    lines: tuple[Line, ...]


def read(archive: Path, run: str) -> Searched:
    """Return what ``run`` is found by; never raises for what is in its files.

    Of a run that is open or in quarantine only its facts: what stands in it is not sealed.
    """
    told = _plain(summary.read(archive, run))
    if told.sealed != "sealed":
        return Searched(told, ())
    return Searched(told, tuple(_lines(record.load(archive / "runs" / run), told)))


def lines(read: Record, reason: str = "") -> list[Line]:
    """Return what a run says, in the order of parameters, checks, steps, notes, end; of a check the newest result."""
    found = [*_parameters(read), *_checks(read), *_steps(read), *_notes(read)]
    found += [Line("end", read.state, reason, read.verdict)] if reason else []
    return [_plain(line) for line in found]


def _lines(read: Record, told: Summary) -> Iterator[Line]:
    yield from lines(read, told.reason)


def _parameters(read: Record) -> Iterator[Line]:
    for name, value in sub(read.run, "parameters").items():
        yield Line("parameter", str(name), _cut(str(value)))


def _checks(read: Record) -> Iterator[Line]:
    said = {text_of(sub(line, "result"), "check"): sub(line, "result") for line in read.events("result")}
    for name, result in said.items():
        value = result.get("value")
        text = f"{text_of(result, 'title')}: {text_of(result, 'summary')}"
        held = sub(result, "threshold")
        limits = (number(held.get("warning")), number(held.get("critical")), held.get("above") is not False)
        yield Line("check", name, _cut(text), text_of(result, "verdict"), number(value), text_of(held, "unit"), *limits)


def _steps(read: Record) -> Iterator[Line]:
    for step in record.steps(read):
        said = (text_of(step.plan, "title"), text_of(step.verification, "summary"), step.message)
        yield Line("step", step.key, _cut(". ".join(filter(None, said))), step.status)


def _notes(read: Record) -> Iterator[Line]:
    for line in read.events("note", "confirmed"):
        yield Line("note", text_of(line, "cell"), _cut(f"{text_of(line, 'text')} {text_of(line, 'by')}".strip()))


def number(value: Any) -> float | None:
    """Return a usable number as a float; None for anything else."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if usable else None


def _plain(said: T) -> T:
    """Return it with texts that any database takes: without half characters, which JSON lets in, and zero bytes."""
    texts = {name: value for name, value in vars(said).items() if type(value) is str}
    odd = {name: value for name, value in texts.items() if "\0" in value or not _encodes(value)}
    if not odd:
        return said
    plain: dict[str, Any] = {name: value.encode("utf-8", "replace").decode() for name, value in odd.items()}
    return replace(said, **{name: value.replace("\0", "\ufffd") for name, value in plain.items()})


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
