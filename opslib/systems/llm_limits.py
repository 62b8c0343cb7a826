"""What a provider's own limits have left: told in the headers of an answer, so one question of one token is asked.

Sources: OpenAI, "Rate limits" (x-ratelimit-limit-requests, …-remaining-requests, the same of tokens); Together.ai,
"Rate limits" (x-ratelimit-limit, x-ratelimit-remaining, x-tokenlimit-limit, x-tokenlimit-remaining, by the second).
Limits are a model's: that of the product is asked, not the cheapest. A list of models tells no limits, and costs none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from opslib.errors import Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.api_errors import fault
from opslib.systems.llm_keys import Provider, ReadOnlyKeys, vendor
from opslib.systems.llm_words import SECONDS, spend
from opslib.systems.web import Asker

What = Literal["requests", "tokens"]
HEADERS: Mapping[str, tuple[tuple[What, str, str], ...]] = {
    "openai": (
        ("requests", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
        ("tokens", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"),
    ),
    "together": (
        ("requests", "x-ratelimit-limit", "x-ratelimit-remaining"),
        ("tokens", "x-tokenlimit-limit", "x-tokenlimit-remaining"),
    ),
}
"""By provider: what is limited, and the headers that tell the limit and what is left of it."""
PROMPT = "1"


@dataclass(frozen=True)
class Limit:
    """A limit, and what was left of it just after the question, which took ``own`` of it itself."""

    what: What
    limit: float
    left: float
    own: float

    @property
    def percent(self) -> float:
        """Percent that were left before the question was asked."""
        return 100 * min(self.limit, max(0.0, self.left + self.own)) / self.limit


@dataclass(frozen=True)
class Headroom:
    """What one answer told of the limits of a model; ``refused`` are the provider's words where it said 429."""

    model: str
    limits: tuple[Limit, ...]
    refused: str = ""


@dataclass(frozen=True)
class Limits:
    """The providers, each asked with the key that is handed in."""

    settings: ReadSettings = field(repr=False)
    run: str

    def of(self, provider: Provider, key: Secret, models: Sequence[str]) -> Headroom:
        """Ask the first of ``models`` that the key may use for one token; returns what the answer's headers tell.

        Raises Unreachable where the provider does not answer or does not take the key, and Refused where the run has
        asked for enough (:data:`opslib.systems.llm_words.MOST`).
        """
        spend(self.run)
        offered = ReadOnlyKeys(self.settings).models(provider, key)
        model = next((one for one in models if one in offered), None)
        if model is None:
            raise Unreachable(f"The key may use none of {', '.join(models)}.", "Look at its project.", "missing")
        body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 1}
        where = f"{provider.base(self.settings).rstrip('/')}/chat/completions"
        asker = Asker()
        try:
            headers = {"authorization": Secret(f"Bearer {key.reveal()}")}
            answer = asker.post(where, json.dumps(body).encode(), "application/json", deadline=SECONDS, headers=headers)
        finally:
            asker.close()
        error = fault(vendor(provider), f"POST {where}", answer)
        if error is not None and error.kind != "limited":
            raise error
        # A question that was refused took nothing.
        asked: dict[What, float] = {"requests": 1.0, "tokens": _tokens(answer.text)}
        own = {what: 0.0 if error else number for what, number in asked.items()}
        return Headroom(model, told(provider.name, answer.headers, own), error.message if error else "")


def told(provider: str, headers: Mapping[str, str], own: Mapping[What, float]) -> tuple[Limit, ...]:
    """Return the limits that an answer's headers tell; one without a sensible limit and rest is left out."""
    found = []
    for what, limit_name, left_name in HEADERS[provider]:
        limit, left = _number(headers.get(limit_name)), _number(headers.get(left_name))
        if limit and left is not None and left <= limit:
            found.append(Limit(what, limit, left, own[what]))
    return tuple(found)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _tokens(text: str) -> float:
    try:
        return float(json.loads(text)["usage"]["total_tokens"])
    except (ValueError, KeyError, TypeError):
        return 0.0
