"""What a game day showed of the people: who was told, who took it on, by which runbook, and how soon all was well.

Each is a hypothesis, stated before by its limit. One that nobody can tell of is UNKNOWN and did not hold; so is a
figure whose uncertainty lies across its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opslib.checks import backups_drills
from opslib.guide import game_day as days
from opslib.guide.game_day import Span
from opslib.guide.promises import PROMISES, Service
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Threshold, Verdict
from opslib.pictures.figures import duration
from opslib.probes.backups_game_day import game_days

ALERTED, ACKNOWLEDGED, OPENED = (threshold(f"game-day-{name}") for name in days.HUMAN)
SCORE = threshold("game-day-score")
Said = tuple[Verdict, str]
NOBODY = "Those who were there sign it: ops witness DAY MOMENT."
_ASKED: dict[str, tuple[str, str, Threshold, str]] = {
    "alerted": ("injected", "an alert reached a person", ALERTED, "after the fault"),
    "acknowledged": ("alerted", "somebody took it on", ACKNOWLEDGED, "after the alert"),
    "opened": ("acknowledged", "a runbook was opened", OPENED, "after it was taken on"),
}


def on(day: str, judge: Callable[[Reading, list[Row]], Judgement]) -> Callable[[Reading], Judgement]:
    """Return the rule of a check on one game day: UNKNOWN where there is none, CRITICAL where it cannot be believed."""

    def judged(reading: Reading) -> Judgement:
        rows = days.chosen(reading.rows, day)
        if not rows:
            what = "No game day of this target is" if day == "latest" else f"The game day {day} is not"
            return Judgement(Verdict.UNKNOWN, f"{what} in this archive.")
        strange = {one for row in rows if row["kind"] == "drill" for one in (row["damage"], *row["unsealed"]) if one}
        if strange:
            return Judgement(Verdict.CRITICAL, f"A drill of {rows[0]['day']}: {'; '.join(sorted(strange))}.")
        return judge(reading, rows)

    return judged


def within(limit: Threshold, span: Span, factor: float = 1 / 60) -> Verdict:
    """Return a span's verdict, where it is the same for the shortest and the longest that it can have been."""
    least, most = (limit.judge(seconds * factor) for seconds in (span.least, span.most))
    known = (least is Verdict.CRITICAL) is (most is Verdict.CRITICAL)
    return most if known else Verdict.UNKNOWN


def told(span: Span) -> str:
    """Return a span in words, with its uncertainty."""
    return f"{duration(span.seconds)} ± {duration(span.within)}" if span.within else duration(span.seconds)


def human(rows: Sequence[Row], service: str, moment: str) -> Said:
    """Return what is to be said of one of people's moments."""
    first, what, limit, since = _ASKED[moment]
    found = days.course(rows, service)
    if moment not in found:
        return Verdict.UNKNOWN, f"nobody says that {what}"
    seen = found[moment]
    span = days.span(found, first, moment)
    if span is None:
        before = "it broke" if first == "injected" else _ASKED[first][1]
        return Verdict.UNKNOWN, f"{seen.by} says that {what}, and nobody says when {before}"
    verdict = within(limit, span)
    said = f"{what} ({seen.by}) {told(span)} {since}"
    if moment == "opened" and seen.what != days.EXPECTED[service]:
        return Verdict.worst([verdict, Verdict.WARNING]), f"{said}: {seen.what}, not {days.EXPECTED[service]}"
    return verdict, f"{said}: {seen.what}" if moment == "opened" else said


def _service(name: str) -> Service:
    return next(known for known in PROMISES if known == name)


def rto(rows: Sequence[Row], service: str) -> Said:
    """Return what is to be said of the recovery time: the drill's where one measured it, else people's."""
    drill = days.drill_of(rows, service)
    if drill is not None:
        return backups_drills.rto(drill)
    span = days.span(days.course(rows, service), "injected", "mitigated")
    if span is None:
        return Verdict.UNKNOWN, "nobody says when users were served again"
    limit = PROMISES[_service(service)].rto
    return within(limit, span), f"back after {told(span)}, as people say (promised {limit.critical:g} min)"


def rpo(rows: Sequence[Row], service: str) -> Said | None:
    """Return what is to be said of the loss; None where the guide promises nothing."""
    drill = days.drill_of(rows, service)
    if drill is not None:
        return backups_drills.rpo(drill)
    if PROMISES[_service(service)].rpo is None:
        return None
    return Verdict.UNKNOWN, "losses were not counted: no traffic of ours used the service"


def steadiness(rows: Sequence[Row], service: str) -> Said:
    """Return what is to be said of the steady state before the fault and after the recovery."""
    if drill := days.drill_of(rows, service):
        well = drill["resolved_seconds"] is not None and not drill["trouble"]
        if not drill["mended"]:
            return Verdict.CRITICAL, "steady before; what was broken is not taken back"
        return (Verdict.OK, "steady before and after") if well else (Verdict.CRITICAL, "steady before, and not after")
    before, after = days.looks(rows, service)
    if before is None or after is None:
        missing = [word for word, run in (("before", before), ("after", after)) if run is None]
        return Verdict.UNKNOWN, f"nobody ran diagnostics/triage {' and '.join(missing)}"
    good = (Verdict.OK, Verdict.WARNING)
    if Verdict(before["verdict"]) not in good:
        return Verdict.UNKNOWN, f"not steady before: {before['run']} was {before['verdict']}"
    found = Verdict(after["verdict"])
    return (Verdict.OK if found in good else found), f"triage was {before['verdict']} before and {found} after"


