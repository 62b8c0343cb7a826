"""What logs answered, as readings: from the values of the step that asked them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.errors import Unreachable
from opslib.model import UNKNOWN_UNTIL, Probe
from opslib.probes.log_questions import QUESTIONS
from opslib.systems.target import ReadTarget


def of_step(name: str, title: str, value: Any, rows: Any) -> Probe:
    """Return the probe of ``value``, which a step produced; ``rows`` makes rows of it.

    In a planning run there is none yet, and the reading says so.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if isinstance(value, str) and value.startswith(UNKNOWN_UNTIL):
            raise Unreachable("What logs answer is known once they are asked.", "Apply the plan.", "early")
        return [dict(row) for row in rows(value)]

    return Probe(name=name, title=title, read=read, source="the step's evidence")


def answered(name: str, answers: Any) -> Probe:
    """Return the probe of one question's answer; one that nobody has is a reading that could not be taken."""

    def rows(answers: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        if name not in answers:
            raise Unreachable("It was not asked: no session is named.", "about=session, and named=….", "missing")
        if answers[name]["unknown"]:
            raise Unreachable(answers[name]["unknown"], "Ask again; nothing is known of it.", "unknown")
        return list(answers[name]["rows"])

    return of_step(f"log-{name}", QUESTIONS[name].title, answers, rows)


def session(answers: Any) -> Probe:
    """Return the probe of what one session did, in order."""
    return answered("session", answers)


def clocks(skew: Any) -> Probe:
    """Return the probe of how far streams' own moments lie from those that node or CloudWatch gave their lines."""
    return of_step("log-clocks", "How far streams' own moments are off", skew, lambda rows: rows)


def hours(asked: Any) -> Probe:
    """Return the probe of requests by the hour, of the window and of what came before it."""
    return of_step("log-hours", "Requests by the hour", asked, lambda rows: rows)
