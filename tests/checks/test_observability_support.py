"""Whether people were answered in time: the rule is pure, the cases are read from the lab's stand-ins."""

import pytest

from opslib.checks import observability as checks
from opslib.lab.doors import change, remembered
from opslib.lab.vendors.github_issues import answer, issue
from opslib.lab.vendors.slack_shapes import question
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from tests.incidents_told import after, reading
from tests.scale import nightly
from tests.vendors import Doors

DAYS = 28


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield doors


def judged(channel, *cases, place="#valuecanvas-support", at=10_000):
    rows = [
        {"case": f"#{n}", "asked_at": after(asked), "answered_at": answered}
        for n, (asked, answered) in enumerate(cases)
    ]
    return checks.answered(channel, DAYS).judge(reading({"place": place}, *rows, at=at))


def of(times, waited):
    return [(100 * n, after(100 * n + waited)) for n in range(times)]


@pytest.mark.parametrize(
    ("good", "late", "verdict"), [(20, 0, "OK"), (19, 1, "OK"), (9, 1, "WARNING"), (7, 3, "CRITICAL"), (5, 0, "OK")]
)
def test_the_share_of_those_who_were_answered_in_time_is_judged(good, late, verdict):
    found = judged("slack", *of(good, 30), *of(late, 300))
    assert (found.verdict, f"{good} of {good + late} cases" in found.summary) == (verdict, True)


@pytest.mark.parametrize("many", [0, 1, 4])
def test_few_cases_are_no_green_and_their_number_is_said(many):
    found = judged("pagerduty", *of(many, 1))
    assert (found.verdict, f"{many} of {many} cases" in found.summary) == (Verdict.UNKNOWN, True)


def test_one_who_still_waits_too_long_is_critical_however_many_were_answered():
    found = judged("slack", *of(50, 30), (9_000, None))
    assert (found.verdict, "still wait beyond that: #50 (16 h 40 min)" in found.summary) == (Verdict.CRITICAL, True)
    soon = judged("slack", *of(50, 30), (9_990, None))
    assert (soon.verdict, "1 asked only just now" in soon.summary) == (Verdict.OK, True)


def test_another_channel_than_the_guides_is_critical():
    found = judged("slack", *of(20, 30), place="#random")
    assert (found.verdict, "#random" in found.summary) == (Verdict.CRITICAL, True)


@pytest.mark.parametrize(("hours", "verdict"), [(-1, "UNKNOWN"), (0, "OK"), (24, "OK"), (24.5, "CRITICAL")])
def test_of_mail_a_persons_word_counts_and_without_one_nobody_knows(hours, verdict):
    assert checks.email(hours, DAYS).judge(reading()).verdict == verdict


@pytest.mark.parametrize("channel", ["slack", "pagerduty", "github"])
def test_in_the_lab_people_are_answered_in_time(lab, doors, channel):
    assert evaluate(checks.answered(channel, DAYS), lab.target).verdict is Verdict.OK


@pytest.mark.parametrize("channel", ["slack", "pagerduty", "github"])
@pytest.mark.parametrize(
    "fault",
    [
        "401",
        "403",
        "404",
        "429",
        "malformed",
        "empty",
        *(pytest.param(one, marks=nightly) for one in ("500", "cut", "slow")),
    ],
)
def test_a_vendors_fault_is_unknown_and_says_why(lab, doors, channel, fault):
    vendor = "oncall" if channel == "pagerduty" else channel
    with doors.fault(vendor, fault, seconds=60):
        found = evaluate(checks.answered(channel, DAYS), lab.target)
    assert (found.verdict, "Could not look" in found.summary) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [
        ([{"user": "U0LABASKS", "after": 60}], "CRITICAL"),
        ([{"user": "U0LABBOT1", "after": 60, "bot_id": "B0LABBOT1"}], "CRITICAL"),
        ([], "CRITICAL"),
        ([{"user": "U0LABASKS", "after": 60}, {"user": "U0LABHELP", "after": 600}], "OK"),
    ],
    ids=["the asker", "an app", "nobody", "somebody else"],
)
def test_in_slack_only_somebody_else_answers(lab, doors, replies, verdict):
    support = remembered(lab.settings, "slack")["support"]
    more = [*support["questions"], question(30, replies)]
    change(lab.settings, "slack", support={**support, "questions": more})
    assert evaluate(checks.answered("slack", DAYS), lab.target).verdict == verdict


def test_in_slack_what_an_app_posts_and_who_joins_asks_nothing(lab, doors):
    support = remembered(lab.settings, "slack")["support"]
    silent = [question(30, [], bot_id="B0LABBOT1"), question(31, [], subtype="channel_join")]
    change(lab.settings, "slack", support={**support, "questions": [*support["questions"], *silent]})
    found = evaluate(checks.answered("slack", DAYS), lab.target)
    assert (found.verdict, "9 of 9" in found.summary) == (Verdict.OK, True)


def test_a_channel_that_was_renamed_or_archived_is_found(lab, doors):
    support = remembered(lab.settings, "slack")["support"]
    change(lab.settings, "slack", support={**support, "name": "help-me"})
    assert evaluate(checks.answered("slack", DAYS), lab.target).verdict is Verdict.CRITICAL
    change(lab.settings, "slack", support={**support, "archived": True})
    found = evaluate(checks.answered("slack", DAYS), lab.target)
    assert (found.verdict, "archived" in found.summary) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    ("one", "verdict", "cases"),
    [
        (issue(400, 80, []), "CRITICAL", 9),
        (issue(400, 10, []), "OK", 8),
        (issue(400, 80, [answer(600, author="a-user", association="NONE")]), "CRITICAL", 9),
        (issue(400, 80, [answer(600, author="ci", type="Bot")]), "CRITICAL", 9),
        (
            issue(400, 80, [answer(600, author="ann")], author="ann", association="MEMBER", labels=["bug"]),
            "CRITICAL",
            9,
        ),
        (issue(400, 80, [], author="ann", association="MEMBER"), "OK", 8),
        (issue(400, 80, [], pull=True), "OK", 8),
        (issue(400, 80, [], closed=600.0), "OK", 9),
        (issue(400, 80, [answer(600)]), "OK", 9),
    ],
    ids=["nobody", "just now", "no member", "an app", "the author", "own task", "a pull request", "closed", "a member"],
)
def test_at_github_a_member_answers_a_report(lab, doors, one, verdict, cases):
    change(lab.settings, "github", issues=[*remembered(lab.settings, "github")["issues"], one])
    found = evaluate(checks.answered("github", DAYS), lab.target)
    assert (found.verdict, f"of {cases} cases" in found.summary) == (verdict, True), found.summary


@pytest.mark.parametrize(
    ("said", "verdict", "cases"),
    [
        ({"acknowledged": None, "resolved": None}, "CRITICAL", 8),
        ({"acknowledged": None, "resolved": 120, "by": "service"}, "OK", 7),
        ({"acknowledged": None, "resolved": 120}, "OK", 8),
        ({"service": "POTHER1"}, "OK", 7),
        ({"hours": 24 * 40}, "OK", 7),
    ],
    ids=["nobody", "by itself", "at once", "another service", "long ago"],
)
def test_at_pagerduty_a_person_takes_it_on(lab, doors, said, verdict, cases):
    known = remembered(lab.settings, "oncall")["incidents"]
    one = {**known[0], "number": 90, "hours": 5, **said}
    change(lab.settings, "oncall", incidents=[*known, one])
    found = evaluate(checks.answered("pagerduty", DAYS), lab.target)
    assert (found.verdict, f"of {cases} cases" in found.summary) == (verdict, True), found.summary
