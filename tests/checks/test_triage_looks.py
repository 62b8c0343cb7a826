"""The looks after a deployment: which were due, which took place, and when they are enough."""

import pytest

from opslib.checks import triage
from opslib.model import Verdict
from tests.routines import deployed, reading, run


def judged(hours, *ago, every=2.0, **said):
    """Judge a deployment of so many hours ago with runs so many hours ago; the run that judges is a look as well."""
    rows = [run(one, **said) for one in ago]
    return triage.looks(deployed(hours), every).judge(reading(rows))


def every(hours, step=2.0, without=()):
    """Return looks in the middle of each step of the last hours, but for those without."""
    return [hours - step * (number + 0.5) for number in range(int(hours / step)) if number not in without]


def test_before_a_day_is_over_nobody_knows_and_it_says_so_far():
    said = judged(6.5, *every(6.5))
    assert said.verdict is Verdict.UNKNOWN
    assert (
        said.summary == "Deployed 6 h 30 min ago; so far 4 of 4 looks took place, 3 of the 12 in a row that are needed."
    )


def test_after_24_hours_with_all_looks_the_line_is_ticked():
    assert judged(23.9, *every(23.9)).verdict is Verdict.UNKNOWN
    assert judged(24.0, *every(24.0)).verdict is Verdict.OK
    assert judged(70.0, *every(70.0)).verdict is Verdict.OK


def test_a_gap_is_named_and_24_hours_after_it_count_within_the_48():
    said = judged(30.0, *every(30.0, without=(5,)))
    assert (said.verdict, said.value) == (Verdict.UNKNOWN, 9.0)
    assert "nobody looked from 11-28 16:00" in said.summary
    assert judged(36.0, *every(36.0, without=(5,))).verdict is Verdict.OK


def test_after_48_hours_without_a_day_of_looks_it_cannot_come_any_more():
    said = judged(50.0, *every(50.0, without=(5, 11, 17, 23)))
    assert (said.verdict, "nobody looked from" in said.summary) == (Verdict.WARNING, True)


def test_looks_of_before_the_deployment_and_those_that_cannot_be_believed_are_none():
    assert judged(24.0, *every(48.0)[:12]).value == 0.0
    assert judged(24.0, *every(24.0), untrusted="was changed").value == 0.0
    assert judged(24.0, *every(24.0), state="failed").value == 0.0


def test_more_looks_than_are_due_count_once_and_what_they_found_is_said():
    said = judged(24.0, *every(24.0, 0.5), verdict="CRITICAL")
    assert (said.verdict, said.value) == (Verdict.OK, 12.0)
    assert "48 of them found something CRITICAL" in said.summary


@pytest.mark.parametrize("of", [deployed(3, unknown="The hoster does not answer."), reading([{"at": None}])])
def test_where_nobody_knows_when_it_was_deployed_nobody_knows(of):
    said = triage.looks(of).judge(reading([run(1)]))
    assert (said.verdict, "Since when it is deployed is not known" in said.summary) == (Verdict.UNKNOWN, True)
