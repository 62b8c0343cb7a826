"""What the guide says of support: escalation path, contacts, channels with their response times, a report's points.

Read from the guide's own items (DR-ESC, DR-CON, SUP-CHN, SUP-RPT), so that there is one place for each figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from opslib.guide.catalogue import items
from opslib.guide.choices import PARTS, Part

_LEVEL = re.compile(r"Escalation clock, Level (\d): (.+) \((\d+)(?:-(\d+)|\+) min\)")
_CONTACT = re.compile(r"([^:]+): (.+)")
_CHANNEL = re.compile(r"Support channel: (.+) \((.+)\)")
_ANSWER = re.compile(r"Response time on (.+): <(\d+) (min|hours)")
_POINT = re.compile(r"Issue report contains: (.+?)(, if applicable)?")
_SECONDS = {"min": 60.0, "hours": 3600.0}
PLACEHOLDER = "[contact]"
"""What the guide has where nobody ever wrote whom to call."""


@dataclass(frozen=True)
class Level:
    """One level of the escalation path: whose turn it is so many minutes after the start, and until when."""

    number: int
    who: str
    begins: float
    ends: float | None
    item: str


@dataclass(frozen=True)
class Contact:
    """Somebody to call. ``reach`` is what the guide has: a placeholder where it has nothing."""

    who: str
    reach: str
    item: str

    @property
    def missing(self) -> bool:
        """Whether the guide leaves a placeholder."""
        return PLACEHOLDER in self.reach


@dataclass(frozen=True)
class Channel:
    """A way to get help: what it is for, and within how many seconds somebody answers."""

    name: str
    purpose: str
    seconds: float
    items: tuple[str, str]


@dataclass(frozen=True)
class Point:
    """One point of an issue report; ``always`` unless the guide says "if applicable"."""

    part: Part
    what: str
    always: bool
    item: str


@cache
def levels() -> tuple[Level, ...]:
    """Return the escalation path, first level first."""
    return tuple(
        Level(int(said[1]), said[2], float(said[3]), float(said[4]) if said[4] else None, item)
        for item, said in _said("DR-ESC-", _LEVEL)
    )


@cache
def contacts() -> tuple[Contact, ...]:
    """Return the emergency contacts in the guide's order."""
    found = _said("DR-CON-", _CONTACT)
    return tuple(Contact(said[1], said[2].removesuffix(" (placeholder to fill)"), item) for item, said in found)


@cache
def channels() -> dict[str, Channel]:
    """Return the support channels by a word: slack, email, pagerduty, github."""
    named = {item.removesuffix("C"): said for item, said in _said("SUP-CHN-", _CHANNEL, "C")}
    found = {}
    for item, answer in _said("SUP-CHN-", _ANSWER, "T"):
        said = named[item.removesuffix("T")]
        both = (f"{item.removesuffix('T')}C", item)
        found[said[1].split()[0].lower()] = Channel(said[1], said[2], int(answer[2]) * _SECONDS[answer[3]], both)
    return found


@cache
def points() -> tuple[Point, ...]:
    """Return what an issue report holds, in the guide's order."""
    found = _said("SUP-RPT-", _POINT)
    return tuple(Point(part, said[1], said[2] is None, item) for part, (item, said) in zip(PARTS, found, strict=True))


def _said(prefix: str, form: re.Pattern[str], tail: str = "") -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the items of a part of the guide with what they say; raises ValueError for one that says it otherwise."""
    for item in items().values():
        if item.id.startswith(prefix) and item.id.endswith(tail):
            said = form.fullmatch(item.item)
            if said is None:
                raise ValueError(f"{item.id} does not say what it should: {item.item}")
            yield item.id, said
