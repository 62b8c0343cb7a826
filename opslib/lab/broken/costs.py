"""Faults of cost: an hour that is too dear, one that is dearer than usual, and answers stored at another's price."""

from __future__ import annotations

from opslib.lab.broken import Fault, providers
from opslib.model import Verdict

GPT = "gpt-4"
MODEL = "meta-llama/Llama-3-70b-chat-hf"
STEP = 40
"""Seconds between two answers: all of them within the last hour."""


def _answered(name: str, title: str, check: str, many: int, tokens: tuple[int, int], cost: float) -> Fault:
    worst = Verdict.CRITICAL if check == "costs-hour" else Verdict.WARNING
    one = {"provider": "openai", "model": GPT, "prompt": tokens[0], "completion": tokens[1], "cost": cost}
    rows = [{**one, "latency": 900, "age": 20 + STEP * number} for number in range(many)]
    return Fault(
        name=name,
        area="costs",
        title=title,
        check=check,
        notebook="",
        make=lambda settings: providers.put_usage(settings, name, rows),
        mend=lambda settings: providers.remove_usage(settings, name),
        verdict=worst,
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
    ),
    _answered("cost-jump", "The last hour cost 72 USD", "costs-hour", 80, (20_000, 5_000), 0.9),
    _answered("cost-growth", "The last hour cost many times the usual", "costs-baseline", 10, (8_000, 1_000), 0.3),
    _answered("mispriced", "OpenAI's answers are stored too cheap", "costs-stored", 20, (500, 300), 0.0008),
)
