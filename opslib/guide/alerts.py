"""The guide's alerts as data: for whom each is, its limit in the policy, and the series on which a rule could stand.

``alerts.tsv``: told is who must be told (one of several by ``|``), metrics the names that count, as one pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from opslib.guide.thresholds import threshold
from opslib.model import Threshold


@dataclass(frozen=True)
class Alert:
    """One alert of the guide (items MON-ALC and MON-ALW)."""

    item: str
    alert: str
    severity: str
    told: tuple[str, ...]
    figure: str
    metrics: re.Pattern[str]

    @property
    def limit(self) -> Threshold | None:
        """The policy's threshold, whose critical limit is the alert; None where the guide names no number."""
        return threshold(self.figure) if self.figure else None


@cache
def alerts() -> tuple[Alert, ...]:
    """Return the guide's eight alerts."""
    text = files("opslib.guide").joinpath("alerts.tsv").read_text(encoding="utf-8")
    found = []
    for row in text.splitlines()[1:]:
        item, alert, severity, told, figure, metrics = row.split("\t")
        found.append(Alert(item, alert, severity, tuple(told.split("|")), figure, re.compile(metrics)))
    return tuple(found)
