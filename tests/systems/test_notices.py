"""PagerDuty's and Slack's clients against the lab's stand-ins: what is sent, and each failure by its own word."""

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.systems.pagerduty import Pager
from opslib.systems.slack import Chat, ReadOnlyChat
from tests import specs
from tests.vendors import Doors


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield doors


@pytest.fixture
def pager(lab):
    handle = Pager(lab.settings, lab.settings.pagerduty_key)
    yield handle
    handle.close()


@pytest.fixture
def chat(lab):
    handle = Chat(lab.settings, lab.settings.slack_token)
    yield handle
    handle.close()


def test_an_alert_that_is_told_twice_with_one_key_is_one_alert(pager, doors):
    for _ in range(2):
        assert pager.trigger("the-run", "It burns.", "critical", "opslib, lab") == "the-run"
    assert doors.state()["pagerduty"]["alerts"]["the-run"]["told"] == 2


def test_what_is_sent_to_pagerduty_is_as_it_describes_it(pager, doors):
    spec = specs.load("pagerduty-events-v2.json", "/pagerduty/v2")
    pager.trigger("the-run", "It burns.", "warning", "opslib, lab")
    assert (pager.acknowledge("the-run"), pager.resolve("the-run")) == ("the-run", "the-run")
    calls = doors.calls("pagerduty")
    assert len(calls) == 3
    assert [fault for call in calls for fault in spec.faults(call)] == []


def test_a_message_is_posted_once_and_found_by_its_words(chat, doors):
    assert chat.said("the-run") is None
    stamp = chat.say("All stands in the-run.")
    assert chat.said("the-run").ts == stamp
    assert len(doors.state()["slack"]["messages"]) == 1


def test_what_is_sent_to_slack_is_as_it_describes_it(chat, doors):
    spec = specs.load("slack-web-v2.json", "/slack/api")
    chat.say("All stands in the-run.")
    assert chat.said("the-run")
    calls = doors.calls("slack")
    assert len(calls) == 2
    # A bot's message in the description has fields that Slack gives to messages of people alone.
    assert [fault for call in calls for fault in spec.faults(call) if "message" not in fault] == []


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("channel_not_found", "missing"),
        ("not_in_channel", "forbidden"),
        ("token_revoked", "unauthorized"),
        ("is_archived", "conflict"),
        ("msg_too_long", "rejected"),
        ("fatal_error", "broken"),
    ],
)
def test_a_refusal_in_an_answer_of_200_is_no_success(chat, doors, said, kind):
    doors.put(slack={"messages": [], "refuses": said})
    with pytest.raises(Unreachable, match=said) as told:
        chat.say("All stands in the-run.")
    assert told.value.kind == kind
    assert doors.state()["slack"]["messages"] == []


@pytest.mark.parametrize(("fault", "kind"), [("401", "unauthorized"), ("403", "forbidden"), ("empty", "malformed")])
def test_a_channel_that_cannot_be_read_says_why(chat, doors, fault, kind):
    with doors.fault("slack", fault), pytest.raises(Unreachable) as told:
        chat.said("the-run")
    assert told.value.kind == kind


@pytest.mark.parametrize(("fault", "posted"), [("500", 0), ("lost", 1), ("cut", 0)])
def test_a_message_that_may_have_been_posted_is_never_sent_twice(chat, doors, fault, posted):
    with doors.fault("slack", fault, method="POST"), pytest.raises(Unreachable):
        chat.say("All stands in the-run.")
    assert len([call for call in doors.calls("slack") if call["method"] == "POST"]) == 1
    assert len(doors.state()["slack"]["messages"]) == posted


def test_a_key_that_pagerduty_does_not_know_is_rejected_and_stands_in_no_message(lab, doors):
    handle = Pager(lab.settings, lab.settings.slack_token)
    with pytest.raises(Unreachable, match="Invalid routing key") as told:
        handle.trigger("the-run", "It burns.", "critical", "opslib, lab")
    handle.close()
    assert (told.value.kind, lab.settings.slack_token.reveal() in str(told.value)) == ("rejected", False)


def test_without_a_credential_or_a_channel_nothing_is_sent(lab):
    with pytest.raises(SettingsError, match="PAGERDUTY_ROUTING_KEY"):
        Pager(lab.settings, None)
    with pytest.raises(SettingsError, match="SLACK_BOT_TOKEN"):
        ReadOnlyChat(lab.settings, None)
    with pytest.raises(SettingsError, match="OPS_SLACK_CHANNEL"):
        ReadOnlyChat(lab.settings.model_copy(update={"slack_channel": None}), lab.settings.slack_token)
