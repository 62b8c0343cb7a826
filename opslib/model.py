"""The immutable words of the product: reading, threshold, check, result, plan, evidence.

Everything here is a small frozen value without I/O. Each turns into plain JSON with
:func:`opslib.canonical.to_json`, which is what the journal, the executor's socket and the report see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from opslib.canonical import digest

Scalar = str | int | float | bool | None
Row = Mapping[str, Any]
Rows = tuple[Row, ...]

ENVIRONMENTS = ("lab", "staging", "production")
Environment = Literal["lab", "staging", "production"]


class Verdict(StrEnum):
    """What a result or a run says. UNKNOWN is a verdict: nobody could look, so nobody may say OK."""

    OK = "OK"
    WARNING = "WARNING"
    UNKNOWN = "UNKNOWN"
    CRITICAL = "CRITICAL"

    @classmethod
    def worst(cls, verdicts: list[Verdict] | tuple[Verdict, ...]) -> Verdict:
        """Return the worst of ``verdicts``; UNKNOWN when there are none (never green for nothing done).

        UNKNOWN ranks above WARNING: what could not be looked at may hide a CRITICAL.
        """
        return max(verdicts, key=list(cls).index, default=cls.UNKNOWN)


class Effect(StrEnum):
    """What an action does to the world; decides the approvals. Undetermined counts as destructive."""

    READ = "read"
    LOCAL = "local"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"

    @property
    def on_target(self) -> bool:
        """Whether the target may be another one afterwards: all but what only reads or stays on this machine."""
        return self not in (Effect.READ, Effect.LOCAL)


class Repeat(StrEnum):
    """What a resumed run may do with a step again."""

    REPEATABLE = "repeatable"
    ONCE = "once"
    IRREVERSIBLE = "irreversible"


def now() -> datetime:
    """Return the current time, in UTC, with microseconds."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Probe:
    """Reads one fact of a target. ``read`` gets the reading target and returns rows, or raises OpsError.

    ``source`` is what is asked, as an expert would type it (a statement's file, a command, an address). What is taken
    ``by_executor`` needs a credential that could write as well; what is ``timing`` tells how long an answer takes.
    """

    name: str
    title: str
    read: Callable[[Any], Rows | list[dict[str, Any]]] = field(repr=False)
    source: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    by_executor: bool = False
    timing: bool = False


@dataclass(frozen=True)
class Reading:
    """What a probe saw, once: rows, when, how long it took; or why it could not look (``unknown``)."""

    probe: str
    title: str
    environment: str
    taken_at: datetime
    seconds: float
    rows: Rows = ()
    source: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    unknown: str | None = None

    @property
    def row(self) -> Row:
        """The only row of a reading that has just one; raises ValueError when it has none or several."""
        (only,) = self.rows
        return only


@dataclass(frozen=True)
class Threshold:
    """Two limits for one figure and where they come from (guide item, vendor document, or our reason)."""

    warning: float | None
    critical: float | None
    unit: str
    source: str
    above: bool = True

    def judge(self, value: float | None) -> Verdict:
        """Return the verdict for ``value``: beyond a limit (strictly) is that limit's verdict."""
        if value is None or value != value:
            return Verdict.UNKNOWN
        if self._beyond(value, self.critical):
            return Verdict.CRITICAL
        if self._beyond(value, self.warning):
            return Verdict.WARNING
        return Verdict.OK

    def _beyond(self, value: float, limit: float | None) -> bool:
        if limit is None:
            return False
        return value > limit if self.above else value < limit

    def __str__(self) -> str:
        sign = ">" if self.above else "<"
        parts = [
            f"{name} {sign} {limit:g} {self.unit}".rstrip()
            for name, limit in (("warning", self.warning), ("critical", self.critical))
            if limit is not None
        ]
        return ", ".join(parts) or "shown, not judged"


@dataclass(frozen=True)
class Judgement:
    """What a check's rule says of one reading: verdict, one sentence, the figure, the rows to show.

    ``remedy`` is what to do about just this, where the check's own speaks of several things; else it is empty.
    """

    verdict: Verdict
    summary: str
    value: float | None = None
    rows: Rows = ()
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """A probe held against a threshold, with a remedy.

    ``judge`` is pure: the same reading always gives the same judgement. A reading that could not be
    taken is UNKNOWN before ``judge`` is asked. ``remedy`` says what to do next when the verdict is not
    OK, and names the runbook if there is one.
    """

    name: str
    title: str
    probe: Probe
    judge: Callable[[Reading], Judgement] = field(repr=False)
    remedy: str
    threshold: Threshold | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """A check over time: its probe is taken every ``seconds``, and ``decide`` says what the samples show so far.

    ``decide`` is pure. It gets all samples, those that could not be taken among them, and whether the last one is
    there; until then it returns None to go on looking, or a judgement that ends the watch early.
    """

    name: str
    title: str
    probe: Probe
    decide: Callable[[Sequence[Reading], bool], Judgement | None] = field(repr=False)
    remedy: str
    seconds: float = 15.0
    threshold: Threshold | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A check's outcome on one reading."""

    check: str
    title: str
    verdict: Verdict
    summary: str
    reading: Reading
    value: float | None = None
    threshold: Threshold | None = None
    rows: Rows = ()
    remedy: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What one action would do, as seen now through handles that cannot write.

    ``before`` and ``after`` are plain values that a person can compare; ``touches`` counts the things
    changed (rows, objects, databases), ``None`` when it is unknown until an earlier step has run.
    ``fingerprint`` is what must still hold at apply. ``observed`` is shown beside it and moves by itself
    (sessions, rows of a live table). What an earlier step only will know stands as a marker that begins
    with :data:`UNKNOWN_UNTIL`, wherever it will appear.
    """

    action: str
    title: str
    effect: Effect
    repeat: Repeat
    parameters: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    touches: int | None
    touched: str
    verification: str
    undo: str
    guide: str = ""
    reason: str = ""
    items: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical plan without what moves by itself: the thing that must not move until apply."""
        return digest(replace(self, observed={}))


@dataclass(frozen=True)
class Verification:
    """What a look at the target after an effect says: verdict, one sentence, rows as proof."""

    verdict: Verdict
    summary: str
    rows: Rows = ()


class StepStatus(StrEnum):
    """How a step ended, as the journal has it."""

    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"
    UNDONE = "undone"


class Outcome(StrEnum):
    """What a look at the target says of an apply that was broken off."""

    DONE = "done"
    NOT_DONE = "not done"
    PARTLY = "partly done"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Evidence:
    """What a step did: its plan's digest, the values that it produced, and its verification."""

    action: str
    title: str
    status: StepStatus
    plan: Plan
    values: Mapping[str, Any] = field(default_factory=dict)
    verification: Verification | None = None
    seconds: float = 0.0

    def __getitem__(self, name: str) -> Any:
        """Return a produced value; in a planning run the marker ``unknown until step …`` stands for it."""
        if self.status is StepStatus.PLANNED and name not in self.values:
            return f"{UNKNOWN_UNTIL}{self.action}"
        return self.values[name]


UNKNOWN_UNTIL = "unknown until step "
"""Prefix of the marker that a planning run hands on for values that a later step only will know."""


@dataclass(frozen=True)
class Picture:
    """A small drawing of a reading: self-contained SVG, and the same in one sentence for who cannot see it."""

    title: str
    svg: str
    alternative: str
