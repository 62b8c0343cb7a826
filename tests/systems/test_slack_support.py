"""Slack's client of the channel of support against the lab's stand-in; it only reads."""

from datetime import timedelta

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.doors import change, remembered
from opslib.lab.vendors.slack_shapes import question
from opslib.model import now
from opslib.systems.slack_support import MOST_THREADS, ReadOnlySupport
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
def support(lab):
    handle = ReadOnlySupport(lab.settings)
    yield handle
    handle.close()


def ask(lab, *questions):
    known = remembered(lab.settings, "slack")["support"]
    change(lab.settings, "slack", support={**known, "questions": list(questions)})


def test_questions_of_people_since_a_time_come_newest_first_page_by_page(lab, support, doors):
    ask(
        lab,
        *(question(number / 10, []) for number in range(1, 151)),
        question(24 * 40, []),
        question(1, [], bot_id="B1"),
    )
    found = support.questions(now() - MONTH)
    assert len(found) == 150
    assert found == sorted(found, key=lambda one: one.ts, reverse=True)
    assert len(doors.calls("slack")) == 2


def test_the_first_answer_is_somebody_elses(lab, support, doors):
    said = [{"user": "U0LABASKS", "after": 10}, {"user": "U0LABHELP", "after": 70}, {"user": "U0LABHELP", "after": 80}]
    ask(lab, question(5, said), question(4, []))
    waits, answered = support.questions(now() - MONTH)
    assert (support.answer(answered) - answered.at) == pytest.approx(timedelta(seconds=70), abs=timedelta(seconds=0.01))
    assert support.answer(waits) is None


def test_more_threads_than_are_read_are_said_and_no_part_is_taken_for_all(lab, support, doors):
    ask(lab, *(question(number, [{"user": "U0LABHELP", "after": 60}]) for number in range(1, MOST_THREADS + 2)))
    with pytest.raises(Unreachable, match="more threads") as told:
        support.questions(now() - MONTH)
    assert told.value.kind == "limited"


def test_what_is_sent_and_answered_is_as_slack_describes_it(lab, support, doors):
    described = specs.load("slack-web-v2.json", "/slack/api")
    assert support.name() == "valuecanvas-support"
    support.answer(support.questions(now() - MONTH)[0])
    calls = doors.calls("slack")
    assert [call["path"].rpartition(".")[2] for call in calls] == ["info", "history", "replies"]
    assert {call["method"] for call in calls} == {"GET"}
    # Its description has the messages of a thread as lists within a list, and its own example has not.
    assert [fault for call in calls for fault in described.faults(call) if "messages." not in fault] == []


def test_the_reading_token_can_post_nothing(lab, doors):
    from opslib.systems.slack import Chat

    chat = Chat(lab.settings, lab.settings.read_slack_token)
    with pytest.raises(Unreachable) as told:
        chat.say("Hello.")
    chat.close()
    assert told.value.kind == "forbidden"


def test_without_a_token_or_a_channel_nothing_is_asked(lab, doors):
    for name, alias in (("read_slack_token", "OPS_READ_SLACK_TOKEN"), ("support_channel", "OPS_SUPPORT_CHANNEL")):
        with pytest.raises(SettingsError, match=alias):
            ReadOnlySupport(lab.settings.model_copy(update={name: None}))
    assert doors.calls("slack") == []


def test_another_channel_is_missing_and_the_token_that_cannot_is_named(lab, support, doors):
    other = ReadOnlySupport(lab.settings.model_copy(update={"support_channel": "C0OTHER"}))
    with pytest.raises(Unreachable) as told:
        other.name()
    other.close()
    assert told.value.kind == "missing"
    with doors.fault("slack", "403"), pytest.raises(Unreachable) as told:
        support.name()
    assert (told.value.kind, "OPS_READ_SLACK_TOKEN" in told.value.next_step) == ("forbidden", True)
