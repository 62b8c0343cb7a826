"""Checks of a post-incident review: are its times, its timeline, causes and actions there, and what is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from opslib.checks.observability_incident import counted
from opslib.guide.incident import NONE, given, looks, when
from opslib.guide.review import MOMENTS, Span, Times, Told, times
from opslib.guide.review_timeline import lacking, lines, runs
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes.observability_record import BACK, MOST, incident_record
from opslib.probes.observability_support import levels as path

ITEMS = ("SUP-ONC-05",)
DOCUMENT = "evidence/post-incident-review.md"
SHOWN = 20
"""Lines of a table that a page shows."""
TO = {"detected": "detect", "acknowledged": "acknowledge", "mitigated": "mitigate", "resolved": "resolve"}


def reviewed(
    name: str, started: str, detected: str, taken: str, by: str, mitigated: str, resolved: str, shown_by: str
) -> Told:
    """Return what a run was told of an incident, in the words of its parameters; moments are texts, or ``none``."""
    return Told(name, given(started), given(detected), given(taken), by, given(mitigated), given(resolved), shown_by)


def spans(told: Told) -> Check:
    """How long it took to detect, acknowledge, mitigate and resolve, each as an interval; WARNING for contradictions.

    UNKNOWN where one of the moments is not known: a time that nobody knows is none.
    """

    def judge(reading: Reading) -> Judgement:
        found = times(told, reading.rows, reading.taken_at)
        rows = tuple(_moment(name, found) for name in MOMENTS)
        known = {name: span for name in TO if (span := found.span(name)) is not None}
        said = [f"to {TO[name]} {between(span)}" for name, span in known.items()]
        missing = [name for name in MOMENTS if name not in found.moments]
        if found.contradictions:
            words = f"What is told contradicts itself: {'; '.join(found.contradictions)}"
            return Judgement(Verdict.WARNING, f"{words}. {_sentence(told, said)}", None, rows)
        if missing:
            lacks = f"Nobody knows when it {', '.join(_was(name) for name in missing)}"
            return Judgement(Verdict.UNKNOWN, f"{lacks}. {_sentence(told, said)}", None, rows)
        return Judgement(Verdict.OK, _sentence(told, said), None, rows)

    return Check(
        "review-times",
        "Times to detect, acknowledge, mitigate and resolve",
        incident_record,
        judge,
        "Give the moments that people know, and in shown_by the check that could see it (ops archive search has its "
        "readings). What nobody knows stays UNKNOWN.",
        items=ITEMS,
    )


def _sentence(told: Told, said: Sequence[str]) -> str:
    return f"{told.title}, from when it began: {'; '.join(said) or 'no time is known'}."


def _was(name: str) -> str:
    return "began" if name == "began" else f"was {name}"


def between(span: Span) -> str:
    """Return a time of which only its ends are known, in words."""
    least, most = (duration(round(end)).replace(".0 s", " s") for end in (span.least, span.most))
    return least if least == most else f"between {least} and {most}"


def _moment(name: str, found: Times) -> Row:
    one, span = found.moments.get(name), found.span(name) if name in TO else None
    return {
        "moment": name,
        "not_before": one.earliest if one else None,
        "not_after": one.latest if one else None,
        "after_it_began": between(span) if span else "UNKNOWN" if name in TO else "",
        "who_says_so": one.source if one else "nobody",
    }


def timeline(told: Told) -> Check:
    """What was done until it was over, by whom, with each run's sealed report; CRITICAL where that is not whole.

    A run whose seal does not verify is named, and nothing of it is believed.
    """

    def judge(reading: Reading) -> Judgement:
        found = times(told, reading.rows, reading.taken_at)
        if why := _unseen(found, reading):
            return Judgement(Verdict.UNKNOWN, why)
        own = runs(told, found, reading.rows, reading.taken_at)
        if not own:
            return Judgement(Verdict.UNKNOWN, "No run was made in that time: what was done stands nowhere here.")
        rows = tuple(lines(told, found, reading.rows, reading.taken_at))
        steps = sum(len(row["steps"]) for row in own)
        did = f"{counted(len(own))}; steps that touched the target: {steps}"
        did += _left_out(found, reading)
        did += f"; {len(rows)} lines, all of them in {DOCUMENT}" if len(rows) > SHOWN else ""
        bad = [(row, why) for row in own if (why := lacking(row))]
        if bad:
            open_only = all(row["sealed"] == "open" for row, _ in bad)
            which = "; ".join(f"{row['run']} {why}" for row, why in bad)
            verdict = Verdict.WARNING if open_only else Verdict.CRITICAL
            return Judgement(verdict, f"{did}. Not whole: {which}.", None, rows)
        return Judgement(Verdict.OK, f"{did}; each run's seal was verified.", None, rows)

    return Check(
        "review-timeline",
        "What was done, by whom, and where it is written down",
        incident_record,
        judge,
        "See ops archive verify of what is not believed. Let an open run end; settle what is in doubt (ops resolve). "
        "What was done by hand no archive knows: write it into the review's causes or actions.",
        items=ITEMS,
    )


def _unseen(found: Times, reading: Reading) -> str:
    began = found.moments.get("began")
    if began is None:
        return "Nobody says when it began, so nobody can say what belongs to it."
    if began.earliest < reading.taken_at - BACK:
        return f"It began more than {BACK.days} days ago: ops archive list has its runs."
    changing = [row for row in reading.rows if row["kind"] == "run" and not looks(row["notebook"])]
    if len(changing) >= MOST and when(changing[-1]["started_at"]) > began.earliest:
        return f"Only the newest {MOST} runs that change something are told, and it began before them."
    return ""


def _left_out(found: Times, reading: Reading) -> str:
    looked = [row for row in reading.rows if row["kind"] == "run" and looks(row["notebook"])]
    cut = len(looked) >= MOST and when(looked[-1]["started_at"]) > found.moments["began"].earliest
    return f" (looks before {looked[-1]['started_at']} are left out: more than {MOST})" if cut else ""


def causes(told: Told, root: str, contributing: str) -> Check:
    """Whether people say why it came to this, in words that blame nobody: no account of a run or a level stands there.

    ``root`` and each of ``contributing`` (by commas) are words by hyphens, or ``none``.
    """
    factors = [] if contributing == NONE else contributing.split(",")

    def judge(reading: Reading) -> Judgement:
        rows = tuple(
            {"kind": kind, "in_people's_words": text.replace("-", " ")}
            for kind, text in [("root cause", root), *(("contributing factor", one) for one in factors)]
            if text != NONE
        )
        people = [name for row in reading.rows if row["kind"] == "run" for name in (row["by"], *row["approved_by"])]
        accounts = {str(name).partition("@")[0].lower() for name in people}
        words = {word for text in (root, *factors) for word in text.lower().split("-")}
        named = sorted((accounts | {told.by.partition("@")[0]}) & words - {NONE, ""})
        if root == NONE:
            return Judgement(Verdict.UNKNOWN, "Nobody says what the root cause was.", None, rows)
        if named:
            words_said = f"{', '.join(named)} is an account and no cause: say which role, and what it could not know"
            return Judgement(Verdict.WARNING, f"{words_said}.", None, rows)
        if not factors:
            return Judgement(Verdict.WARNING, "A root cause, and no factor that contributed to it.", None, rows)
        return Judgement(Verdict.OK, f"A root cause and {len(factors)} contributing factors.", None, rows)

    return Check(
        "review-causes",
        "Why it came to this, without blame",
        incident_record,
        judge,
        "Ask what made it possible and what let it last, several times; name roles and systems, never a person.",
        items=ITEMS,
    )


def actions(agreed: str) -> Check:
    """Whether what was agreed on has an owner and a due date each, and is not overdue.

    ``agreed`` are actions by commas, each as ``what:owner:due``; owner and due may be missing, which is a WARNING.
    """

    def judge(reading: Reading) -> Judgement:
        if agreed == NONE:
            return Judgement(Verdict.WARNING, "Nobody wrote down what is to change: it may happen again as it did.")
        today = reading.taken_at.date()
        rows = tuple(_action(text, today) for text in agreed.split(","))
        bad = [f"{row['action']}: {row['state']}" for row in rows if row["state"] != "open"]
        said = f"{len(rows)} actions{': ' if bad else ', each with its owner and its day'}{'; '.join(bad)}"
        return Judgement(Verdict.WARNING if bad else Verdict.OK, f"{said}.", float(len(bad)), rows)

    return Check(
        "review-actions",
        "What is to change has an owner and a day",
        path,
        judge,
        "Agree on who and until when, before this meeting ends; keep them where the team's other work is kept.",
        items=ITEMS,
    )


def _action(text: str, today: date) -> dict[str, Any]:
    what, owner, due = [*text.split(":"), "", ""][:3]
    lacks = [*(["no owner"] if not owner else []), *([_day(due, today)] if _day(due, today) else [])]
    return {"action": what.replace("-", " "), "owner": owner, "due": due, "state": ", ".join(lacks) or "open"}


def _day(due: str, today: date) -> str:
    if not due:
        return "no due date"
    try:
        return "overdue" if date.fromisoformat(due) < today else ""
    except ValueError:
        return f"{re.sub('[^0-9-]', '', due)} is no day"
