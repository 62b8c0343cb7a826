"""Cost by the hour: each figure is said in words too, and what has no price is said to lack."""

from opslib.pictures.costs import hours
from tests.llm import reading


def row(ago, usd, provider="together_ai", stored=None, unpriced=0):
    return {"ago": ago, "provider": provider, "usd": usd, "stored_usd": stored, "answers": 4, "unpriced": unpriced}


def test_hours_are_bars_by_provider_against_the_limits():
    drawn = hours(reading(row(0, 20.0), row(0, 35.0, "openai", 1.0), row(5, 1.0)))
    assert drawn.alternative == (
        "56.00 USD in 2 hours with answers; most in one: 55 USD, 0 h ago; target 10, alert 50 USD."
    )
    for words in ("target 10 USD", "alert 50 USD", "0 h ago, openai: 35 USD, 4 answers"):
        assert words in drawn.svg
    assert "Beyond the scale" not in drawn.svg


def test_small_amounts_are_drawn_and_the_limits_are_said_to_be_far_off():
    drawn = hours(reading(row(1, 0.02)))
    assert "Beyond the scale: target 10 USD, alert 50 USD" in drawn.svg


def test_what_has_no_price_and_what_was_not_read_are_said():
    assert "7 answers have no price" in hours(reading(row(0, 1.0, unpriced=7))).alternative
    assert hours(reading()).alternative == "Unknown: nobody was answered within 24 h"
    assert hours(reading(unknown="no table")).alternative == "Unknown: no table"


def test_a_providers_name_from_a_row_stays_text():
    drawn = hours(reading(row(2, 1.0, "<script>alert(1)</script>\x1b[2J")))
    assert "<script" not in drawn.svg
    assert "\x1b" not in drawn.svg
