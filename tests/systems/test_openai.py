"""OpenAI's administration and the providers' doors against the stand-ins: as described, and no message shows a key."""

from dataclasses import replace

import pytest

from opslib.errors import Refused, SettingsError, Unreachable
from opslib.lab.production import dummy
from opslib.redaction import Secret
from opslib.systems.llm_keys import PROVIDERS, Keys, ReadOnlyKeys
from opslib.systems.openai import Listed, Project, ReadOnlyProject
from tests import specs
from tests.llm_keys import Dashboard

OPENAI, TOGETHER = PROVIDERS["openai"], PROVIDERS["together"]
NOBODYS = Secret("sk-nobody-9f3Kq7Zr2Lm8Xw4T")
FAULTS = ["401", "403", "404", "409", "422", "429", "500", "slow", "cut", "malformed", "empty"]


@pytest.fixture
def board(lab):
    made = Dashboard(lab.settings, "openai")
    with made.doors.restored():
        made.doors.forget()
        yield made


@pytest.fixture
def project(lab):
    handle = Project(lab.settings, lab.settings.openai_admin_key)
    yield handle
    handle.close()


def test_a_key_is_made_used_listed_and_goes_with_its_account(lab, project, board):
    made = project.make("ops-test")
    door = Keys(lab.settings)
    (listed,) = [one for one in project.listed() if one.id == made.key]
    assert (listed.used, listed.may_be(made.value), listed.may_be(NOBODYS)) == (None, True, False)
    spoken = door.speak(OPENAI, made.value)
    assert (spoken.model, spoken.project) == ("gpt-3.5-turbo", project.id)
    (listed,) = [one for one in project.listed() if one.id == made.key]
    assert listed.used is not None
    assert listed.owner.account.name == "ops-test"
    project.remove(made.account)
    assert not door.knows(OPENAI, made.value)
    assert "ops-test" not in board.accounts()
    assert board.doors.state()["openai"]["keys"].keys() == {"key_production", "key_ann"}


def test_what_is_sent_and_answered_is_as_the_vendors_describe_it(lab, project, board):
    made = project.make("ops-test")
    project.listed()
    project.accounts()
    Keys(lab.settings).speak(OPENAI, made.value)
    project.remove(made.account)
    described = specs.load("openai.json", "/openai/v1")
    calls = board.calls()
    assert {call["method"] for call in calls} == {"GET", "POST", "DELETE"}
    assert [fault for call in calls for fault in described.faults(call)] == []


def test_together_is_asked_as_it_is_described(lab, board):
    Keys(lab.settings).speak(TOGETHER, Secret(dummy("TOGETHER_API_KEY")))
    described = specs.load("together.yaml", "/together/v1")
    calls = board.doors.calls("together")
    assert len(calls) == 2
    assert [fault for call in calls for fault in described.faults(call)] == []


def test_lists_of_several_pages_are_read_whole(project, board):
    for number in range(205):
        board.add(f"key_{number}", f"sk-of-many-{number:06}")
    assert len(project.listed()) == 207


@pytest.mark.parametrize("provider", [OPENAI, TOGETHER])
def test_a_key_that_a_provider_does_not_know_is_told_from_a_provider_that_does_not_answer(lab, board, provider):
    door = ReadOnlyKeys(lab.settings)
    assert door.knows(provider, Secret(dummy(provider.variable)))
    assert not door.knows(provider, NOBODYS)
    for fault in ("403", "429", "500", "cut", "malformed", "empty"):
        with board.doors.fault(provider.name, fault, seconds=0.1), pytest.raises(Unreachable):
            door.knows(provider, NOBODYS)


def test_no_message_shows_any_part_of_a_key(lab, board):
    board.doors.forget()
    with pytest.raises(Unreachable) as told:
        Keys(lab.settings).speak(OPENAI, NOBODYS)
    assert NOBODYS.reveal()[:8] in board.calls()[0]["answer"]
    assert NOBODYS.reveal()[:8] not in f"{told.value} {told.value.next_step}"


def test_a_key_without_cheap_models_is_refused_with_their_names(lab, board):
    door = Keys(lab.settings)
    provider = replace(OPENAI, models=("gpt-of-tomorrow",))
    with pytest.raises(Refused, match="gpt-of-tomorrow"):
        door.speak(provider, Secret(dummy("OPENAI_API_KEY")))


def test_a_handle_that_reads_sends_get_alone(lab, board):
    handle = ReadOnlyProject(lab.settings, lab.settings.openai_admin_key)
    handle.listed()
    assert {call["method"] for call in board.calls()} == {"GET"}
    assert not hasattr(handle, "make")
    handle.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_is_told_apart_and_nothing_is_made_of_it(project, board, fault):
    more = {"seconds": 30} if fault in ("slow", "429") else {}
    project._api.seconds = 1.0
    with board.doors.fault("openai", fault, method="GET", **more), pytest.raises(Unreachable) as told:
        project.listed()
    assert told.value.next_step


def test_an_administrators_key_does_not_chat_and_a_projects_key_administers_nothing(lab, board):
    assert not ReadOnlyKeys(lab.settings).knows(OPENAI, lab.settings.openai_admin_key)
    other = ReadOnlyProject(lab.settings, Secret(dummy("OPENAI_API_KEY")))
    with pytest.raises(Unreachable, match="does not know the token"):
        other.listed()


def test_a_description_without_project_or_address_is_refused(lab):
    with pytest.raises(SettingsError, match="OPENAI_PROJECT_ID"):
        Project(lab.settings.model_copy(update={"openai_project": None}), NOBODYS)
    with pytest.raises(SettingsError, match="not in the lab's description"):
        ReadOnlyKeys(lab.settings.model_copy(update={"together_url": None})).knows(TOGETHER, NOBODYS)


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ("sk-nob...Xw4T", True),
        ("sk-nob****Xw4T", True),
        ("sk-nob…Xw4T", True),
        ("sk-nob...Xw4t", False),
        ("sk-not...Xw4T", False),
        ("...Xw4T", False),
        ("sk-nob...T", False),
        ("", False),
    ],
)
def test_a_key_is_recognised_by_its_beginning_and_its_end(shown, same):
    said = {"id": "key_1", "redacted_value": shown, "created_at": 1, "last_used_at": None, "owner": {"type": "user"}}
    assert Listed.model_validate(said).may_be(NOBODYS) is same
