"""GitHub's client of issues against the lab's stand-in: what it sends is as described, and it only reads."""

from datetime import timedelta

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.doors import change
from opslib.lab.vendors.github_issues import answer, issue
from opslib.model import now
from opslib.systems.github_issues import ReadOnlyIssues
from tests import specs
from tests.vendors import Doors

MONTH = timedelta(days=28)


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield doors


@pytest.fixture
def issues(lab):
    handle = ReadOnlyIssues(lab.settings)
    yield handle
    handle.close()


def test_reports_of_a_time_come_page_by_page_without_pull_requests_and_members_own_tasks(lab, issues, doors):
    many = [issue(number, 1 + number / 10, []) for number in range(1, 121)]
    others = [issue(500, 5, [], pull=True), issue(501, 5, [], association="MEMBER"), issue(502, 24 * 40, [answer(3e6)])]
    change(lab.settings, "github", issues=[*many, *others, issue(503, 5, [], association="OWNER", labels=["bug"])])
    found = issues.reported(now() - MONTH)
    assert {one.number for one in found} == {*range(1, 121), 503}
    assert len(doors.calls("github")) == 2


def test_answers_are_those_of_members_oldest_first(lab, issues, doors):
    said = [answer(900), answer(60, association="NONE"), answer(300, type="Bot"), answer(600, author="ben")]
    change(lab.settings, "github", issues=[issue(7, 9, said)])
    assert [(one.number, one.login) for one in issues.answers(now() - MONTH)] == [(7, "ben"), (7, "ann")]


def test_what_is_sent_and_answered_is_as_github_describes_it(lab, issues, doors):
    described = specs.load("github.json", "/github")
    change(lab.settings, "github", issues=[issue(7, 9, [answer(60)], closed=600.0, labels=["bug"]), issue(8, 2, [])])
    issues.reported(now() - MONTH)
    issues.answers(now() - MONTH)
    calls = doors.calls("github")
    assert [(call["method"], call["path"].rpartition("/")[2]) for call in calls] == [
        ("GET", "issues"),
        ("GET", "comments"),
    ]
    assert [fault for call in calls for fault in described.faults(call)] == []


def test_without_a_token_or_a_repository_nothing_is_asked(lab, doors):
    for name, alias in (("read_github_token", "OPS_READ_GITHUB_TOKEN"), ("github_repository", "GITHUB_REPOSITORY")):
        with pytest.raises(SettingsError, match=alias):
            ReadOnlyIssues(lab.settings.model_copy(update={name: None}))
    assert doors.calls("github") == []


def test_a_repository_without_issues_is_missing(lab, doors):
    other = ReadOnlyIssues(lab.settings.model_copy(update={"github_repository": "valuecanvas/other"}))
    with pytest.raises(Unreachable) as told:
        other.reported(now() - MONTH)
    other.close()
    assert told.value.kind == "missing"
