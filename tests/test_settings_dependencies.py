"""Status pages, names and Sentry in a target description: what fits, what is refused, and the lab's loopback."""

import re

import pytest

from opslib import settings
from opslib.errors import SettingsError
from tests.test_settings import GOOD, LAB, describe

assert describe

PAGES = (
    "github=https://www.githubstatus.com/api/v2/summary.json, supabase=https://status.supabase.com/api/v2/summary.json"
)


def test_pages_and_what_is_needed_of_them_are_read_by_vendor(describe):
    needs = "github=Git Operations,github=API Requests, supabase=Database: eu (1/2)"
    target = describe({**GOOD, "OPS_STATUS_PAGES": PAGES, "OPS_STATUS_COMPONENTS": needs})
    assert list(target.pages()) == ["github", "supabase"]
    assert target.pages()["github"] == "https://www.githubstatus.com/api/v2/summary.json"
    assert target.needed("github") == ("Git Operations", "API Requests")
    assert target.needed("supabase") == ("Database: eu (1/2)",)
    assert target.needed("vercel") == ()
    assert settings.load_reading(target.variables()) == target.reading()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPS_STATUS_PAGES", "https://www.githubstatus.com"),
        ("OPS_STATUS_PAGES", "github=ftp://x"),
        ("OPS_STATUS_PAGES", "github=https://user:word@x/"),
        ("OPS_STATUS_PAGES", "github=https://x/?q=1"),
        ("OPS_STATUS_PAGES", "GitHub=https://x/"),
        ("OPS_STATUS_PAGES", "github=https://x/a,github=https://x/b"),
        ("OPS_STATUS_COMPONENTS", "github=Actions"),
        ("OPS_HOSTS", "https://api.together.ai"),
        ("OPS_HOSTS", "-x.example"),
        ("OPS_HOSTS", "x..example"),
        ("OPS_RESOLVER", "dns.example:53"),
        ("OPS_RESOLVER", "127.0.0.1"),
        ("SENTRY_PROJECT", "valuecanvas"),
        ("SENTRY_ORG", "a/b"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(describe, name, value):
    with pytest.raises(SettingsError, match=f"- {name}: "):
        describe({**GOOD, name: value})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"OPS_STATUS_PAGES": "x=http://127.0.0.1:1/a,y=https://www.githubstatus.com/b"},
            "OPS_STATUS_PAGES: y: the lab",
        ),
        ({"OPS_RESOLVER": "9.9.9.9:53"}, "OPS_RESOLVER: the lab is on this machine only"),
        ({"OPS_HOSTS": "api.together.ai"}, "OPS_RESOLVER: missing (OPS_HOSTS is set"),
        ({"SENTRY_ORG": "valuecanvas"}, "SENTRY_URL: missing (SENTRY_ORG is set"),
        ({"SENTRY_URL": "https://sentry.io"}, "SENTRY_URL: the lab is on this machine only"),
    ],
)
def test_a_lab_asks_this_machine_alone(describe, given, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        describe({**LAB, **given}, "lab")


@pytest.mark.parametrize("name", ["OPS_STATUS_PAGES", "OPS_STATUS_COMPONENTS", "OPS_RESOLVER", "SENTRY_URL"])
def test_who_vouches_for_the_vendors_only_the_file_says(describe, monkeypatch, name):
    monkeypatch.setenv(name, "127.0.0.1:53" if name == "OPS_RESOLVER" else "https://elsewhere.example")
    with pytest.raises(SettingsError, match=f"{name}: only .env.staging may set it"):
        describe(GOOD)
