"""Stakeholders told of an incident: once each, in fixed words, and only while the evidence is whole."""

import pytest

from opslib.actions.security import NotifyStakeholders, PreserveEvidence
from opslib.errors import Refused, Unreachable
from opslib.model import UNKNOWN_UNTIL, Outcome, Repeat, Verdict
from tests.incidents import RUN, carry_out, places, quiet
from tests.vendors import Doors

MARKER = f"{UNKNOWN_UNTIL}preserve-evidence"


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def targets(lab, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


def manifest_of(targets):
    return carry_out(PreserveEvidence(), targets)[1]["manifest"]


@pytest.fixture
def action(targets):
    return NotifyStakeholders(severity="error", manifest=manifest_of(targets))


def alerts(doors):
    return {key: alert["told"] for key, alert in doors.state()["pagerduty"]["alerts"].items()}


def messages(doors):
    return [message["text"] for message in doors.state()["slack"]["messages"]]


def test_a_plan_shows_the_words_and_tells_nobody(targets, doors):
    plan = NotifyStakeholders(manifest=MARKER).plan(targets[0])
    assert RUN in plan.after["Slack"]
    assert (plan.touches, plan.repeat) == (2, Repeat.IRREVERSIBLE)
    assert (alerts(doors), messages(doors)) == ({}, [])


def test_each_is_told_once_and_the_message_is_read_back(action, targets, doors):
    plan, _, said = carry_out(action, targets)
    assert said.verdict is Verdict.OK
    assert alerts(doors) == {RUN: 1}
    assert messages(doors) == [plan.after["Slack"]]
    assert doors.state()["pagerduty"]["alerts"][RUN]["severity"] == "error"
    with pytest.raises(Refused, match="cannot be undone"):
        action.undo(targets[2], plan, {}, quiet)


def test_a_second_try_tells_nobody_again(action, targets, doors):
    plan, values, _ = carry_out(action, targets)
    assert action.apply(targets[2], plan, quiet) == values
    assert (list(alerts(doors)), len(messages(doors))) == ([RUN], 1)


def test_a_message_whose_answer_was_lost_is_found(action, targets, doors):
    plan = action.plan(targets[0])
    with doors.fault("slack", "lost", method="POST"), pytest.raises(Unreachable):
        action.apply(targets[2], plan, quiet)
    settled = action.settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert action.verify(targets[1], plan, settled.values).verdict is Verdict.OK


@pytest.mark.parametrize("vendor", ["pagerduty", "slack"])
def test_what_broke_off_is_completed(action, targets, doors, vendor):
    plan = action.plan(targets[0])
    with doors.fault(vendor, "500", method="POST"), pytest.raises(Unreachable):
        action.apply(targets[2], plan, quiet)
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
    values = action.apply(targets[2], plan, quiet)
    assert action.verify(targets[1], plan, values).verdict is Verdict.OK
    assert (list(alerts(doors)), len(messages(doors))) == ([RUN], 1)


def test_a_message_that_was_removed_is_critical(action, targets, doors):
    plan, values, _ = carry_out(action, targets)
    doors.put(slack={"messages": [], "refuses": ""})
    assert action.verify(targets[1], plan, values).verdict is Verdict.CRITICAL


def test_without_whole_evidence_nobody_is_told(targets, doors):
    action = NotifyStakeholders(manifest="0" * 64)
    with pytest.raises(Refused, match="no evidence"):
        action.apply(targets[2], action.plan(targets[0]), quiet)
    assert (alerts(doors), messages(doors)) == ({}, [])


def test_a_channel_that_cannot_be_read_is_refused_in_the_plan(targets, doors):
    with doors.fault("slack", "403"), pytest.raises(Unreachable, match=r"does not let the token"):
        NotifyStakeholders(manifest=MARKER).plan(targets[0])


@pytest.mark.parametrize(
    ("unset", "touches"), [({"pagerduty_key": None}, 1), ({"slack_token": None}, 1), ({"slack_channel": None}, 1)]
)
def test_who_is_not_set_is_not_told_and_the_plan_says_so(lab, targets, tmp_path, doors, unset, touches):
    part = places(lab.settings.model_copy(update=unset), tmp_path)
    manifest = carry_out(PreserveEvidence(), part)[1]["manifest"]
    plan, _, said = carry_out(NotifyStakeholders(manifest=manifest), part)
    assert (plan.touches, said.verdict) == (touches, Verdict.OK)
    assert sum("not told" in text for text in plan.after.values()) == 1


def test_where_nobody_is_set_it_is_refused(lab, tmp_path):
    none = places(lab.settings.model_copy(update={"pagerduty_key": None, "slack_token": None}), tmp_path)
    with pytest.raises(Refused, match="nobody who could be told"):
        NotifyStakeholders(manifest=MARKER).plan(none[0])


def test_when_nobody_is_to_be_told_nobody_is(targets, doors):
    plan, _, said = carry_out(NotifyStakeholders(tell=False, manifest=manifest_of(targets)), targets)
    assert (plan.touches, said.summary) == (0, "Nobody was to be told.")
    assert (alerts(doors), messages(doors)) == ({}, [])
