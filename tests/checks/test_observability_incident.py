"""Checks of one incident. Pure."""

import pytest

from opslib.checks import observability as checks
from opslib.guide.choices import PARTS
from opslib.model import Verdict
from opslib.probes.observability_made import MOST
from tests.incidents_told import after, ran, reading, told

TAKEN = {"acknowledged": after(7), "by": "ann"}


def judged(check, *rows, **said):
    return check.judge(reading(*rows, **said))


@pytest.mark.parametrize("check", [checks.acknowledged, checks.escalation, checks.documented])
def test_without_a_start_or_with_one_that_cannot_be_nothing_is_green(check):
    assert judged(check(told(started=None)), ran(5)).verdict is Verdict.UNKNOWN
    assert judged(check(told(started=after(25))), ran(5), at=20).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("said", "at", "verdict", "words"),
    [
        (TAKEN, 20, "OK", "ann took it on after 7 min (promised 15 min)"),
        ({"acknowledged": after(16), "by": "ann"}, 20, "WARNING", "after 16 min"),
        ({}, 10, "WARNING", "Nobody has taken it on for 10 min; 5 min are left"),
        ({}, 20, "CRITICAL", "5 min over the 15 min promised"),
        ({"severity": "info"}, 20, "WARNING", "5 min over"),
        ({"resolved": after(18)}, 20, "WARNING", "nobody says that they took it on"),
    ],
)
def test_level_one_takes_it_on_within_its_time(said, at, verdict, words):
    found = judged(checks.acknowledged(told(**said)), at=at)
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


@pytest.mark.parametrize(
    ("said", "at", "verdict", "words"),
    [
        ({}, 10, "OK", "level 2 (Engineering Manager) in 5 min, at 10:15:00 UTC"),
        (TAKEN, 20, "CRITICAL", "overdue: level 2 (Engineering Manager), for 5 min"),
        ({**TAKEN, "severity": "warning"}, 20, "WARNING", "overdue: level 2"),
        ({"told_level": 2}, 20, "OK", "level 3 (CTO + Infrastructure Team) in 10 min"),
        ({"told_level": 2}, 65, "CRITICAL", "level 4 (CEO + All Hands), for 5 min"),
        ({"told_level": 4}, 90, "OK", "every level whose turn came was told"),
        ({"told_level": 2, "resolved": after(25)}, 90, "OK", "over after 25 min; every level whose turn came was told"),
        ({"resolved": after(40)}, 90, "CRITICAL", "never told: level 2 (Engineering Manager), for 25 min; level 3"),
    ],
)
def test_the_next_level_is_told_when_its_turn_comes(said, at, verdict, words):
    found = judged(checks.escalation(told(**said)), at=at)
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary
    assert [row["level"] for row in found.rows] == [1, 2, 3, 4]


def test_a_whole_report_is_ok_and_one_that_nobody_named_is_unknown():
    event = "0123456789abcdef" * 2
    whole = ",".join(f"{part}:{event if part == 'sentry' else 'issue-12'}" for part in PARTS)
    assert judged(checks.report(whole)).verdict is Verdict.OK
    assert judged(checks.report(whole.replace(event, "n-a").replace("network:issue-12", "network:n-a"))).verdict == "OK"
    assert judged(checks.report("none")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("steps:a,environment:b,network:n-a,sentry:n-a", "stack trace: missing"),
        ("stack:a,steps:n-a,environment:b,network:n-a,sentry:n-a", "reproduce: always applies"),
        ("stack:a,steps:b,environment:c,sentry:n-a", "network logs: missing, and not said to be n-a"),
        ("stack:a,steps:b,environment:c,network:d,sentry:VC-7", "is no Sentry event id"),
        ("stack:a,stack:a2,steps:b,environment:c,network:d", "named twice"),
    ],
)
def test_what_a_report_lacks_is_named(said, words):
    found = judged(checks.report(said))
    assert (found.verdict, words in found.summary) == (Verdict.WARNING, True), found.summary


def test_each_run_since_the_start_is_in_the_timeline_with_its_report():
    rows = [ran(12), ran(5, "diagnostics/triage"), ran(-5)]
    found = judged(checks.documented(told()), *rows)
    assert (found.verdict, found.summary) == (
        Verdict.OK,
        "2 runs since, 1 of them changed something; each has its sealed report.",
    )
    assert [(row["notebook"], row["changed"]) for row in found.rows] == [
        ("diagnostics/triage", 0),
        ("runbooks/maintain-cache", 1),
    ]
    assert found.rows[1]["report"] == rows[0]["report"]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"sealed": "open", "state": "open"}, "WARNING"),
        ({"untrusted": "is not what was sealed"}, "CRITICAL"),
        ({"steps": [{"step": "clear", "status": "in doubt"}]}, "CRITICAL"),
    ],
)
def test_a_run_that_is_not_written_down_is_named(said, verdict):
    bad = ran(5, **said)
    found = judged(checks.documented(told()), ran(2), bad)
    assert (found.verdict, bad["run"] in found.summary) == (verdict, True)


def test_where_not_all_runs_are_told_nobody_knows():
    many = [ran(19 - number / 60) for number in range(MOST)]
    assert judged(checks.documented(told(started=after(13))), *many).verdict is Verdict.OK
    assert judged(checks.documented(told()), *many[:-1]).verdict is Verdict.OK
    found = judged(checks.documented(told()), *many)
    assert (found.verdict, f"newest {MOST} runs" in found.summary) == (Verdict.UNKNOWN, True)


def test_without_a_run_and_of_long_ago_nobody_knows():
    assert judged(checks.documented(told())).verdict is Verdict.UNKNOWN
    assert judged(checks.documented(told(started=after(-60 * 24 * 9))), ran(5)).verdict is Verdict.UNKNOWN
