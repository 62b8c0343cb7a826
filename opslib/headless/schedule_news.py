"""What there is to tell of a schedule, from the entries of its due times: a pure rule, and the words of a notice.

A fact is a due time and a word: nothing came of it, or its verdict is another than the one before. Who was told which
facts is recorded (:mod:`opslib.archive.told`), so the same fact is told once. The words are fixed: no title, finding,
parameter or reason of a run stands in a notice, for these may hold what others wrote.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from opslib.archive.log import RUN_ID
from opslib.headless.schedule_looking import Due
from opslib.headless.schedule_table import Schedule
from opslib.model import Verdict
from opslib.systems.pagerduty import Severity

NOTHING = ("missed", "interrupted", "failed")
"""Nothing came of such a due time: each one is told."""
WELL = Verdict.OK.value
SKIPS = 3
"""So many skipped in a row are told."""
MOST = 10
"""Facts that a notice spells out; earlier ones are counted."""

WORDS = {
    "missed": "missed: nobody started it in time",
    "interrupted": "interrupted: its process went before its end; it is not run again",
    "failed": "failed: its run did not begin, or broke off",
    "overdue": "overdue: there is no report, and nobody has started it",
    "skipped": f"skipped, as the {SKIPS - 1} before: an earlier run still goes on",
    **{verdict.value: f"its report says {verdict.value}" for verdict in Verdict},
}
SEVERITIES: dict[str, Severity] = {
    "WARNING": "warning",
    "skipped": "warning",
    "UNKNOWN": "error",
    "overdue": "error",
    "missed": "error",
    "interrupted": "error",
    "failed": "error",
    "CRITICAL": "critical",
}
"""From mild to grave."""


@dataclass(frozen=True)
class Fact:
    """What became of one due time; ``run`` is its run's id, empty where it has none that is one."""

    due: datetime
    word: str
    run: str = ""

    @property
    def id(self) -> str:
        """What the record of who was told knows it by."""
        return f"{self.word}@{self.due:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class News:
    """What is known of a schedule: its facts, earliest first, and how it stands: the newest entry that says so."""

    facts: tuple[Fact, ...]
    stands: Fact | None

    def untold(self, told: Collection[str], last: str) -> tuple[Fact, ...]:
        """Return the facts whose ids are not in ``told``; ``last`` is how a schedule stood when it was last told of.

        Where it stands otherwise than was told and no fact says so, that is one: a run that was overdue has come.
        """
        fresh = tuple(fact for fact in self.facts if fact.id not in told)
        if not fresh and self.stands and self.stands.word != (last or WELL) and self.stands.id not in told:
            return (self.stands,)
        return fresh


@dataclass(frozen=True)
class Notice:
    """One message: facts of one schedule to one destination. ``worst`` is how grave they are; None: all is well."""

    id: str
    key: str
    title: str
    lines: tuple[str, ...]
    worst: Severity | None
    stands: str
    link: str = ""

    @property
    def text(self) -> str:
        """The whole message."""
        return "\n".join((self.title, "", *self.lines))


def news(found: Sequence[Due], whole: bool) -> News:
    """Return what the entries of a schedule, earliest first, have to tell.

    ``whole`` says that they begin with its first due time; else how it stood before them is not known.
    """
    facts: list[Fact] = []
    stands: Fact | None = None
    known, skips = WELL if whole else "", 0
    for one in found:
        word = _word(one)
        skips = skips + 1 if word == "skipped" else 0
        if not word or (word == "skipped" and skips < SKIPS):
            continue
        # The run's id comes from a file that others may write.
        fact = Fact(one.due, word, one.run if RUN_ID.fullmatch(one.run) else "")
        if word in NOTHING or (known and word != known):
            facts.append(fact)
        known, stands = word, fact
    return News(tuple(facts), stands)


def _word(one: Due) -> str:
    """Return the word of an entry that says how the schedule stands; empty where it says nothing yet."""
    if one.word in ("ran", "late"):
        return (one.verdict or Verdict.UNKNOWN.value) if one.run else "overdue"
    return "" if one.word in ("due", "running") else one.word


def notice(schedule: Schedule, destination: str, facts: Sequence[Fact], stands: Fact, reports: str = "") -> Notice:
    """Return the message about ``facts`` to a destination; ``reports`` is the address of the archive's pages.

    The same facts to the same destination have the same id, also when they are sent again.
    """
    ids = "\n".join((destination, schedule.name, *(fact.id for fact in facts)))
    name = hashlib.sha256(ids.encode()).hexdigest()[:16]
    ill = [fact.word for fact in facts if fact.word != WELL]
    run = next((fact.run for fact in (stands, *reversed(facts)) if fact.run), "")
    place = f"runs/{run}/report.html" if run else ""
    link = f"{reports.rstrip('/')}/{place}" if reports and place else ""
    report = link or (f"{place} in the archive" if place else "there is none")
    earlier = Counter(fact.word for fact in facts[:-MOST])
    return Notice(
        id=name,
        key=f"opslib/{schedule.environment}/schedule/{schedule.name}",
        title=f"{schedule.environment}: schedule {schedule.name}: {_headline(ill, stands.word)}",
        lines=(
            f"Notebook {schedule.notebook} on {schedule.environment}; times are UTC.",
            *([f"Earlier: {', '.join(f'{count} {word}' for word, count in earlier.items())}."] if earlier else []),
            *(f"Due {fact.due:%Y-%m-%d %H:%M}: {WORDS[fact.word]}." for fact in facts[-MOST:]),
            f"Report: {report}",
            f"Notice {name}",
        ),
        worst=SEVERITIES[max(ill, key=list(SEVERITIES).index)] if ill else None,
        stands=stands.word,
        link=link,
    )


def _headline(ill: Sequence[str], stands: str) -> str:
    counts = Counter(word for word in ill if word in NOTHING)
    nothing = ", ".join(f"{count} {word}" for word, count in counts.items())
    now = "well again" if stands == WELL else stands
    return f"{nothing}; now {now}" if nothing and stands not in NOTHING else nothing or now
