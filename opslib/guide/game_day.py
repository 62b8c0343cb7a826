"""A game day as rows, and what follows from them: who did or saw what, when, and how sure that is. Pure.

A drill is a measurement by a tool. A game day is an exercise of people: did an alert reach somebody, who took it on,
which runbook was opened, who recovered it? It has no record of its own. Its rows are what there is anyway: the sealed
drills that broke something on that day and measured it, the sealed runs that people made meanwhile, and people's
signed words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.guide.exercises import LINES
from opslib.guide.promises import PROMISES
from opslib.model import Row

NAME = "reviews/game-day"
HUMAN = ("alerted", "acknowledged", "opened")
"""What only people can do, in its order."""
SHOWN = ("injected", "noticed", *HUMAN, "mitigated", "resolved")
"""The moments of a timeline, in their order where all goes well."""
DRILL_WITHIN = 1.0
"""Seconds: a drill looks again and again, and nothing falls between two looks by more than this."""
RUN_WITHIN = 1.0
EXPECTED: dict[str, str] = {service: line.notebook for service, line in LINES.items()}
"""The runbook that recovers what is broken on a game day, by service."""
BEGINNING = datetime.min.replace(tzinfo=UTC)

_DRILLED = {"noticed": "detected_seconds", "mitigated": "mitigated_seconds", "resolved": "resolved_seconds"}


@dataclass(frozen=True)
class Seen:
    """One moment: when, give or take how many seconds, who says so, and by what (``drill``, ``run`` or ``word``)."""

    at: datetime
    within: float
    by: str
    source: str
    what: str = ""


@dataclass(frozen=True)
class Span:
    """The time between two moments in seconds, give or take ``within``."""

    seconds: float
    within: float

    @property
    def least(self) -> float:
        """The shortest that it can have been."""
        return max(0.0, self.seconds - self.within)

    @property
    def most(self) -> float:
        """The longest that it can have been."""
        return self.seconds + self.within


def recovers(notebook: str) -> bool:
    """Tell whether a notebook is one by which something is recovered."""
    return notebook.startswith(("runbooks/", "disaster/")) and notebook != "disaster/recovery-drill"


def when(value: Any) -> datetime:
    """Return a moment of a row, which JSON has as a text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def days(rows: Sequence[Row]) -> list[str]:
    """Return the names of the game days, by when something was first done or said of them, oldest first."""
    first: dict[str, datetime] = {}
    for row in rows:
        if (at := _moment(row)) is not None:
            first[row["day"]] = min(at, first.get(row["day"], at))
    return sorted({row["day"] for row in rows}, key=lambda day: (first.get(day, BEGINNING), day))


def _moment(row: Row) -> datetime | None:
    if row["kind"] == "word":
        return when(row["at"])
    if row["kind"] == "drill" and row.get("began_at"):
        return when(row["began_at"])
    return None


def chosen(rows: Sequence[Row], day: str) -> list[Row]:
    """Return the rows of one day; of the newest for ``latest``."""
    known = days(rows)
    name = (known[-1] if known else "") if day == "latest" else day
    return [row for row in rows if row["day"] == name]


def services(rows: Sequence[Row]) -> list[str]:
    """Return the services that were exercised in the rows of one day, by their priorities."""
    found = {row["service"] for row in rows if row["kind"] == "drill" and not row["why"]}
    found |= {row["service"] for row in words(rows, "injected")}
    return list(PROMISES) if "all" in found else [name for name in PROMISES if name in found]


def words(rows: Sequence[Row], *moments: str) -> list[Row]:
    """Return the words of these moments, all where none is named."""
    return [row for row in rows if row["kind"] == "word" and (not moments or row["moment"] in moments)]


def drill_of(rows: Sequence[Row], service: str) -> Row | None:
    """Return the row of the drill that broke a service on that day: of the newest, where it was broken twice."""
    found = [row for row in rows if row["kind"] == "drill" and row["service"] == service and not row["why"]]
    return max(found, key=lambda row: str(row["drill"]), default=None)


def course(rows: Sequence[Row], service: str) -> dict[str, Seen]:
    """Return the moments of one service's exercise, as far as anything or anybody tells of them.

    What was measured counts before what was said, the first alert and the first to take it on before later ones, and
    of several who say when it was over the last. What lies before the fault is none of its moments.
    """
    drill = drill_of(rows, service)
    said = [row for row in words(rows) if row["service"] in (service, "all")]
    found = dict(_measured(drill)) if drill is not None else {}
    for moment in ("injected", *HUMAN, "mitigated", "resolved"):
        if moment in found:
            continue
        heard = [_said(row) for row in said if row["moment"] == moment]
        if "injected" in found:
            heard = [one for one in heard if _later(one, found["injected"])]
        if heard:
            pick = max if moment in ("mitigated", "resolved") else min
            found[moment] = pick(heard, key=lambda one: one.at)
    if "injected" in found and (run := _opened(rows, found, service)) is not None:
        found["opened"] = run
    return found


def _measured(drill: Row) -> Iterator[tuple[str, Seen]]:
    began, by = when(drill["began_at"]), str(drill["led_by"])
    yield "injected", Seen(began, 0.0, by, "drill", str(drill["fault"]))
    for moment, field in _DRILLED.items():
        if drill[field] is not None:
            at = began + timedelta(seconds=float(drill[field]))
            yield moment, Seen(at, DRILL_WITHIN, by, "drill", str(drill["detects"]) if moment == "noticed" else "")


def _said(row: Row) -> Seen:
    return Seen(when(row["at"]), float(row["within"]), str(row["by"]), "word", str(row["runbook"] or row["says"]))


def _later(one: Seen, first: Seen) -> bool:
    return (one.at - first.at).total_seconds() + one.within + first.within >= 0


def _opened(rows: Sequence[Row], found: dict[str, Seen], service: str) -> Seen | None:
    """Return the first run by which people began to recover this service: the archive knows better than anybody.

    Of several services at once a run is of the one whose runbook it is; another runbook may be of any.
    """
    others = {name for known, name in EXPECTED.items() if known != service}
    over = found.get("resolved")
    for row in sorted((row for row in rows if row["kind"] == "run"), key=lambda row: str(row["started_at"])):
        if row["untrusted"] or not recovers(row["notebook"]) or row["notebook"] in others - {EXPECTED[service]}:
            continue
        run = Seen(when(row["started_at"]), RUN_WITHIN, str(row["by"]), "run", str(row["notebook"]))
        if _later(run, found["injected"]) and (over is None or run.at <= over.at):
            return run
    return None


def span(found: dict[str, Seen], first: str, last: str) -> Span | None:
    """Return the time between two moments; None where one of them is not known."""
    if first not in found or last not in found:
        return None
    one, other = found[first], found[last]
    return Span(max(0.0, (other.at - one.at).total_seconds()), one.within + other.within)


def looks(rows: Sequence[Row], service: str) -> tuple[Row | None, Row | None]:
    """Return the last look at the whole system before the fault and the first after it, where nothing was measured."""
    found = course(rows, service)
    runs = [
        row for row in rows if row["kind"] == "run" and not row["untrusted"] and row["notebook"] == "diagnostics/triage"
    ]
    runs.sort(key=lambda row: str(row["started_at"]))
    if "injected" not in found:
        return None, None
    before = [row for row in runs if when(row["finished_at"] or row["started_at"]) <= found["injected"].at]
    over = found.get("resolved") or found.get("mitigated")
    after = [] if over is None else [row for row in runs if when(row["started_at"]) >= over.at]
    return (before[-1] if before else None), (after[0] if after else None)
