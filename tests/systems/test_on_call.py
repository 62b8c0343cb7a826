"""PagerDuty's REST client against the lab's stand-in: what it sends is as described, and it only reads."""

import json
from contextlib import closing
from datetime import timedelta

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.doors import change, remembered
from opslib.model import now
from opslib.systems.on_call import ReadOnlyOnCall
from opslib.systems.pagerduty import Pager
from tests import specs
from tests.vendors import Doors


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield doors


@pytest.fixture
def on_call(lab):
    handle = ReadOnlyOnCall(lab.settings)
    yield handle
    handle.close()


def incident(**said):
    known = {"number": 77, "title": "It burns", "hours": 2, "acknowledged": None, "resolved": None}
    return {**known, "by": "Ann Archer", "service": "PIJ90N7", **said}


def test_shifts_that_touch_a_time_are_told_with_their_level(on_call, doors):
    found = on_call.shifts(now(), now())
    assert [(one.level, one.user.summary) for one in found if one.level == 1] == [(1, "Ann Archer")]
    assert [(one.level, one.end) for one in found if one.level > 1] == [(2, None), (3, None), (4, None)]
    later = on_call.shifts(now(), now() + timedelta(days=14))
    assert [one.user.summary for one in later if one.level == 1] == ["Ann Archer", "Ben Bauer"]


def test_open_incidents_are_told_whatever_their_age(lab, on_call, doors):
    assert on_call.open_incidents() == []
    old, taken = incident(hours=24 * 60), incident(number=78, acknowledged=600)
    change(lab.settings, "oncall", incidents=[old, taken, incident(number=79, service="POTHER1")])
    assert [(one.number, one.status) for one in on_call.open_incidents()] == [(77, "triggered"), (78, "acknowledged")]


def test_an_incident_is_found_by_the_key_of_its_alert_from_its_beginning_to_its_end(lab, on_call, doors):
    with closing(Pager(lab.settings, lab.settings.pagerduty_key)) as pager:
        assert on_call.incident("the-key") is None
        seen = []
        for tell in (lambda key: pager.trigger(key, "It burns.", "error", "lab"), pager.acknowledge, pager.resolve):
            tell("the-key")
            seen.append(on_call.incident("the-key").status)
        assert seen == ["triggered", "acknowledged", "resolved"]
        assert on_call.incident("another") is None
        pager.acknowledge("another")
        assert on_call.incident("another") is None


def test_what_happened_is_told_page_by_page(lab, on_call, doors):
    many = [incident(number=100 + number, hours=number + 1, acknowledged=60, resolved=120) for number in range(70)]
    change(lab.settings, "oncall", incidents=many)
    found = on_call.entries(now() - timedelta(days=5), now())
    assert (len(found), len({one.incident for one in found})) == (210, 70)
    assert {one.type for one in found if one.agent.person} == {"acknowledge_log_entry", "resolve_log_entry"}
    assert [call["query"][-1] for call in doors.calls("oncall")] == [
        ["offset", "0"],
        ["offset", "100"],
        ["offset", "200"],
    ]


def test_more_than_can_be_read_is_said_and_no_part_is_taken_for_all(lab, on_call, doors):
    known = remembered(lab.settings, "oncall")["incidents"][0]
    change(lab.settings, "oncall", incidents=[{**known, "number": number} for number in range(700)])
    with pytest.raises(Unreachable, match="more than 2000 log_entries") as told:
        on_call.entries(now() - timedelta(days=30), now())
    assert told.value.kind == "limited"


def test_what_is_sent_and_answered_is_as_pagerduty_describes_it(lab, on_call, doors):
    described = specs.load("pagerduty-rest.json", "/oncall")
    change(lab.settings, "oncall", incidents=[incident(), incident(number=78, acknowledged=60)])
    on_call.shifts(now(), now() + timedelta(days=7))
    on_call.open_incidents()
    on_call.entries(now() - timedelta(days=1), now())
    calls = doors.calls("oncall")
    assert [(call["method"], call["path"]) for call in calls] == [
        ("GET", "/oncall/oncalls"),
        ("GET", "/oncall/incidents"),
        ("GET", "/oncall/log_entries"),
    ]
    faults = [fault for call in calls for fault in described.faults(call)]
    # In words it says that a shift's start and end may be null. Its kinds of a log entry fit no entry, its own examples
    # neither: a channel must be of exactly one of several kinds that any channel fits. So entries are held against
    # what all kinds have in common.
    known = [".start: None", ".end: None", "GET /log_entries: answer 200 log_entries."]
    assert [fault for fault in faults if not any(word in fault for word in known)] == []
    entries = json.loads(calls[2]["answer"])["log_entries"]
    common = {"$ref": "#/components/schemas/LogEntry"}
    bare = [{name: value for name, value in one.items() if name != "channel"} for one in entries]
    assert [fault for one in bare for fault in described._against(common, one, "log entry")] == []
    assert len(bare) == 3


def test_without_a_key_or_a_policy_nothing_is_asked(lab, doors):
    with pytest.raises(SettingsError, match="OPS_READ_PAGERDUTY_TOKEN"):
        ReadOnlyOnCall(lab.settings.model_copy(update={"read_pagerduty_token": None}))
    handle = ReadOnlyOnCall(lab.settings.model_copy(update={"escalation_policy": None}))
    with pytest.raises(SettingsError, match="OPS_ESCALATION_POLICY"):
        handle.shifts(now(), now())
    assert doors.calls("oncall") == []


def test_a_key_that_pagerduty_does_not_know_stands_in_no_message(lab, doors):
    handle = ReadOnlyOnCall(lab.settings.model_copy(update={"read_pagerduty_token": lab.settings.slack_token}))
    with pytest.raises(Unreachable, match="Unauthorized") as told:
        handle.open_incidents()
    handle.close()
    assert (told.value.kind, lab.settings.slack_token.reveal() in str(told.value)) == ("unauthorized", False)
    assert "OPS_READ_PAGERDUTY_TOKEN" in told.value.next_step


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("403", "forbidden"),
        ("404", "missing"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_each_failure_is_told_from_the_others_and_asked_once(on_call, doors, fault, kind):
    with doors.fault("oncall", fault), pytest.raises(Unreachable) as told:
        on_call.open_incidents()
    assert (told.value.kind, len(doors.calls("oncall"))) == (kind, 1)


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
def test_what_passes_is_asked_again(on_call, doors, fault):
    with doors.fault("oncall", fault, times=1, seconds=0.1):
        assert on_call.open_incidents() == []
    assert len(doors.calls("oncall")) >= 2


def test_a_slow_answer_is_given_up(on_call, doors):
    on_call._api.seconds = 0.5
    with doors.fault("oncall", "slow", seconds=5), pytest.raises(Unreachable) as told:
        on_call.open_incidents()
    assert told.value.kind == "slow"
