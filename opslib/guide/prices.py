"""What language models cost: ``prices.tsv``, USD per million tokens, each price with its first day and its source.

A model that is not in the table has no price: its cost is unknown, never 0. Change a price by a row of its own with
the day on which it begins; rows of before keep what was paid then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

MILLION = Decimal(1_000_000)
COLUMNS = ("provider", "model", "since", "input", "output", "source")


@dataclass(frozen=True)
class Price:
    """A model's price from ``since`` on: USD per million tokens that are asked (``input``) and answered."""

    provider: str
    model: str
    since: date
    input: Decimal
    output: Decimal
    source: str

    def of(self, prompt: int, completion: int) -> Decimal:
        """Return what so many tokens cost, in USD."""
        return (self.input * prompt + self.output * completion) / MILLION


@cache
def prices() -> tuple[Price, ...]:
    """Return every price, as the table has them."""
    lines = files("opslib.guide").joinpath("prices.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines[1:])
    return tuple(
        Price(provider, model, date.fromisoformat(since), Decimal(asked), Decimal(answered), source)
        for provider, model, since, asked, answered, source in rows
    )


def price(provider: str, model: str, day: date) -> Price | None:
    """Return the price that holds on ``day``; None where the table has none for that model or that day."""
    held = [one for one in prices() if (one.provider, one.model) == (provider, model) and one.since <= day]
    return max(held, key=lambda one: one.since, default=None)
