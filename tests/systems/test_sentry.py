"""Sentry's client against the lab's stand-in: what it sends is as described, and it only reads."""

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.systems.sentry import ReadOnlySentry
from tests import specs
from tests.dependencies import elsewhere


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def sentry(lab):
    handle = ReadOnlySentry(lab.settings, lab.settings.read_sentry_token)
    yield handle
    handle.close()


def test_new_unresolved_issues_come_with_those_of_most_users_first(sentry, there):
    assert sentry.new_issues(24) == []
    there.issue(short="VC-8", users=2)
    there.issue(short="VC-9", users=40, events=77)
    there.issue(short="VC-10", users=90, status="resolved")
    found = sentry.new_issues(24)
    assert [(one.short, one.users, one.events) for one in found] == [("VC-9", 40, 77), ("VC-8", 2, 9)]
    assert [one.short for one in sentry.new_issues(1)] == []
    assert "VC-7" in [one.short for one in sentry.new_issues(336 * 3)]


def test_what_became_of_events_is_told_by_outcome_category_and_reason(sentry, there):
    found = {(one.by.outcome, one.by.category, one.by.reason): one.quantity for one in sentry.outcomes(24)}
    assert found["accepted", "error", "none"] == 41
    assert found["filtered", "error", "browser-extensions"] == 12


def test_releases_are_told_newest_first(sentry, there):
    assert [one.version for one in sentry.releases()] == ["valuecanvas@1.4.0", "valuecanvas@1.3.2"]


def test_what_is_sent_and_answered_is_as_sentry_describes_it(sentry, there):
    described = specs.load("sentry.json", "/sentry")
    there.issue()
    for ask in (lambda: sentry.new_issues(24), lambda: sentry.outcomes(24), sentry.releases):
        ask()
    calls = there.doors.calls("sentry")
    # A filtered part stands in an answer only where it was asked for, which its description does not say.
    assert [fault for call in calls for fault in described.faults(call) if "filtered" not in fault] == []
    assert [(call["method"], call["path"][-1]) for call in calls] == [("GET", "/")] * 3


def test_without_a_token_or_a_project_nothing_is_asked(lab, there):
    with pytest.raises(SettingsError, match="OPS_READ_SENTRY_TOKEN"):
        ReadOnlySentry(lab.settings, None)
    without = lab.settings.model_copy(update={"sentry_project": None})
    with pytest.raises(SettingsError, match="SENTRY_PROJECT"):
        ReadOnlySentry(without, lab.settings.read_sentry_token)
    assert there.doors.calls("sentry") == []


def test_another_project_is_forbidden(lab, there):
    other = lab.settings.model_copy(update={"sentry_project": "7"})
    with pytest.raises(Unreachable) as told:
        ReadOnlySentry(other, lab.settings.read_sentry_token).new_issues(24)
    assert (told.value.kind, "OPS_READ_SENTRY_TOKEN" in told.value.next_step) == ("forbidden", True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("402", "unpaid"),
        ("403", "forbidden"),
        ("404", "missing"),
        ("409", "conflict"),
        ("422", "rejected"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_each_failure_is_told_from_the_others_and_asked_once(sentry, there, fault, kind):
    with there.doors.fault("sentry", fault), pytest.raises(Unreachable) as told:
        sentry.new_issues(24)
    assert (told.value.kind, len(there.doors.calls("sentry"))) == (kind, 1)


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
def test_what_passes_is_asked_again(sentry, there, fault):
    with there.doors.fault("sentry", fault, times=1, seconds=0.1):
        assert sentry.outcomes(24)
    assert len(there.doors.calls("sentry")) >= 2


def test_a_limit_says_until_when(sentry, there):
    with there.doors.fault("sentry", "429", seconds=90), pytest.raises(Unreachable) as told:
        sentry.outcomes(24)
    assert (told.value.kind, "asks to wait 90 s" in told.value.next_step) == ("limited", True)


def test_a_slow_answer_is_given_up(sentry, there):
    sentry._api.seconds = 0.5
    with there.doors.fault("sentry", "slow", seconds=5), pytest.raises(Unreachable) as told:
        sentry.releases()
    assert told.value.kind == "slow"
