"""Checks of one incident: was it taken on, was the next level told, is its report whole, is it written down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from opslib.guide.choices import INAPPLICABLE
from opslib.guide.incident import NONE, URGENT, Incident, Turn, given, looks, since, undocumented, when
from opslib.guide.support import Point, levels, points
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes.observability_made import BACK, MOST, runs_made
from opslib.probes.observability_support import levels as path

_EVENT = re.compile(r"[0-9a-f]{32}")
CONTACTS = "Whom to call stands in reviews/on-call-handover."


def incident(
    name: str, severity: str, started_at: str, acknowledged_at: str, by: str, told_level: int, resolved_at: str
) -> Incident:
    """Return what a run was told of an incident, in the words of its parameters; moments are texts, or ``none``."""
    return Incident(name, severity, given(started_at), given(acknowledged_at), by, told_level, given(resolved_at))


def _of(said: Incident, judge: Callable[[Reading], Judgement]) -> Callable[[Reading], Judgement]:
    """Return a rule that says UNKNOWN where what was told of the incident cannot be so."""

    def judged(reading: Reading) -> Judgement:
        if faults := said.faults(reading.taken_at):
            return Judgement(Verdict.UNKNOWN, f"What is told of the incident says nothing: {'; '.join(faults)}.")
        return judge(reading)

    return judged


def acknowledged(said: Incident) -> Check:
    """Whether somebody took the incident on within level 1's time."""
    limit = (levels()[0].ends or 0.0) * 60

    def judge(reading: Reading) -> Judgement:
        assert said.started is not None
        if said.acknowledged is not None:
            took = (said.acknowledged - said.started).total_seconds()
            words = f"{said.by} took it on after {duration(took)} (promised {duration(limit)})."
            return Judgement(Verdict.OK if took <= limit else Verdict.WARNING, words)
        age = (said.end(reading.taken_at) - said.started).total_seconds()
        if said.resolved is not None:
            return Judgement(Verdict.WARNING, f"Over after {duration(age)}; nobody says that they took it on.")
        if age <= limit:
            words = f"Nobody has taken it on for {duration(age)}; {duration(limit - age)} are left."
            return Judgement(Verdict.WARNING, words)
        words = (
            f"Nobody has taken it on for {duration(age)}: {duration(age - limit)} over the {duration(limit)} promised."
        )
        return Judgement(_late(said), words)

    return Check(
        "incident-acknowledged",
        "Somebody took the incident on in time",
        path,
        _of(said, judge),
        f"Acknowledge it in PagerDuty, or call who is on call; then run this again with acknowledged_at. {CONTACTS}",
        items=("DR-ESC-01",),
    )


def _late(said: Incident) -> Verdict:
    return Verdict.CRITICAL if said.severity in URGENT else Verdict.WARNING


def escalation(said: Incident) -> Check:
    """Whether every level above the first was told as soon as its turn came."""

    def judge(reading: Reading) -> Judgement:
        assert said.started is not None
        turns = list(said.turns(reading.taken_at))
        rows = tuple(_turn(turn) for turn in turns)
        overdue = [turn for turn in turns if turn.late is not None and turn.level.number > 1]
        age = (said.end(reading.taken_at) - said.started).total_seconds()
        ran = f"{said.title}: {'over after' if said.resolved else 'open for'} {duration(age)}"
        if overdue:
            who = "; ".join(f"level {t.level.number} ({t.level.who}), for {duration(t.late or 0.0)}" for t in overdue)
            missed = "never told" if said.resolved else "overdue"
            return Judgement(_late(said), f"{ran}; {missed}: {who}.", None, rows)
        ahead = next((turn for turn in turns if turn.due_at > said.end(reading.taken_at)), None)
        if said.resolved or ahead is None:
            return Judgement(Verdict.OK, f"{ran}; every level whose turn came was told.", None, rows)
        left = duration((ahead.due_at - reading.taken_at).total_seconds())
        words = f"{ran}; level {ahead.level.number} ({ahead.level.who}) in {left}, at {ahead.due_at:%H:%M:%S} UTC."
        return Judgement(Verdict.OK, words, None, rows)

    return Check(
        "incident-escalation",
        "Each level was told when its turn came",
        path,
        _of(said, judge),
        f"Tell that level now, and run this again with told_level. {CONTACTS}",
        items=("DR-ESC-02", "DR-ESC-03", "DR-ESC-04", "SUP-ONC-04"),
    )


