"""Supabase's client against the lab's stand-in: what it sends is as described, and no message shows a value."""

import json

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.vendors.product import HELLO, LLM, SHARED
from opslib.lab.vendors.supabase import REF
from opslib.redaction import Secret
from opslib.systems.supabase import SERVICES, ReadOnlySupabase, Supabase
from tests import specs
from tests.supabase import digest, project

VALUE = 'tg-v1 "new" {key} \\ 7Kiwi9Qz%41ä'
FILES = {"supabase/functions/new/index.ts": b"Deno.serve(() => new Response('\r\n--x--'));\n"}
ENTRY = {"entrypoint_path": "supabase/functions/new/index.ts", "verify_jwt": False}


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        yield made


@pytest.fixture
def reading(lab):
    handle = ReadOnlySupabase(lab.settings, lab.settings.read_supabase_token)
    yield handle
    handle.close()


@pytest.fixture
def writing(lab):
    handle = Supabase(lab.settings, lab.settings.supabase_token)
    yield handle
    handle.close()


def test_a_project_is_found_with_its_services_secrets_and_functions(reading, there):
    assert (reading.project().ref, reading.project().status) == (REF, "ACTIVE_HEALTHY")
    assert {one.name: one.status for one in reading.health()} == dict.fromkeys(SERVICES, "ACTIVE_HEALTHY")
    assert {"TOGETHER_API_KEY", "SUPABASE_URL"} <= reading.secrets().keys()
    assert [(one.slug, one.status, one.version) for one in reading.functions().values()] == [
        ("hello", "ACTIVE", 1),
        ("llm-ready", "ACTIVE", 1),
    ]
    assert reading.files("hello").keys() == {HELLO, SHARED}


def test_a_secret_that_was_set_is_known_by_its_digest_and_its_moment(writing, there):
    before = writing.secrets()["TOGETHER_API_KEY"]
    writing.set_secret("TOGETHER_API_KEY", Secret(VALUE))
    after = writing.secrets()["TOGETHER_API_KEY"]
    assert (after.holds(Secret(VALUE)), before.holds(Secret(VALUE)), after.holds(Secret(VALUE + " "))) == (
        True,
        False,
        False,
    )
    assert after.updated > before.updated
    assert digest(VALUE) not in repr(after)
    writing.delete_secret("TOGETHER_API_KEY")
    assert "TOGETHER_API_KEY" not in writing.secrets()


def test_a_function_is_deployed_from_its_files_and_comes_back_byte_by_byte(writing, there):
    first = writing.deploy("new", FILES, ENTRY)
    second = writing.deploy("new", FILES, ENTRY)
    assert (first.version, second.version, second.status, second.verify_jwt) == (1, 2, "ACTIVE", False)
    assert writing.files("new") == FILES
    assert writing.function("new").version == 2
    writing.delete_function("new")
    with pytest.raises(Unreachable) as gone:
        writing.function("new")
    assert gone.value.kind == "missing"


def test_beyond_the_plans_limit_nothing_is_deployed(writing, there):
    there.change(limit=2)
    with pytest.raises(Unreachable, match="Max number of functions") as told:
        writing.deploy("new", FILES, ENTRY)
    assert told.value.kind == "unpaid"
    writing.deploy("llm-ready", {LLM: b"// empty\n"}, {"entrypoint_path": LLM})


def test_names_that_are_the_platforms_own_are_refused_there(writing, there):
    with pytest.raises(Unreachable, match="SUPABASE_ prefix") as told:
        writing.set_secret("SUPABASE_URL", Secret(VALUE))
    assert told.value.kind == "rejected"


@pytest.mark.parametrize(
    "act", [lambda h: h.set_secret("A_KEY", Secret(VALUE)), lambda h: h.deploy("new", FILES, ENTRY)]
)
def test_the_reading_token_changes_nothing(lab, there, act):
    handle = Supabase(lab.settings, lab.settings.read_supabase_token)
    before = there.state
    with pytest.raises(Unreachable) as refused:
        act(handle)
    assert (refused.value.kind, there.state == before) == ("forbidden", True)
    assert "SUPABASE_ACCESS_TOKEN" in refused.value.next_step


def test_without_a_token_or_a_project_nothing_is_asked(lab):
    with pytest.raises(SettingsError, match="OPS_READ_SUPABASE_TOKEN"):
        ReadOnlySupabase(lab.settings, None)
    without = lab.settings.model_copy(update={"supabase_project": None})
    with pytest.raises(SettingsError, match="SUPABASE_PROJECT_REF"):
        ReadOnlySupabase(without, lab.settings.read_supabase_token)


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
def test_each_failure_is_told_from_the_others_and_asked_once(reading, there, fault, kind):
    for ask in (reading.secrets, reading.health, lambda: reading.files("hello")):
        there.doors.forget()
        with there.doors.fault("supabase", fault), pytest.raises(Unreachable) as told:
            ask()
        assert (told.value.kind, len(there.doors.calls("supabase"))) == (kind, 1)
        assert told.value.next_step


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
def test_what_passes_is_asked_again(reading, there, fault):
    with there.doors.fault("supabase", fault, times=1, seconds=0.1):
        assert reading.project().ref == REF
    assert len(there.doors.calls("supabase")) >= 2


def test_a_slow_answer_is_given_up(reading, there):
    reading._api.seconds = 0.5
    with there.doors.fault("supabase", "slow", seconds=5), pytest.raises(Unreachable) as told:
        reading.project()
    assert told.value.kind == "slow"


@pytest.mark.parametrize(("fault", "set_"), [("500", False), ("cut", False), ("lost", True), ("malformed", False)])
def test_what_may_have_happened_is_never_sent_twice(writing, there, fault, set_):
    with there.doors.fault("supabase", fault, method="POST"):
        # No body is documented for a success, so a malformed one cannot be told from it: the digest is looked at.
        if fault == "malformed":
            writing.set_secret("A_KEY", Secret(VALUE))
        else:
            with pytest.raises(Unreachable):
                writing.set_secret("A_KEY", Secret(VALUE))
    assert len(there.posts()) == 1
    assert ("A_KEY" in there.state["secrets"]) == set_


def test_another_projects_answer_is_not_taken(lab, there, reading):
    reading.ref = "abcdefghijklmnopqrst"
    with pytest.raises(Unreachable, match="not with abcdefghij"):
        reading.project()


def test_a_value_that_the_vendor_repeats_in_its_error_is_in_no_message(lab, there, writing):
    with pytest.raises(Unreachable) as told:
        writing.set_secret("A_KEY" + "x" * 300, Secret(VALUE))
    assert VALUE not in str(told.value)
    assert all(VALUE[2:14] not in json.dumps(one) for one in (there.doors.calls("supabase"), there.state))


def test_what_is_sent_and_answered_is_as_supabase_describes_it(writing, there):
    spec = specs.load("supabase-management.json", "/supabase")
    writing.set_secret("A_KEY", Secret(VALUE))
    writing.project(), writing.health(), writing.secrets(), writing.functions(), writing.function("hello")
    writing.backups()
    writing.deploy("new", FILES, ENTRY)
    writing.delete_function("new")
    writing.delete_secret("A_KEY")
    calls = there.doors.calls("supabase")
    assert len(calls) == 10
    assert [fault for call in calls for fault in spec.faults(call)] == []
