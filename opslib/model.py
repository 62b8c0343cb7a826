"""The immutable words of the product: reading, threshold, check, result, plan, evidence.

Everything here is a small frozen value without I/O. Each value turns into plain JSON with
:func:`to_json`, which is what the journal, the executor's socket and the report see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Literal

import rfc8785

Scalar = str | int | float | bool | None
Row = Mapping[str, Any]
Rows = tuple[Row, ...]

AREAS = (
    "triage",
    "environment",
    "application",
    "database",
    "llm",
    "cache",
    "supabase",
    "agents",
    "sdui",
    "authentication",
    "frontend",
    "cluster",
    "observability",
    "costs",
    "delivery",
    "backups",
    "security",
    "dependencies",
)
"""The closed list of areas, used alike in notebooks, probes, checks, actions and tests."""

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
        order = list(cls)
        return max(verdicts, key=order.index, default=cls.UNKNOWN)


class Effect(StrEnum):
    """What an action does to the world; decides the approvals. Undetermined counts as destructive."""

    READ = "read"
    LOCAL = "local"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"


class Repeat(StrEnum):
    """What a resumed run may do with a step again."""

    REPEATABLE = "repeatable"
    ONCE = "once"
    IRREVERSIBLE = "irreversible"


def now() -> datetime:
    """Return the current time, in UTC, with microseconds."""
    return datetime.now(UTC)


def to_json(value: Any) -> Any:
    """Return ``value`` as plain JSON data (dict, list, str, int, float, bool, None).

    Times become ISO 8601 in UTC, durations seconds, Decimals strings of their exact value (integers
    stay integers); bytes are refused, so that nothing binary slips into a journal.
    """
    if value is None or (isinstance(value, (bool, int, float, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.repr}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form; give text, numbers, times, rows or values")


def canonical(value: Any) -> bytes:
    """Return the canonical JSON bytes of ``value`` (RFC 8785), the form that digests are taken of.

    Integers beyond 2**53 have no canonical JSON form and become strings first.
    """
    return rfc8785.dumps(_safe_numbers(to_json(value)))


def digest(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _safe_numbers(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, dict):
        return {key: _safe_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe_numbers(item) for item in value]
    return value


@dataclass(frozen=True)
class Probe:
    """Reads one fact of a target. ``read`` gets the reading target and returns rows, or raises OpsError.

    ``source`` is what is asked, as an expert would type it (a statement's file, a command, an address).
    """

    name: str
    title: str
    read: Callable[[Any], Rows | list[dict[str, Any]]] = field(repr=False)
    source: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


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
    """What a check's rule says of one reading: verdict, one sentence, the figure, the rows to show."""

    verdict: Verdict
    summary: str
    value: float | None = None
    rows: Rows = ()


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
    ``fingerprint`` is what was observed and must still hold at apply. ``digest`` is what gets approved.
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

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical plan: the thing an approval is bound to."""
        return digest(self)


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
