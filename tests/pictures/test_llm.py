"""Lanes of the providers: each figure is said in words too, and hostile words stay words."""

from opslib.pictures.llm import lanes
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
