"""A post-incident review's times: between which moments each of them lies, and so how long each phase took. Pure.

What a person says of a moment holds give or take :data:`WORD`: people tell the minute. Detection and mitigation are
also read from one check's results in the archive, and lie between two readings, never at one: between the last good
and the first bad one, and between the last bad and the first good one after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from opslib.guide.incident import NONE, when
from opslib.model import Row, Verdict

NOTEBOOK = "reviews/post-incident-review"
WORD = timedelta(minutes=1)
"""How far from the truth a moment may be that a person tells."""
MOMENTS = ("began", "detected", "acknowledged", "mitigated", "resolved")
"""The moments of an incident, in their order."""
FORM = (
    "This review is blameless: it names roles and what they knew at that time, and asks how the system let it happen. "
    "An account beside a run is there so that its record can be found."
)
_KNOWN = (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL)
"""What a reading may say of a service; UNKNOWN says nothing of it."""


@dataclass(frozen=True)
class Moment:
    """Something that happened between ``earliest`` and ``latest``, and what says so."""

    earliest: datetime
    latest: datetime
    source: str


@dataclass(frozen=True)
class Span:
    """The time from one moment to another: at least and at most so many seconds."""

    least: float
    most: float


@dataclass(frozen=True)
class Told:
    """What people say of an incident that is over, and the check (``shown_by``) by which it could be seen."""

    name: str
    began: datetime | None = None
    detected: datetime | None = None
    acknowledged: datetime | None = None
    by: str = NONE
    mitigated: datetime | None = None
    resolved: datetime | None = None
    shown_by: str = NONE

    @property
    def title(self) -> str:
        """Return the incident's name for a sentence's beginning."""
        return "The incident" if self.name == NONE else self.name


@dataclass(frozen=True)
class Times:
    """The moments that are known, by name, and what of all that is told contradicts the rest."""

    moments: dict[str, Moment]
    contradictions: tuple[str, ...]

    def span(self, to: str) -> Span | None:
        """Return the time from when it began to a moment; None where one of them is not known."""
        if "began" not in self.moments or to not in self.moments:
            return None
        first, last = self.moments["began"], self.moments[to]
        least = (last.earliest - first.latest).total_seconds()
        return Span(max(0.0, least), max(0.0, (last.latest - first.earliest).total_seconds()))


def times(told: Told, rows: Sequence[Row], now: datetime) -> Times:
    """Return the moments of an incident from people's words and the archive's turns (rows of ``incident-record``)."""
    found = {name: _word(at, name, told) for name in MOMENTS if (at := getattr(told, name)) is not None}
    against = [f"{name} lies in the time to come" for name, one in found.items() if one.earliest > now]
    worse, better = turned(told, rows)
    if worse is not None:
        against += _began(found, worse, told)
        seen = _between(worse, f"{told.shown_by}: last good and first bad reading")
        if "detected" not in found or found["detected"].latest > seen.latest:
            # Somebody may have noticed it before the check was next made, and not after that.
            found["detected"] = _after(seen, found.get("began"))
    if better is not None:
        measured = _between(better, f"{told.shown_by}: last bad and first good reading")
        said = found.get("mitigated")
        if said is not None and said.latest < measured.earliest:
            against.append(f"it was mitigated, and {told.shown_by} was still ill at {measured.earliest:%H:%M:%S} UTC")
        found["mitigated"] = measured
    return Times({name: found[name] for name in MOMENTS if name in found}, (*against, *_order(found)))


def _word(at: datetime, name: str, told: Told) -> Moment:
    by = told.by if name == "acknowledged" and told.by != NONE else "a person"
    return Moment(at - WORD, at + WORD, f"word of {by}")


def _between(turn: Row, source: str) -> Moment:
    return Moment(when(turn["before_at"]), when(turn["after_at"]), source)


def _after(seen: Moment, began: Moment | None) -> Moment:
    """Return a detection that is not before the incident began, where that is known."""
    if began is None or began.earliest <= seen.earliest or began.earliest > seen.latest:
        return seen
    return Moment(began.earliest, seen.latest, seen.source)


def _began(found: dict[str, Moment], worse: Row, told: Told) -> list[str]:
    """Bring what the readings say of the beginning into ``found``; returns what contradicts the word of it."""
    seen = _between(worse, f"{told.shown_by}: last good and first bad reading")
    said = found.get("began")
    if said is None:
        found["began"] = seen
        return []
    if said.earliest > seen.latest:
        found["began"] = seen
        return [f"it began, and {told.shown_by} was ill already at {seen.latest:%H:%M:%S} UTC"]
    found["began"] = Moment(said.earliest, min(said.latest, seen.latest), said.source)
    return []


def _order(found: dict[str, Moment]) -> list[str]:
    known = [name for name in MOMENTS if name in found]
    wrong = []
    for place, name in enumerate(known):
        # Who takes it on late may do so after it was mitigated.
        earlier = known[:place] if name != "mitigated" else [one for one in known[:place] if one != "acknowledged"]
        wrong += [f"{name} comes before {one}" for one in earlier if found[name].latest < found[one].earliest]
    return wrong


def turned(told: Told, rows: Iterable[Row]) -> tuple[Row | None, Row | None]:
    """Return how the check of an incident turned worse, and how it then turned as good again; None where it did not.

    Of several times the one is taken that it was ill when the incident began, else the first after that; without a
    word of the beginning the last one. Readings of runs that are not believed do not count.
    """
    own = [row for row in rows if row["kind"] == "turn" and row["check"] == told.shown_by and not row["untrusted"]]
    own.sort(key=lambda row: when(row["after_at"]))
    worse = [row for row in own if _rank(row["after"]) > _rank(row["before"])]
    chosen = _chosen(worse, own, told)
    if chosen is None:
        return None, None
    later = (row for row in own if when(row["after_at"]) > when(chosen["after_at"]))
    return chosen, next((row for row in later if _rank(row["after"]) <= _rank(chosen["before"])), None)


def _chosen(worse: list[Row], own: list[Row], told: Told) -> Row | None:
    if told.began is None:
        return worse[-1] if worse else None
    start = told.began - WORD
    before = [row for row in own if when(row["after_at"]) < start]
    if before and before[-1] in worse:
        return before[-1]
    end = told.resolved
    after = (row for row in worse if when(row["after_at"]) >= start)
    return next((row for row in after if end is None or when(row["before_at"]) <= end + WORD), None)


def _rank(verdict: Any) -> int:
    return _KNOWN.index(Verdict(verdict))


def turns(verdicts: Sequence[str]) -> list[tuple[int, int]]:
    """Return where a check's verdict changed: pairs of places in ``verdicts``, oldest first.

    What was UNKNOWN is no reading of the service: it stands between two that are, and is passed over.
    """
    known = [place for place, verdict in enumerate(verdicts) if verdict in _KNOWN]
    return [(a, b) for a, b in pairwise(known) if verdicts[a] != verdicts[b]]
