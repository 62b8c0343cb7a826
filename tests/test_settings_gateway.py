"""Replicas and their administrator in a target description: what fits, what is refused, and where a token may go."""

import re

import pytest

from opslib import settings
from opslib.errors import SettingsError
from tests.test_settings import GOOD, LAB, describe

assert describe

TWO = "https://a.api.example, https://b.api.example/"


def test_replicas_are_addresses_and_the_administrator_is_the_executors(describe):
    said = {"OPS_APPLICATION_ADMIN_TOKEN": "an-admins-token", "OPS_APPLICATION_ADMIN_SESSION": "an-admins-session"}
    target = describe({**GOOD, **said, "OPS_API_REPLICAS": TWO, "OPS_API_POD_PORT": "3001"})
    assert target.api_replicas == ("https://a.api.example", "https://b.api.example")
    assert {target.admin_token, target.admin_session} <= set(target.secrets())
    reading = settings.load_reading(target.variables())
    assert (reading, reading.api_replicas) == (target.reading(), target.api_replicas)
    assert not hasattr(reading, "admin_token")
    assert not set(said) & target.variables().keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPS_API_REPLICAS", "a.api.example"),
        ("OPS_API_REPLICAS", "https://user:word@a.api.example"),
        ("OPS_API_REPLICAS", "https://a.api.example,https://a.api.example/"),
        ("OPS_API_POD_PORT", "0"),
        ("OPS_API_POD_PORT", "65536"),
        ("OPS_SESSION_COOKIE", "a; b"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(describe, name, value):
    with pytest.raises(SettingsError, match=f"- {name}: "):
        describe({**GOOD, name: value})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"OPS_API_REPLICAS": "http://127.0.0.1:1,https://a.api.example"}, "OPS_API_REPLICAS: the lab is on this"),
        ({"OPS_API_POD_PORT": "3001"}, "OPS_API_POD_PORT: pods of a lab have no addresses"),
    ],
)
def test_a_lab_asks_this_machine_alone(describe, given, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        describe({**LAB, **given}, "lab")


@pytest.mark.parametrize(
    ("name", "value"), [("OPS_API_REPLICAS", "https://elsewhere.example"), ("OPS_API_POD_PORT", "1")]
)
def test_where_an_administrators_token_goes_only_the_file_may_say(describe, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: only .env.staging may set it"):
        describe(GOOD)
