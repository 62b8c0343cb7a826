"""Sentry as the checks judge it: new issues by their users, drops by their reason, and silence that proves nothing."""

import pytest

from opslib.checks import dependencies as checks
from opslib.model import Verdict
from opslib.runs.display import bundle
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from opslib.systems.web import Reader
from tests.dependencies import elsewhere
from tests.scale import first

TAKEN = {"outcome": "accepted", "category": "error", "reason": "none", "quantity": 900}


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def judged(lab):
    target = ReadTarget(lab.settings.reading(), "test")
    yield lambda check: evaluate(check, target)
    target.close()


def described(lab, **said):
    settings = lab.settings.reading().model_copy(update=said)
    return lambda check: evaluate(check, ReadTarget(settings, "test"))


def dropped(quantity, outcome="rate_limited", reason="project_quota"):
    return {"outcome": outcome, "category": "error", "reason": reason, "quantity": quantity}


def test_events_that_arrive_and_nothing_new_are_ok(there, judged):
    issues, intake = judged(checks.new_issues()), judged(checks.intake())
    assert (issues.verdict, intake.verdict) == (Verdict.OK, Verdict.OK)
    assert "41 error events and 5\u202f200 others were taken" in intake.summary
    assert "5\u202f241 events were taken" in issues.summary


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"users": 4}, Verdict.WARNING),
        ({"users": 0}, Verdict.WARNING),
        ({"users": 26}, Verdict.CRITICAL),
        ({"users": 1, "level": "fatal"}, Verdict.CRITICAL),
    ],
)
def test_a_new_issue_counts_by_its_users_and_is_gone_when_it_is_resolved(there, judged, said, verdict):
    there.issue(**said)
    result = judged(checks.new_issues())
    assert (result.verdict, "VC-9 “Case list is empty”" in result.summary) == (verdict, True)
    assert "runbooks/roll-back-deployment" in result.remedy
    assert result.rows[0]["users"] == said["users"]
    known = there.doors.state()["sentry"]["issues"]
    there.sentry(issues=[{**one, "status": "resolved"} for one in known])
    assert judged(checks.new_issues()).verdict is Verdict.OK


def test_how_many_users_are_too_many_is_the_callers_word(there, judged):
    there.issue(users=26)
    assert judged(checks.new_issues(critical_users=30)).verdict is Verdict.WARNING
    assert judged(checks.new_issues(hours=1)).verdict is Verdict.OK


def test_more_issues_than_one_answer_holds_are_said_to_be(there, judged):
    one = {"title": "x", "level": "error", "users": 1, "events": 1, "status": "unresolved", "hours": 2}
    there.sentry(issues=[{**one, "short": f"VC-{number}"} for number in range(120)])
    assert judged(checks.new_issues()).summary.startswith("at least 100 new and unresolved")


@pytest.mark.parametrize(
    ("drop", "verdict", "said"),
    [
        (dropped(5), Verdict.OK, "project_quota"),
        (dropped(50), Verdict.WARNING, "rate_limited (project_quota) 50"),
        (dropped(500), Verdict.CRITICAL, "rate_limited (project_quota) 500"),
        (dropped(500, "abuse", "org_abuse_limit"), Verdict.CRITICAL, "org_abuse_limit"),
        (dropped(500, "client_discard", "ratelimit_backoff"), Verdict.CRITICAL, "ratelimit_backoff"),
    ],
)
def test_what_is_dropped_for_quota_or_rate_is_named_and_gone_when_it_is_taken_again(there, judged, drop, verdict, said):
    there.sentry(outcomes=[TAKEN, drop])
    result = judged(checks.intake())
    assert (result.verdict, said in result.summary) == (verdict, True)
    there.sentry(outcomes=[TAKEN])
    assert judged(checks.intake()).verdict is Verdict.OK


@pytest.mark.parametrize("outcome", ["filtered", "client_discard"])
def test_what_nobody_wanted_is_not_lost(there, judged, outcome):
    there.sentry(outcomes=[TAKEN, dropped(5000, outcome, "sample_rate")])
    assert judged(checks.intake()).verdict is Verdict.OK


def test_where_everything_is_dropped_nothing_new_is_no_good_news(there, judged):
    there.sentry(outcomes=[dropped(70)])
    assert judged(checks.intake()).verdict is Verdict.CRITICAL
    assert judged(checks.new_issues()).verdict is Verdict.UNKNOWN


def test_nothing_that_arrives_while_requests_flow_is_unknown(lab, there, judged):
    Reader().get(f"{lab.settings.application_url}/api/llm/models")
    there.sentry(outcomes=[])
    for check in checks.intake(), checks.new_issues():
        result = judged(check)
        assert (result.verdict, "Nothing arrives" in result.summary) == (Verdict.UNKNOWN, True)
        assert "while the application answered" in result.summary
    assert "VITE_SENTRY_DSN" in judged(checks.intake()).remedy


def test_nothing_that_arrives_is_unknown_also_where_nobody_counts_requests(lab, there):
    there.sentry(outcomes=[])
    result = described(lab, application_url=None)(checks.intake())
    assert (result.verdict, "VITE_API_BASE_URL" in result.summary) == (Verdict.UNKNOWN, True)


def test_events_count_though_the_application_does_not_say_its_requests(lab, there):
    assert described(lab, application_url=None)(checks.intake()).verdict is Verdict.OK


@pytest.mark.parametrize(
    "fault", first(5, "401", "403", "404", "malformed", "empty", "400", "402", "409", "422", "500")
)
def test_what_sentry_does_not_tell_is_unknown_and_other_checks_look_on(there, judged, fault):
    with there.doors.fault("sentry", fault):
        results = [judged(check) for check in (checks.intake(), checks.new_issues())]
        others = judged(checks.names)
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert all("Sentry" in result.summary for result in results)
    assert others.verdict is Verdict.OK


def test_without_a_token_nobody_says_ok(lab, there):
    for check in checks.intake(), checks.new_issues():
        result = described(lab, read_sentry_token=None)(check)
        assert (result.verdict, "OPS_READ_SENTRY_TOKEN" in result.summary) == (Verdict.UNKNOWN, True)


def test_a_hostile_title_stays_text(there, judged):
    there.issue(title="<img src=x onerror=alert(1)> \x1b[2J \u202e")
    shown = bundle(judged(checks.new_issues()))
    assert "<img" not in shown["text/html"]
    assert "onerror=alert(1)" in shown["text/html"]
    assert not [sign for sign in ("\x1b", "\u202e") if sign in shown["text/html"] + shown["text/plain"]]
