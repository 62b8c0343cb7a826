from datetime import date
from decimal import Decimal
from importlib.resources import files

import pytest

from opslib.guide.prices import COLUMNS, price, prices
from opslib.lab.application_gateway import OPENAI_PRICES, TOGETHER_PRICES


def test_every_price_has_a_first_day_a_source_and_stands_there_once():
    head = files("opslib.guide").joinpath("prices.tsv").read_text().splitlines()[0]
    assert tuple(head.split("\t")) == COLUMNS
    days = [(one.provider, one.model, one.since) for one in prices()]
    assert len(set(days)) == len(days)
    for one in prices():
        assert one.source
        assert 0 < one.input <= one.output
        assert one.since <= date(2026, 11, 29)


@pytest.mark.parametrize(
    ("provider", "table"), [("together_ai", TOGETHER_PRICES), ("openai", OPENAI_PRICES)], ids=["together", "openai"]
)
def test_what_the_product_knows_the_table_has_at_the_same_price(provider, table):
    for model, (asked, answered) in table.items():
        one = price(provider, model, date(2026, 1, 1))
        assert one is not None
        assert (float(one.input), float(one.output)) == (asked, answered)


def test_tokens_that_are_asked_and_answered_cost_their_own_price():
    one = price("openai", "gpt-4", date(2026, 1, 1))
    assert one is not None
    assert one.of(1000, 500) == Decimal("0.06")


def test_a_model_that_is_not_in_the_table_and_a_day_before_its_price_have_none():
    assert price("openai", "gpt-9", date(2026, 1, 1)) is None
    assert price("together_ai", "gpt-4", date(2026, 1, 1)) is None
    assert price("openai", "gpt-4", date(2020, 1, 1)) is None
