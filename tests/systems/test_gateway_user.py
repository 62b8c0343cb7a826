"""The router as an administrator uses it: with all that the product wants, and every refusal told apart."""

import uuid

import pytest

from opslib.errors import Refused, SettingsError, Unreachable
from opslib.lab.broken import providers
from opslib.systems.gateway_user import MOST, Administrator, Limited
from tests.llm import as_user, router

SERVED = {"success": True, "data": {"content": "one", "provider": "openai", "model": "gpt-4", "cached": False}}


def at(lab, url, **more):
    settings = lab.settings.model_copy(update={"application_url": url, **more})
    return Administrator(settings, f"test-{uuid.uuid4().hex[:8]}")


def test_the_lab_answers_a_prompt_never_asked_before_and_says_who_did(lab):
    user = Administrator(as_user(lab.settings), f"test-{uuid.uuid4().hex[:8]}")
    for base in (None, *lab.settings.api_replicas):
        served = user.ask(base)
        assert (served.provider, served.cached) == ("together_ai", False)
        assert served.prompt
        assert served.completion
    user.reset(lab.settings.api_replicas[1])
    providers.forget(lab.settings, "opslib-test")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "Invalid request"}, "rejected"),
        (401, {"error": "Session missing or invalid"}, "unauthorized"),
        (403, {"error": "CSRF validation failed"}, "forbidden"),
        (404, "<pre>Cannot POST</pre>", "missing"),
        (426, {"error": "unsupported_version"}, "rejected"),
        (440, {"error": "Session expired due to inactivity"}, "unauthorized"),
        (500, {"error": "Internal server error"}, "broken"),
        (502, "<html>Bad gateway</html>", "broken"),
        (200, "<!doctype html>", "malformed"),
        (200, {"success": False}, "malformed"),
        (200, ["success"], "malformed"),
        (302, "", "malformed"),
    ],
)
def test_every_other_answer_is_told_apart_and_repeats_no_credential(lab, status, body, kind):
    with router(status, body) as (url, _):
        user = at(lab, url)
        for ask in (user.ask, lambda: user.reset(url)):
            with pytest.raises(Unreachable) as told:
                ask()
            assert told.value.kind == kind
            assert told.value.next_step
            for secret in (lab.settings.admin_token, lab.settings.admin_session):
                assert secret.reveal() not in str(told.value)


def test_where_no_provider_answers_the_service_is_down(lab):
    said = {"error": "LLM request failed", "message": "All LLM providers unavailable. Please try again later."}
    with router(500, said) as (url, _), pytest.raises(Unreachable) as told:
        at(lab, url).ask()
    assert told.value.kind == "down"


@pytest.mark.parametrize("data", [{}, {"provider": "openai"}, {"content": "one", "provider": 7}, "one"])
def test_an_answer_that_names_nobody_is_no_answer(lab, data):
    with router(200, {"success": True, "data": data}) as (url, _), pytest.raises(Unreachable) as told:
        at(lab, url).ask()
    assert told.value.kind == "malformed"


def test_an_answer_counts_as_cached_unless_it_says_that_it_is_not(lab):
    for said, cached in (({}, True), ({"cached": None}, True), ({"provider": "cache"}, True)):
        data = {"content": "one", "provider": "openai", "model": "gpt-4", **said}
        with router(200, {"success": True, "data": data}) as (url, _):
            assert at(lab, url).ask().cached is cached
    with router(200, SERVED) as (url, _):
        assert at(lab, url).ask().cached is False


def test_the_products_limit_says_how_long_to_wait(lab):
    with router(429, {"error": "Too Many Requests"}, retry_after="37") as (url, asked):
        for ask in (lambda user: user.ask(), lambda user: user.reset(url)):
            with pytest.raises(Limited) as told:
                ask(at(lab, url))
            assert told.value.wait == 37
    assert len(asked) == 2


def test_a_run_asks_so_often_and_no_more(lab):
    with router(200, SERVED) as (url, asked):
        user = at(lab, url)
        for _ in range(MOST):
            user.ask()
        with pytest.raises(Refused, match="asked for"):
            user.ask()
    assert len(asked) == MOST


@pytest.mark.parametrize("name", ["admin_token", "admin_session", "application_url"])
def test_without_an_administrator_or_an_address_nothing_is_sent(lab, name):
    with router(200, SERVED) as (url, asked):
        user = at(lab, url, **{name: None})
        with pytest.raises(SettingsError):
            user.ask()
    assert asked == []