def hypotheses(rows: Sequence[Row], service: str) -> dict[str, Said]:
    """Return every hypothesis of one service's exercise, by its name."""
    found = {f"{_ASKED[moment][1]} in time": human(rows, service, moment) for moment in days.HUMAN}
    found |= {"recovered in time": rto(rows, service), "steady": steadiness(rows, service)}
    if (loss := rpo(rows, service)) is not None:
        found["nothing lost beyond the promise"] = loss
    return found


def response(moment: str, day: str = "latest") -> Check:
    """One of people's moments (alerted, acknowledged, opened), service by service, against its limit."""
    first, what, limit, since = _ASKED[moment]

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        services = days.services(rows)
        if not services:
            return Judgement(Verdict.UNKNOWN, "Nobody says that anything was broken on this day.")
        said = {name: human(rows, name, moment) for name in services}
        table = [_shown(rows, name, first, moment) for name in services]
        spans = [days.span(days.course(rows, name), first, moment) for name in services]
        longest = max((one.seconds / 60 for one in spans if one is not None), default=None)
        summary = "; ".join(f"{PROMISES[_service(name)].title}: {one[1]}" for name, one in said.items())
        value = None if longest is None else round(longest, 2)
        return Judgement(Verdict.worst([one[0] for one in said.values()]), f"{summary}.", value, tuple(table))

    return Check(
        f"game-day-{moment}",
        f"{what[0].upper()}{what[1:]} in time {since}",
        game_days,
        on(day, judge),
        f"What nobody tells cannot be held against anything: {NOBODY} What came late: see why, below the observations.",
        limit,
    )


def _shown(rows: Sequence[Row], service: str, first: str, moment: str) -> dict[str, Any]:
    found = days.course(rows, service)
    seen, span = found.get(moment), days.span(found, first, moment)
    return {
        "service": PROMISES[_service(service)].title,
        "at": seen.at if seen else None,
        "within_seconds": seen.within if seen else None,
        "by": seen.by if seen else "nobody",
        "known_by": seen.source if seen else "",
        "what": seen.what if seen else "",
        "seconds": round(span.seconds, 1) if span else None,
    }


def recovery(day: str = "latest") -> Check:
    """Each service's recovery time and loss, with people in the loop, against what the guide promises."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        services = days.services(rows)
        if not services:
            return Judgement(Verdict.UNKNOWN, "Nobody says that anything was broken on this day.")
        parts: list[Verdict] = []
        table, said = [], []
        for name in services:
            time, loss, title = rto(rows, name), rpo(rows, name), PROMISES[_service(name)].title
            parts += [time[0], *([loss[0]] if loss else [])]
            said.append(f"{title}: {time[1]}; {loss[1] if loss else 'of losses nothing is promised'}")
            table.append(_recovered(rows, name, time[0], loss[0] if loss else None))
        return Judgement(Verdict.worst(parts), f"{'. '.join(said)}.", None, tuple(table))

    return Check(
        "game-day-recovery",
        "Recovered in time by people, and nothing lost beyond the promise",
        game_days,
        on(day, judge),
        "See in the timeline where the time went: to notice, to take it on, to find the runbook, or in the recovery.",
    )


def _recovered(rows: Sequence[Row], service: str, time: Verdict, loss: Verdict | None) -> dict[str, Any]:
    drill, promise = days.drill_of(rows, service), PROMISES[_service(service)]
    span = days.span(days.course(rows, service), "injected", "mitigated")
    return {
        "service": promise.title,
        "back_seconds": drill["rto_seconds"] if drill else span.seconds if span else None,
        "promised_seconds": 60 * (promise.rto.critical or 0.0),
        "time": time,
        "writes_lost": drill["lost"] if drill else None,
        "loss": loss,
        "measured_by": drill["drill"] if drill else "people's words",
    }


def steady(day: str = "latest") -> Check:
    """Whether each service was steady before its fault and is again after its recovery."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        said = {name: steadiness(rows, name) for name in days.services(rows)}
        if not said:
            return Judgement(Verdict.UNKNOWN, "Nobody says that anything was broken on this day.")
        summary = "; ".join(f"{PROMISES[_service(name)].title}: {one[1]}" for name, one in said.items())
        return Judgement(Verdict.worst([one[0] for one in said.values()]), f"{summary}.")

    return Check(
        "game-day-steady",
        "Steady before the fault and after the recovery",
        game_days,
        on(day, judge),
        "Outside the lab run diagnostics/triage right before the fault and right after the recovery.",
    )


def score(day: str = "latest") -> Check:
    """How many of the day's hypotheses held; one that nobody can tell of did not."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        services = days.services(rows)
        if not services:
            return Judgement(Verdict.UNKNOWN, "Nothing was exercised, so no hypothesis was tried.")
        table = [
            {"service": PROMISES[_service(name)].title, "hypothesis": what, "verdict": verdict, "said": said}
            for name in services
            for what, (verdict, said) in hypotheses(rows, name).items()
        ]
        held = sum(row["verdict"] in (Verdict.OK, Verdict.WARNING) for row in table)
        unknown = sum(row["verdict"] is Verdict.UNKNOWN for row in table)
        value = 100 * held / len(table)
        said = (
            f"{held} of {len(table)} hypotheses held, {len(table) - held - unknown} did not, {unknown} nobody can tell"
        )
        return Judgement(SCORE.judge(value), f"{said}.", round(value, 1), tuple(table))

    return Check(
        "game-day-score",
        "The day's hypotheses held",
        game_days,
        on(day, judge),
        "Write an action for each that did not hold (ops witness DAY action), and try it again on the next day.",
        SCORE,
    )
