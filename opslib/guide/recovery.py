"""What the guide promises of recovery: each service's priority, how soon it is back, and how much may be lost.

Read from the guide's own items (DR-OBJ-01 to 05), so that there is one place for each figure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from opslib.guide.catalogue import items

_ITEM = re.compile(r"DR-OBJ-(\d\d)([TPQ])")
_SAID = {
    "T": re.compile(r"(.+): RTO (.+?) \("),
    "P": re.compile(r"(.+): RPO (.+?) \("),
    "Q": re.compile(r"(.+): recovery priority P(\d) "),
}
_SECONDS = {"min": 60.0, "hour": 3600.0, "hours": 3600.0}


@dataclass(frozen=True)
class Promise:
    """What is promised of one service: ``priority`` 0 comes first; times in seconds, None where none is promised."""

    service: str
    priority: int
    recovery_seconds: float | None
    loss_seconds: float | None
    items: tuple[str, ...]


@cache
def promises() -> tuple[Promise, ...]:
    """Return the promises in the order of recovery: by priority, among equals as the guide lists them."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for item in items().values():
        if said := _ITEM.fullmatch(item.id):
            words = _SAID[said[2]].match(item.item)
            if words is None:
                raise ValueError(f"{item.id} does not say what it promises: {item.item}")
            found.setdefault(said[1], {})[said[2]] = (words[1], words[2])
    made = [
        Promise(
            service=one["Q"][0],
            priority=int(one["Q"][1]),
            recovery_seconds=_seconds(one["T"][1]),
            loss_seconds=_seconds(one["P"][1]),
            items=tuple(f"DR-OBJ-{number}{kind}" for kind in one),
        )
        for number, one in sorted(found.items())
    ]
    return tuple(sorted(made, key=lambda one: one.priority))


def _seconds(said: str) -> float | None:
    """Return a promised time in seconds: ``5 min``, ``1 hour``, ``0``; None for ``N/A``."""
    number, _, unit = said.partition(" ")
    if number == "N/A":
        return None
    return float(number) * (_SECONDS[unit] if unit else 1.0)
