"""Faults of cost: an hour that is too dear, one that is dearer than usual, and answers stored at another's price."""

from __future__ import annotations

from opslib.lab.broken import Fault, providers
from opslib.model import Verdict

GPT = "gpt-4"
MODEL = "meta-llama/Llama-3-70b-chat-hf"
PROVIDERS = {GPT: "openai", MODEL: "together_ai"}
WHO = "whether so much was meant to be asked, and whose limit it is, people decide"
CODE = "the product's own table of prices is wrong, and its team's"
HOUR = 3300.0
"""Seconds within which all answers were given."""


def _answered(
    name: str, title: str, check: str, model: str, many: int, tokens: tuple[int, int], cost: float, person: str = ""
) -> Fault:
    worst = Verdict.CRITICAL if check == "costs-hour" else Verdict.WARNING
    one = {"provider": PROVIDERS[model], "model": model, "prompt": tokens[0], "completion": tokens[1], "cost": cost}
    rows = [{**one, "latency": 900, "age": 20 + HOUR * number / many} for number in range(many)]
    return Fault(
        name=name,
        area="costs",
        title=title,
        check=check,
        notebook="" if person else "disaster/recover-llm",
        make=lambda settings: providers.put_usage(settings, name, rows),
        mend=lambda settings: providers.remove_usage(settings, name),
        verdict=worst,
        person=person,
    )


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="price-raised",
        area="costs",
        title="Together.ai asks twice as much for a model",
        check="costs-prices",
        notebook="",
        make=lambda settings: providers.set_prices(settings, {MODEL: 1.8}),
        mend=lambda settings: providers.set_prices(settings, {}),
        verdict=Verdict.WARNING,
        person="a price is a row of this program's own table, which somebody reviews",
    ),
    _answered("cost-jump", "The last hour cost 72 USD", "costs-hour", GPT, 80, (20_000, 5_000), 0.9),
    # By the first provider: what the fallback costs is explained by its serving at all.
    _answered(
        "cost-growth", "Many times the usual was asked", "costs-baseline", MODEL, 2_400, (400, 200), 0.00054, WHO
    ),
    _answered(
        "mispriced", "Together.ai's answers are stored too cheap", "costs-stored", MODEL, 80, (400, 200), 0.0002, CODE
    ),
)
