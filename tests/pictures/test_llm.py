"""Lanes of the providers: each figure is said in words too, and hostile words stay words."""

import pytest

from opslib.pictures.llm import apart, lanes
from tests.llm import reading

BREAKERS = reading({"provider": "together_ai", "state": "open"}, {"provider": "openai", "state": "closed"})


def step(provider, number, answers=4, p50=400, p95=900):
    return {"provider": provider, "step": number, "answers": answers, "p50_ms": p50, "p95_ms": p95}


def test_each_provider_has_its_breaker_its_answers_and_its_share():
    drawn = lanes(BREAKERS, reading(step("together_ai", 0, 1), step("openai", 0, 3, p95=12_000), step("openai", 5)))
    assert drawn.alternative == (
        "Together.ai: breaker open, 1 answers (12%), the slowest step's P95 900 ms; "
        "OpenAI: breaker closed, 7 answers (88%), the slowest step's P95 12.0 s."
    )
    for words in ("breaker open", "3 answers, half within 400 ms, 95 % within 12.0 s", "75% served", "target 5 s"):
        assert words in drawn.svg


def test_nobody_served_and_no_time_known_are_drawn_as_nothing():
    drawn = lanes(BREAKERS, reading())
    assert "OpenAI: breaker closed, 0 answers" in drawn.alternative
    assert "1 answers" in lanes(BREAKERS, reading(step("openai", 0, 1, None, None))).alternative


def test_what_was_not_read_is_said():
    assert lanes(BREAKERS, reading(unknown="no route")).alternative == "Unknown: no route"
    drawn = lanes(reading(unknown="401"), reading(step("openai", 0)))
    assert "OpenAI: breaker not known" in drawn.alternative


def test_a_providers_name_from_a_row_stays_text():
    drawn = lanes(BREAKERS, reading(step("<script>alert(1)</script>\x1b[2J", 3)))
    assert "<script" not in drawn.svg
    assert "\x1b" not in drawn.svg + drawn.alternative
    assert "alert(1)" in drawn.svg


WELL = reading({"provider": "together_ai", "first_ms": 30, "whole_ms": 60, "why": ""})
OUT = reading({"provider": "together_ai", "first_ms": None, "whole_ms": None, "why": "503, overloaded"})
SPARE = reading({"provider": "openai", "answers": 4, "newest_age": 90.0})
NOBODY = reading({"provider": "together_ai", "answers": 0, "newest_age": None})
BY_OPENAI = reading({"provider": "openai", "kind": "", "why": "", "cached": False, "model": "gpt-4"})
BY_TOGETHER = reading({"provider": "together_ai", "answers": 3, "newest_age": 4.0})
DOWN = reading({"provider": None, "kind": "down", "why": "no provider answers", "cached": None, "model": None})
STALE = reading({"provider": "together_ai", "answers": 3, "newest_age": 400.0})


def breakers_of(*states):
    return reading(
        *(
            {"replica": f"api/{number}", "provider": of, "state": state if of == "together_ai" else "closed", "why": ""}
            for number, state in enumerate(states)
            for of in ("together_ai", "openai")
        )
    )


@pytest.mark.parametrize(
    ("together", "replicas", "service", "means"),
    [
        (OUT, breakers_of("open", "open"), BY_OPENAI, "The provider is out and the fallback serves"),
        (OUT, breakers_of("open", "open"), DOWN, "nobody has seen the fallback serve"),
        (WELL, breakers_of("closed", "open"), BY_OPENAI, "1 of 2 replicas keep it out"),
        (WELL, breakers_of("half-open", "?"), STALE, "1 of 2 replicas keep it out"),
        (WELL, breakers_of("closed", "?"), BY_TOGETHER, "a replica that nobody could ask"),
        (WELL, reading(unknown="no cluster"), BY_TOGETHER, "a replica that nobody could ask"),
        (WELL, breakers_of("closed"), BY_OPENAI, "and yet the fallback serves"),
        (WELL, breakers_of("closed"), BY_TOGETHER, "no breaker keeps it out."),
        (NOBODY, breakers_of("open"), BY_OPENAI, "nobody has asked"),
        (SPARE, breakers_of("closed"), STALE, "nobody has asked"),
        (reading(unknown="no vault"), breakers_of("closed"), reading(unknown="no table"), "nobody has asked"),
    ],
)
def test_provider_breaker_and_service_are_drawn_apart_with_what_they_mean_together(together, replicas, service, means):
    drawn = apart(together, SPARE, replicas, service)
    assert means in drawn.alternative
    assert means in drawn.svg


def test_what_is_not_known_is_drawn_so_and_a_word_from_outside_stays_text():
    hostile = "<script>alert(1)</script>\x1b[2J"
    refused = reading({"provider": "together_ai", "first_ms": None, "whole_ms": None, "why": hostile})
    drawn = apart(refused, reading(unknown=hostile), reading(unknown=hostile), DOWN)
    assert "OpenAI not known; served by: nobody" in drawn.alternative
    assert "<script" not in drawn.svg
    assert "\x1b" not in drawn.svg + drawn.alternative