def _turn(turn: Turn) -> dict[str, Any]:
    state = "told" if turn.told else "not due yet" if turn.late is None else f"not told for {duration(turn.late)}"
    return {"level": turn.level.number, "who": turn.level.who, "from": turn.due_at, "state": state}


def report(parts: str) -> Check:
    """Whether the issue's report has the guide's five points; ``parts`` as in :data:`opslib.guide.choices.REPORT`.

    It sees that a reference was given, not what stands there.
    """

    def judge(reading: Reading) -> Judgement:
        if parts == NONE:
            return Judgement(Verdict.UNKNOWN, "No part of the report was named, so nobody can say what it lacks.")
        said = [pair.partition(":")[::2] for pair in parts.split(",")]
        named = dict(said)
        rows = tuple(_point(point, named.get(point.part, "")) for point in points())
        lacking = [f"{row['point']}: {row['state']}" for row in rows if row["state"] != "named"]
        if len(named) < len(said):
            lacking.append("a part is named twice")
        have = f"{sum(row['state'] == 'named' for row in rows)} of {len(rows)} points are named"
        found = Verdict.WARNING if lacking else Verdict.OK
        return Judgement(found, f"{have}{': ' if lacking else ''}{'; '.join(lacking)}.", None, rows)

    return Check(
        "incident-report",
        "The issue's report has the guide's five points",
        path,
        judge,
        f"Ask whoever reported it for what is missing. Of what does not apply say so, e.g. network:{INAPPLICABLE}.",
        items=tuple(point.item for point in points()),
    )


def _point(point: Point, reference: str) -> dict[str, Any]:
    state = "named"
    if not reference:
        state = "missing" if point.always else f"missing, and not said to be {INAPPLICABLE}"
    elif reference == INAPPLICABLE and point.always:
        state = f"always applies, and is said to be {INAPPLICABLE}"
    elif point.part == "sentry" and reference != INAPPLICABLE and not _EVENT.fullmatch(reference):
        state = "is no Sentry event id (32 hexadecimal digits)"
    return {"point": point.what, "where": reference, "state": state}


def documented(said: Incident) -> Check:
    """Whether each run since the start is sealed and believed; its rows are the incident's timeline."""

    def judge(reading: Reading) -> Judgement:
        assert said.started is not None
        if said.started < reading.taken_at - BACK:
            return Judgement(
                Verdict.UNKNOWN, f"It began more than {BACK.days} days ago: ops archive list has its runs."
            )
        if len(reading.rows) >= MOST and when(reading.rows[-1]["started_at"]) > said.started:
            return Judgement(Verdict.UNKNOWN, f"Only the newest {MOST} runs are told, and it began before them.")
        runs = since(reading.rows, said.started, said.end(reading.taken_at))
        if not runs:
            return Judgement(
                Verdict.UNKNOWN, "No run was made since: what was done, if anything was, stands nowhere here."
            )
        rows = tuple(map(line, runs))
        changed = [row for row in runs if row["steps"]]
        lacking = [(row, undocumented(row)) for row in runs if not looks(row["notebook"])]
        bad = [(row, why) for row, why in lacking if why]
        done = f"{counted(len(runs))} since, {len(changed)} of them changed something"
        if bad:
            found = Verdict.worst([Verdict.WARNING if row["sealed"] == "open" else Verdict.CRITICAL for row, _ in bad])
            which = "; ".join(f"{row['run']} {why}" for row, why in bad)
            return Judgement(found, f"{done}. {which}.", None, rows)
        return Judgement(Verdict.OK, f"{done}; each has its sealed report.", None, rows)

    return Check(
        "incident-documented",
        "What was done since is written down",
        runs_made,
        _of(said, judge),
        "Let an open run end, or stop it (ops stop RUN); settle what is in doubt (ops resolve). What was done by hand "
        "no archive knows: write it into the incident, or as a note into a run.",
        items=("SUP-ONC-03",),
    )


def counted(runs: int) -> str:
    """Return so many runs in words."""
    return "1 run" if runs == 1 else f"{runs} runs"


def line(row: Row) -> dict[str, Any]:
    """Return a run as a line of a timeline: when, what, by whom, what came out, and where its report is."""
    came = row["verdict"] or row["state"] or row["sealed"]
    names = {
        "at": row["started_at"],
        "notebook": row["notebook"],
        "mode": row["mode"],
        "by": row["by"],
        "came_out": came,
    }
    return {**names, "changed": len(row["steps"]), "report": row["report"] or "–"}
