"""Which backups may go: a pure rule, so that it can be tried on any history.

The guide keeps database backups for 30 days (BAK-LOC-01R). Age alone is a dangerous rule: after a month
of failing backups it deletes the last good one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Candidate:
    """What the rule knows of one backup; ``taken_at`` is None when its manifest cannot be read."""

    name: str
    taken_at: datetime | None
    proven: bool
    usable: bool
    locked: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether a backup goes, and why (not)."""

    name: str
    goes: bool
    why: str


def decide(candidates: Sequence[Candidate], now: datetime, days: int) -> list[Decision]:
    """Return a decision for each candidate, in the same order.

    A backup goes only when it is older than ``days``, a younger one is proven, and nothing locks it.
    """
    proven = [item for item in candidates if item.proven and item.usable and item.taken_at is not None]
    newest = max(proven, key=lambda item: (item.taken_at, item.name), default=None)
    return [_decide(item, newest, now - timedelta(days=days), days) for item in candidates]


def _decide(item: Candidate, newest: Candidate | None, limit: datetime, days: int) -> Decision:
    if item.taken_at is None or not item.usable:
        why = "is not whole: a person must look at it first"
    elif item.taken_at >= limit:
        why = f"is not older than {days} days"
    elif newest is None or newest.taken_at is None:
        why = "stays while no backup is proven at all"
    elif item.name == newest.name:
        why = "is the newest proven backup"
    elif item.taken_at > newest.taken_at:
        why = "is younger than the newest proven backup"
    elif item.locked:
        why = "is held by an object lock"
    else:
        return Decision(item.name, True, f"is older than {days} days, and {newest.name} is proven")
    return Decision(item.name, False, why)
