"""Every replica's breakers, who answers, what the fallback costs: nothing is green that nobody showed."""

import pytest

from opslib.checks import llm as checks
from opslib.checks.llm_replicas import judge_replicas
from opslib.model import Judgement, Verdict
from tests.llm import reading

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def rows(*replicas):
    """Return the rows of replicas, each given as the states of its two breakers."""
    return [
        {"replica": f"api-{number}", "provider": of, "state": state, "why": "refused" if state == "?" else ""}
        for number, states in enumerate(replicas)
        for of, state in zip(("together_ai", "openai"), states, strict=True)
    ]


@pytest.mark.parametrize(
    ("replicas", "verdict", "words"),
    [
        ([("closed", "closed")] * 2, OK, "on all 2 replicas"),
        ([("closed", "closed"), ("open", "closed")], WARNING, "1 of 2 replicas: api-1: Together.ai open"),
        ([("half-open", "closed"), ("closed", "closed")], WARNING, "Together.ai half-open"),
        ([("closed", "open"), ("closed", "closed")], WARNING, "OpenAI open"),
        ([("closed", "closed"), ("open", "open")], CRITICAL, "No breaker is closed on api-1"),
        ([("closed", "closed"), ("open", "half-open")], CRITICAL, "api-1"),
        ([("closed", "closed"), ("?", "?")], UNKNOWN, "1 of 2 replicas were reached; api-1 not: refused"),
        ([("closed", "closed"), ("?", "closed")], UNKNOWN, "api-1"),
        ([("open", "closed"), ("?", "?")], UNKNOWN, "Of the others: api-0: Together.ai open"),
        ([("open", "open"), ("?", "?")], CRITICAL, "1 of 2 replicas were reached"),
        ([("?", "?")], UNKNOWN, "0 of 1"),
    ],
)
def test_a_green_replica_says_nothing_of_its_neighbour(replicas, verdict, words):
    said = judge_replicas(rows(*replicas))
    assert said.verdict is verdict, said.summary
    assert words in said.summary


def asked(**said):
    blank = dict.fromkeys(("provider", "model", "cached", "seconds", "usd", "times", "kind", "why"))
    return blank | {"model": "gpt-3.5-turbo", "cached": False, "kind": "", "why": ""} | said


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        (asked(provider="openai", usd=0.000025, times=3.4), OK, "The fallback works: OpenAI (gpt-3.5-turbo)"),
        (asked(provider="openai", usd=0.000025, times=3.4), OK, "3.4 times Together.ai's price"),
        (asked(provider="openai"), OK, "no price is known"),
        (asked(provider="together_ai", usd=0.000007), OK, "the fallback is idle"),
        (asked(provider="openai", cached=True), UNKNOWN, "from its cache"),
        (asked(provider="somebody"), UNKNOWN, "known words"),
        (asked(kind="down", why="no provider answers"), CRITICAL, "no provider answers"),
        (asked(kind="broken", why="502"), CRITICAL, "502"),
        (asked(kind="unauthorized", why="440"), UNKNOWN, "440"),
        (asked(kind="limited", why="again in 37 s"), UNKNOWN, "37 s"),
        (asked(kind="malformed", why="no router"), UNKNOWN, "no router"),
        (asked(kind="slow", why="no whole answer"), UNKNOWN, "no whole answer"),
    ],
)
def test_an_answer_of_the_service_is_judged_by_who_gave_it(row, verdict, words):
    said = checks.service_answer(ask=True).judge(reading(row))
    assert said.verdict is verdict
    assert words in said.summary


def user(provider, answers=3, age=5.0):
    return {"provider": provider, "answers": answers, "newest_age": age}


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        ([user("openai")], OK, "OpenAI answered 3."),
        ([user("together_ai"), user("openai", age=200.0)], OK, "Together.ai answered 3, OpenAI answered 3"),
        ([user("together_ai")], OK, "not proven by this"),
        # An answer of before the outage is none of now.
        ([user("together_ai", age=61.0)], UNKNOWN, "of now that says nothing"),
        ([user("somebody")], UNKNOWN, "nobody has seen"),
        ([], UNKNOWN, "nobody has seen"),
    ],
)
def test_users_answers_count_as_long_as_they_are_of_now(found, verdict, words):
    said = checks.service_answer(minutes=5).judge(reading(*found))
    assert said.verdict is verdict
    assert words in said.summary


def cost(usd, instead, model="gpt-4"):
    return {"model": model, "answers": 30, "usd": usd, "instead": "a model", "instead_usd": instead, "times": 42.0}


@pytest.mark.parametrize(
    ("found", "verdict", "value"),
    [
        ([], OK, 0),
        ([cost(4.2, 0.1)], OK, 4.1),
        ([cost(10.2, 0.1)], WARNING, 10.1),
        ([cost(40.2, 0.1), cost(20.2, 0.1)], CRITICAL, 60.2),
        ([cost(4.2, 0.1), cost(None, None, "gpt-9")], UNKNOWN, None),
        ([cost(4.2, None)], UNKNOWN, None),
    ],
)
def test_what_the_fallback_costs_more_is_held_against_the_hours_limits(found, verdict, value):
    said = checks.fallback_cost().judge(reading(*found))
    assert (said.verdict, said.value) == (verdict, None if value is None else pytest.approx(value))


def seen(*replicas):
    return reading(*rows(*replicas))


WELL, SHUT, UNSEEN = (seen((state, "closed"), ("closed", "closed")) for state in ("closed", "open", "?"))


@pytest.mark.parametrize(
    ("samples", "last", "verdict"),
    [
        ([WELL], False, None),
        ([WELL, WELL], True, OK),
        ([WELL, SHUT], False, WARNING),
        ([seen(("open", "open"))], False, CRITICAL),
        ([UNSEEN], False, None),
        ([UNSEEN, WELL], True, UNKNOWN),
        ([reading(unknown="no route"), WELL], True, UNKNOWN),
        ([WELL, reading(unknown="no route")], False, None),
    ],
)
def test_a_breaker_that_opens_again_ends_the_watch_and_a_look_that_missed_is_no_green(samples, last, verdict):
    said = checks.stay_closed().decide(samples, last)
    assert (said.verdict if isinstance(said, Judgement) else None) is verdict
