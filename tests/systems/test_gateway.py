"""The product's LLM router as it is asked: its own words, its limit, and everything else told apart."""

import pytest

from opslib.errors import Unreachable
from opslib.systems.gateway import ReadOnlyGateway, state_of
from tests.llm import router

BOTH = {"togetherAI": {"healthy": False, "state": "open"}, "openAI": {"healthy": True, "state": "closed"}}


def at(lab, url, **more):
    return ReadOnlyGateway(lab.settings.reading().model_copy(update={"application_url": url, **more}))


def test_the_labs_router_tells_the_user_who_only_looks_and_counts_each_question(lab):
    told = lab.target.gateway.health()
    assert (told.status, {state_of(one) for one in told.data.values()}) == (200, {"closed"})
    assert told.limit == 300
    again = lab.target.gateway.stats()
    assert set(again.data) == {"togetherAI", "openAI", "cache"}
    assert told.left is not None
    # One less, or the first of the next minute.
    assert again.left in (told.left - 1, 299)


def test_without_a_user_nobody_is_told_and_the_answer_says_nothing_of_the_route(lab):
    gateway = ReadOnlyGateway(lab.settings.reading().model_copy(update={"read_application_token": None}))
    with pytest.raises(Unreachable) as told:
        gateway.health()
    assert (told.value.kind, "OPS_READ_APPLICATION_TOKEN" in told.value.next_step) == ("unauthorized", True)


def test_503_with_the_breakers_states_is_an_answer(lab):
    with router(503, {"success": False, "data": BOTH}) as (url, asked):
        told = at(lab, url).health()
    assert (told.status, state_of(told.data["togetherAI"]), told.left) == (503, "open", None)
    assert [line.partition(" Bearer ")[0] for line in asked] == ["/api/llm/health"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "Unauthorized"}, "unauthorized"),
        (403, {"error": "Forbidden"}, "forbidden"),
        (404, "<pre>Cannot GET /api/llm/health</pre>", "missing"),
        (426, {"error": "unsupported_version"}, "rejected"),
        (500, {"error": "Internal server error"}, "broken"),
        (502, "<html>Bad gateway</html>", "broken"),
        (503, {"error": "no words of the router"}, "broken"),
        (200, "<!doctype html>", "malformed"),
        (200, {"data": {"else": 1}}, "malformed"),
        (200, ["data"], "malformed"),
        (302, "", "malformed"),
    ],
)
def test_every_other_answer_is_told_apart(lab, status, body, kind):
    with router(status, body) as (url, _), pytest.raises(Unreachable) as told:
        at(lab, url).health()
    assert told.value.kind == kind
    assert told.value.next_step


@pytest.mark.parametrize("said", [(429, {"error": "Too Many Requests"}, {"retry_after": "40"})])
def test_after_a_refusal_for_too_many_nothing_more_is_asked(lab, said):
    status, body, headers = said
    with router(status, body, **headers) as (url, asked):
        gateway = at(lab, url)
        for ask in (gateway.health, gateway.stats, gateway.health):
            with pytest.raises(Unreachable) as told:
                ask()
            assert told.value.kind == "limited"
    assert len(asked) == 1


def test_where_nothing_is_left_of_the_minute_the_next_question_is_not_sent(lab):
    with router(200, {"data": BOTH}, x_ratelimit_remaining="0", x_ratelimit_limit="300") as (url, asked):
        gateway = at(lab, url)
        assert gateway.health().left == 0
        with pytest.raises(Unreachable) as told:
            gateway.stats()
    assert (told.value.kind, len(asked)) == ("limited", 1)


def test_an_address_that_nobody_described_is_said(lab):
    with pytest.raises(Unreachable, match="address"):
        at(lab, None).health()


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"state": "HALF_OPEN"}, "half-open"),
        ({"state": "half-open"}, "half-open"),
        ({"state": " Open"}, "open"),
        ({"state": "healthy"}, "?"),
        ({"healthy": True}, "?"),
        ({"state": None}, "?"),
        ("open", "?"),
        (None, "?"),
    ],
)
def test_a_breakers_state_is_one_of_three_words_or_not_known(said, state):
    assert state_of(said) == state
