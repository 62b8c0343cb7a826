"""Checks of a post-incident review. Pure."""

from datetime import timedelta

import pytest

from opslib.checks import observability as checks
from opslib.guide.review import Told
from opslib.model import Verdict
from opslib.probes.observability_record import MOST
from tests.incidents_told import BEGAN, after, did, reading, turn

WHOLE = {
    "began": BEGAN,
    "detected": after(4),
    "acknowledged": after(6),
    "by": "ann",
    "mitigated": after(20),
    "resolved": after(30),
}


def told(**said):
    return Told(**{"name": "INC-1", **WHOLE, **said})


def judged(check, *rows, at=60):
    return check.judge(reading(*rows, at=at, probe="incident-record"))


def test_times_are_intervals_from_when_it_began():
    found = judged(checks.spans(told()))
    assert (found.verdict, found.summary) == (
        Verdict.OK,
        "INC-1, from when it began: to detect between 2 min and 6 min; to acknowledge between 4 min and 8 min; "
        "to mitigate between 18 min and 22 min; to resolve between 28 min and 32 min.",
    )
    assert [row["moment"] for row in found.rows] == ["began", "detected", "acknowledged", "mitigated", "resolved"]


def test_a_moment_that_nobody_knows_is_unknown_and_a_contradiction_a_warning():
    found = judged(checks.spans(told(mitigated=None)))
    assert (found.verdict, "Nobody knows when it was mitigated" in found.summary) == (Verdict.UNKNOWN, True)
    assert found.rows[3]["after_it_began"] == "UNKNOWN"
    assert judged(checks.spans(Told("none"))).verdict is Verdict.UNKNOWN
    found = judged(checks.spans(told(resolved=after(10))))
    assert (found.verdict, "resolved comes before mitigated" in found.summary) == (Verdict.WARNING, True)


def test_the_timeline_has_each_run_and_step_with_its_time_who_and_where():
    rows = (did(12), did(5, "diagnostics/triage"), did(-30), did(45), turn(("OK", -1), ("CRITICAL", 4)))
    found = judged(checks.timeline(told(shown_by="cache-memory")), *rows)
    assert (found.verdict, found.summary) == (
        Verdict.OK,
        "2 runs; steps that touched the target: 1; each run's seal was verified.",
    )
    lines = {row["what"]: row for row in found.rows}
    step = lines["Clear the cache (clear, ended 10:14:00 UTC)"]
    assert (step["at"], step["who"]) == (after(13).isoformat(), "requester ann@ops-1, approver ben@valuecanvas")
    assert step["where"] == f"{rows[0]['report']}#cell-id=clear"
    assert lines["reading of cache-memory"]["came_out"] == "CRITICAL"
    times = [row["at"] if isinstance(row["at"], str) else row["at"].isoformat() for row in found.rows]
    assert times == sorted(times)


def test_a_run_that_does_not_verify_is_named_and_nothing_of_it_is_told():
    bad = did(12, untrusted="is not what was sealed", verdict="", report="")
    found = judged(checks.timeline(told()), did(5), bad)
    assert (found.verdict, f"Not whole: {bad['run']} is not what was sealed." in found.summary) == (
        Verdict.CRITICAL,
        True,
    )
    (line,) = [row for row in found.rows if bad["run"] in row["what"]]
    assert line == {
        "at": bad["started_at"],
        "what": f"run {bad['run']}: named, and not believed, for it is not what was sealed",
        "who": "",
        "came_out": "not believed",
        "where": "",
    }
    assert sum("Clear the cache" in row["what"] for row in found.rows) == 1


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"sealed": "open", "state": "open", "steps": []}, "WARNING"),
        ({"sealed": "quarantined"}, "CRITICAL"),
        ({"steps": [{**did(5)["steps"][0], "status": "in doubt"}]}, "CRITICAL"),
    ],
)
def test_a_run_that_is_not_whole_is_named(said, verdict):
    found = judged(checks.timeline(told()), did(5, **said))
    assert (found.verdict, "Not whole" in found.summary) == (verdict, True)


def test_without_a_run_of_long_ago_and_before_what_is_told_nobody_knows():
    assert judged(checks.timeline(told())).verdict is Verdict.UNKNOWN
    assert judged(checks.timeline(Told("none")), did(5)).verdict is Verdict.UNKNOWN
    old = Told("INC-1", began=BEGAN - timedelta(days=36), resolved=BEGAN)
    assert "more than 35 days ago" in judged(checks.timeline(old), did(-5)).summary
    many = [did(29 - number / 60) for number in range(MOST)]
    assert judged(checks.timeline(told()), *many[:-1]).verdict is Verdict.OK
    assert f"newest {MOST} runs" in judged(checks.timeline(told()), *many).summary
    looks = [did(29 - number / 60, "diagnostics/cache") for number in range(MOST)]
    assert "are left out" in judged(checks.timeline(told()), did(25), *looks).summary


def test_a_root_cause_in_peoples_words_and_what_contributed_is_ok():
    found = judged(checks.causes(told(), "memory-had-no-limit", "no-alert-on-it,nobody-owned-it"), did(5))
    assert (found.verdict, found.summary) == (Verdict.OK, "A root cause and 2 contributing factors.")
    assert found.rows[0]["in_people's_words"] == "memory had no limit"


@pytest.mark.parametrize(
    ("root", "contributing", "verdict", "words"),
    [
        ("none", "none", "UNKNOWN", "Nobody says what the root cause was"),
        ("memory-had-no-limit", "none", "WARNING", "no factor that contributed"),
        ("Ann-forgot-the-limit", "no-alert-on-it", "WARNING", "ann is an account and no cause"),
        ("memory-had-no-limit", "approved-by-ben-unread", "WARNING", "ben is an account"),
    ],
)
def test_blame_is_no_cause_and_nobodys_word_is_unknown(root, contributing, verdict, words):
    found = judged(checks.causes(told(), root, contributing), did(5))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


@pytest.mark.parametrize(
    ("agreed", "verdict", "words"),
    [
        ("add-alert:ann:2026-12-15,write-policy:ben:2026-11-29", "OK", "2 actions, each with its owner and its day."),
        ("none", "WARNING", "Nobody wrote down"),
        ("add-alert::2026-12-15", "WARNING", "add alert: no owner"),
        ("add-alert", "WARNING", "add alert: no owner, no due date"),
        ("add-alert:ann", "WARNING", "add alert: no due date"),
        ("add-alert:ann:2026-11-28", "WARNING", "add alert: overdue"),
        ("add-alert:ann:2026-13-45", "WARNING", "2026-13-45 is no day"),
    ],
)
def test_each_action_has_an_owner_and_a_day(agreed, verdict, words):
    found = judged(checks.actions(agreed))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary
