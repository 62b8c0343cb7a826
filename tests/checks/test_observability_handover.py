"""Checks at a handover. Pure, but for the contacts of the lab's description."""

import pytest

from opslib.checks import observability as checks
from opslib.guide.incident import HANDOVER, TRIAGE
from opslib.model import Verdict
from opslib.probes.observability_support import contacts
from tests.incidents_told import after, ran, reading


def judged(check, *rows, **said):
    return check.judge(reading(*rows, **said))


def shift(who, begins, ends, level=1):
    return {
        "level": level,
        "who": who,
        "from": None if begins is None else after(begins),
        "until": None if ends is None else after(ends),
    }


@pytest.mark.parametrize(
    ("shifts", "verdict", "words"),
    [
        ([("Ann", -60, 60), ("Ben", 60, 300)], "OK", "Ann hands over to Ben at 2026-11-29 11:00 UTC."),
        ([("Ben", -90, 10), ("Ann", 10, 60), ("Ben", 60, 90)], "OK", "Ann took over from Ben; Ann hands over to Ben"),
        ([("Ann", -60, 60), ("Ben", 90, 300)], "WARNING", "for 30 min before that nobody is on call"),
        ([("Ann", -60, 60)], "WARNING", "and nobody after that"),
        ([("Ann", None, None)], "WARNING", "that is no rotation"),
        ([("Ann", -60, 10), ("Ben", 60, 90)], "CRITICAL", "Nobody is on call"),
        ([], "CRITICAL", "Nobody is on call"),
    ],
)
def test_somebody_is_on_call_and_somebody_comes_after(shifts, verdict, words):
    found = judged(checks.on_call, *(shift(*one) for one in shifts), shift("Eve", None, None, 2))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


def test_the_guides_placeholders_are_critical_until_the_description_fills_them(lab):
    described = lab.settings
    empty = described.model_copy(update={"engineering_manager": None, "cto": None})

    def rows(settings):
        return contacts.read(type("Target", (), {"settings": settings}))

    found = judged(checks.contacts, *rows(empty))
    assert found.verdict is Verdict.CRITICAL
    assert "Engineering manager (OPS_ENGINEERING_MANAGER), CTO (OPS_CTO)" in found.summary
    half = judged(checks.contacts, *rows(described.model_copy(update={"cto": None})))
    assert (half.verdict, "5 of 6" in half.summary) == (Verdict.CRITICAL, True)
    assert judged(checks.contacts, *rows(described)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("since", "taken", "verdict"), [(0, False, "CRITICAL"), (10, False, "WARNING"), (0, True, "WARNING")]
)
def test_an_open_incident_is_handed_over_and_one_that_waits_too_long_is_critical(since, taken, verdict):
    row = {"incident": "#7", "service": "x", "urgency": "high", "since": after(since), "taken_on": taken, "title": "x"}
    assert judged(checks.open_incidents, row).verdict == verdict
    assert judged(checks.open_incidents).verdict is Verdict.OK


def test_the_newest_triage_says_what_is_ill_and_its_age_counts():
    ill = [{"check": "backup-freshness", "verdict": "WARNING", "says": "old"}]
    fresh = ran(0, TRIAGE, verdict="WARNING", ill=ill)
    found = judged(checks.watched, fresh, ran(-90, TRIAGE, verdict="CRITICAL"))
    assert (found.verdict, "not OK: backup-freshness" in found.summary) == (Verdict.WARNING, True)
    good = ran(0, TRIAGE)
    assert judged(checks.watched, good).verdict is Verdict.OK
    assert judged(checks.watched, good, at=13 * 60).verdict is Verdict.WARNING
    assert judged(checks.watched, good, at=25 * 60).verdict is Verdict.CRITICAL
    assert judged(checks.watched, ran(0, TRIAGE, untrusted="is not what was sealed")).verdict is Verdict.CRITICAL
    assert judged(checks.watched, ran(0), ran(0, TRIAGE, state="interrupted")).verdict is Verdict.UNKNOWN


def test_runs_since_the_last_handover_are_handed_over():
    last = ran(-60, HANDOVER)
    found = judged(checks.runs_handed_over, ran(5), last, ran(-90, sealed="open"))
    assert (found.verdict, found.summary) == (
        Verdict.OK,
        "1 run since the handover of 2026-11-29 09:00 UTC, 1 of them changed something.",
    )
    assert judged(checks.runs_handed_over, ran(5, state="failed"), last).verdict is Verdict.WARNING
    assert judged(checks.runs_handed_over, ran(5, sealed="open", state="open"), last).verdict is Verdict.WARNING
    assert judged(checks.runs_handed_over, ran(5, untrusted="is not what was sealed"), last).verdict is Verdict.CRITICAL
    # Nobody knows since when.
    assert judged(checks.runs_handed_over, ran(5)).verdict is Verdict.UNKNOWN
