"""The clock of an incident: which level's turn it is, who was told, who took it on. Pure.

The guide's clock runs from the start until the incident is over. That somebody took it on does not stop it: the guide
names minutes and no condition. An acknowledgement says that level 1 was reached, and nothing of the levels above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opslib.errors import UsageError
from opslib.guide.support import Level, levels
from opslib.model import Row

TRIAGE, HANDOVER = "diagnostics/triage", "reviews/on-call-handover"
WORKBENCH = "reviews/incident-workbench"
LOOKS = ("diagnostics/", "reviews/", "routines/")
"""Notebooks that change nothing."""
NONE = "none"
URGENT = ("critical", "error")
"""Severities at which a level that was not told in time is CRITICAL; at others it is a WARNING."""


def looks(notebook: str) -> bool:
    """Tell whether a notebook changes nothing, and tells nobody."""
    return notebook.startswith(("diagnostics/", "reviews/")) and notebook != WORKBENCH


def when(value: Any) -> datetime:
    """Return a moment of a row or a parameter, which may be a text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def given(moment: str) -> datetime | None:
    """Return a moment of a notebook's parameter; None for ``none``; raises UsageError for a day that there is not."""
    try:
        return None if moment == NONE else when(moment)
    except ValueError:
        raise UsageError(
            f"{moment} is no moment.", "Give a time that there is, such as 2026-11-29T10:00:00Z."
        ) from None


@dataclass(frozen=True)
class Turn:
    """How one level stands: when its turn begins, whether it was told, and for how many seconds it is overdue."""

    level: Level
    due_at: datetime
    told: bool
    late: float | None


@dataclass(frozen=True)
class Incident:
    """What a person says of an incident; ``told_level`` is the highest level that was told of it."""

    name: str
    severity: str
    started: datetime | None = None
    acknowledged: datetime | None = None
    by: str = NONE
    told_level: int = 0
    resolved: datetime | None = None

    @property
    def title(self) -> str:
        """Return the incident's name for a sentence's beginning."""
        return "The incident" if self.name == NONE else self.name

    @property
    def reached(self) -> int:
        """The highest level that knows of it: who took it on is one of level 1."""
        return max(self.told_level, 1 if self.acknowledged is not None else 0)

    def end(self, now: datetime) -> datetime:
        """Return until when the clock runs."""
        return self.resolved or now

    def faults(self, now: datetime) -> list[str]:
        """Return what cannot be so."""
        if self.started is None:
            return ["nobody says when it began"]
        said = (("it began", self.started), ("it was taken on", self.acknowledged), ("it was over", self.resolved))
        ahead = [f"{what} in the time to come" for what, at in said if at is not None and at > now]
        early = [f"{what} before it began" for what, at in said[1:] if at is not None and at < self.started]
        late = self.acknowledged is not None and self.resolved is not None and self.acknowledged > self.resolved
        unnamed = self.acknowledged is not None and self.by == NONE
        return [
            *(ahead + early),
            *(["it was taken on after it was over"] if late else []),
            *(["it was taken on and nobody says by whom"] if unnamed else []),
        ]

    def turns(self, now: datetime) -> Iterator[Turn]:
        """Yield how each level stands; raises ValueError where nobody says when it began."""
        if self.started is None:
            raise ValueError("nobody says when it began")
        for level in levels():
            due, told = self.started + timedelta(minutes=level.begins), level.number <= self.reached
            passed = (self.end(now) - due).total_seconds()
            yield Turn(level, due, told, passed if passed >= 0 and not told else None)


def since(rows: Sequence[Row], start: datetime, end: datetime) -> list[Row]:
    """Return the runs that were begun between two moments, oldest first."""
    return sorted((row for row in rows if start <= when(row["started_at"]) <= end), key=lambda row: row["started_at"])


def undocumented(row: Row) -> str:
    """Return why what a run did is not documented; empty where it is, or where it did nothing."""
    if row["untrusted"]:
        return f"{str(row['untrusted']).rstrip('.')}"
    if row["sealed"] == "quarantined":
        return "is in quarantine: a secret stands in its files"
    if row["sealed"] == "open":
        return "is not sealed yet"
    doubtful = [one["step"] for one in row["steps"] if "doubt" in one["status"]]
    if doubtful:
        return f"left in doubt what {', '.join(doubtful)} did"
    return "" if row["report"] else "has no report"
