"""Variables of the builds at the three hosters: set, shown, removed, and what each refuses or hides."""

import hashlib
from datetime import UTC, datetime

import pytest

from opslib.errors import Refused, Unreachable
from opslib.lab.production import BUILDS
from opslib.redaction import Secret
from opslib.systems.hosting import Mark
from tests import specs
from tests.hosters import STAND_INS, of
from tests.systems.test_hosters import DESCRIBED
from tests.vendors import Doors

MARK = Mark("20261128T130614Z-runbooks-rotate-a1b2c3", "3f1b-7", datetime(2026, 11, 28, 13, tzinfo=UTC))
VALUE = Secret("tg-v1-new-5Hd8Wq1Xv6Np")
NAME = "TOGETHER_API_KEY"
AMBIGUOUS = "env/{id}: answer 200"
"""Vercel describes three forms of one variable of which exactly one should fit, and a decrypted one fits them all."""
WRITING = ("POST", "PATCH", "PUT", "DELETE")


@pytest.fixture(params=STAND_INS)
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, request.param)


@pytest.fixture
def writing(hoster):
    with hoster.moving() as handle:
        yield handle


def held(hoster, name=NAME):
    return next((one for one in hoster.state["variables"] if one["name"] == name), None)


def listed(handle, name=NAME):
    return next((one for one in handle.variables() if one.name == name), None)


def digest(value):
    return hashlib.sha256(value.reveal().encode()).hexdigest()


def writes(hoster):
    return [call for call in hoster.doors.calls(hoster.name) if call["method"] in WRITING]


def test_a_secret_is_set_hidden_for_production_and_removed_again(hoster, writing):
    before = [one["name"] for one in hoster.state["variables"]]
    writing.set_variable(NAME, VALUE, True, MARK)
    one = listed(writing)
    assert (held(hoster)["digest"], one.secret, one.contexts) == (digest(VALUE), True, ("production",))
    assert one.mark == (MARK if writing.marks else None)
    assert writing.shown(NAME) is None
    writing.set_variable(NAME, Secret("tg-v1-newer-6Hd8Wq1Xv"), True, MARK)
    assert held(hoster)["digest"] != digest(VALUE)
    writing.remove_variable(NAME)
    writing.remove_variable(NAME)
    assert (held(hoster), listed(writing)) == (None, None)
    assert [one["name"] for one in hoster.state["variables"]] == before


def test_all_public_values_are_shown_at_once_and_a_hidden_one_is_named(hoster, writing):
    writing.set_variable("VITE_HIDDEN", VALUE, True, MARK)
    found = writing.all_shown("VITE_")
    assert found.pop("VITE_HIDDEN") is None
    assert {name: value.reveal() for name, value in found.items()}.items() >= BUILDS.items()
    assert found == {name: writing.shown(name) for name in found}
    assert writing.all_shown("VITE_NOBODY") == {}


def test_a_public_value_is_set_and_shown(hoster, writing):
    writing.set_variable("VITE_SUPABASE_URL", Secret("https://a.example"), False, MARK)
    assert writing.shown("VITE_SUPABASE_URL") == Secret("https://a.example")
    assert writing.shown("VITE_NOBODY_SET") is None
    assert not listed(writing, "VITE_SUPABASE_URL").secret


@pytest.mark.parametrize(
    ("hoster", "shared"), [("vercel", ("production", "preview")), ("netlify", ("all",))], indirect=["hoster"]
)
def test_what_other_contexts_have_as_well_is_set_there_and_is_not_removed(hoster, writing, shared):
    change = {"contexts": list(shared)} if hoster.name == "vercel" else {"context": "all"}
    hoster.put(variables=[one | change for one in hoster.state["variables"]])
    writing.set_variable("SENTRY_AUTH_TOKEN", VALUE, True, MARK)
    assert listed(writing, "SENTRY_AUTH_TOKEN").contexts == shared
    assert held(hoster, "SENTRY_AUTH_TOKEN")["digest"] == digest(VALUE)
    with pytest.raises(Refused, match="from all"):
        writing.remove_variable("SENTRY_AUTH_TOKEN")


def test_netlify_does_not_keep_a_secret_readable(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "netlify")
        doors.forget()
        with hoster.moving() as handle, pytest.raises(Refused, match="readable"):
            handle.set_variable("VITE_API_BASE_URL", VALUE, True, MARK)
        assert writes(hoster) == []


def test_a_value_of_netlifys_other_contexts_stays_when_productions_is_removed(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "netlify")
        hoster.put(variables=[{"name": NAME, "secret": True, "updated": 1.0, "context": "deploy-preview"}])
        with hoster.moving() as handle:
            assert listed(handle) is None
            handle.set_variable(NAME, VALUE, True, MARK)
            assert listed(handle).contexts == ("production",)
            handle.remove_variable(NAME)
        assert held(hoster)["context"] == "deploy-preview"


def test_a_success_of_vercel_that_names_a_failure_is_none(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "vercel")
        hoster.put(refuses=[NAME])
        with hoster.moving() as handle, pytest.raises(Unreachable, match="ENV_CONFLICT") as told:
            handle.set_variable(NAME, VALUE, True, MARK)
        assert told.value.kind == "rejected"


@pytest.mark.parametrize("text", [None, "", "by hand", "opslib a b", "opslib a b yesterday", "opslib a b 2026-99-99"])
def test_what_somebody_else_wrote_is_no_mark(text):
    assert Mark.read(text) is None


def test_a_mark_is_read_as_it_was_written():
    assert Mark.read(MARK.text()) == MARK


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *(("400", "rejected"), ("401", "unauthorized"), ("403", "forbidden"), ("404", "missing"), ("409", "conflict")),
        *(("422", "rejected"), ("500", "broken"), ("cut", "closed"), ("lost", "closed")),
    ],
)
def test_a_failure_is_told_is_sent_once_and_shows_no_value(hoster, writing, fault, kind):
    hoster.doors.forget()
    method = "PATCH" if hoster.name == "cloudflare" else "POST"
    with hoster.doors.fault(hoster.name, fault, method=method), pytest.raises(Unreachable) as told:
        writing.set_variable(NAME, VALUE, True, MARK)
    assert (told.value.kind, len(writes(hoster))) == (kind, 1)
    assert VALUE.reveal() not in str(told.value) + str(hoster.doors.state()) + str(hoster.doors.calls(hoster.name))
    assert (held(hoster) is not None) is (fault == "lost")


def test_a_call_that_was_refused_for_its_number_is_sent_again(hoster, writing):
    method = "PATCH" if hoster.name == "cloudflare" else "POST"
    with hoster.doors.fault(hoster.name, "429", method=method, times=1, seconds=0.1):
        writing.set_variable(NAME, VALUE, True, MARK)
    assert held(hoster)["digest"] == digest(VALUE)


def test_what_is_sent_and_answered_is_as_the_hoster_describes_it(hoster, writing):
    spec = specs.load(*DESCRIBED[hoster.name])
    hoster.doors.forget()
    writing.set_variable(NAME, VALUE, True, MARK)
    writing.set_variable(NAME, VALUE, True, MARK)
    writing.set_variable("VITE_SUPABASE_URL", Secret("https://a.example"), False, MARK)
    writing.shown("VITE_SUPABASE_URL")
    writing.remove_variable(NAME)
    calls = hoster.doors.calls(hoster.name)
    assert len(writes(hoster)) == 4
    faults = [fault for call in calls for fault in spec.faults(call)]
    assert [fault for fault in faults if AMBIGUOUS not in fault] == []
