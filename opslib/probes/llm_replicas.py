"""What an outage of a provider looks like from each side: every replica's breakers, who serves now, and what it costs.

A breaker is one replica's, in its memory. Each look is one question of the loose tier to each replica, counted for the
user who only looks; the answer that is asked for is the administrator's, so neither takes the other's budget.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opslib.errors import Unreachable
from opslib.guide.prices import price
from opslib.model import Probe, now
from opslib.probes.costs import own
from opslib.probes.database_asking import source_of
from opslib.probes.llm_answers import columns
from opslib.probes.questions import question
from opslib.systems.gateway import PROVIDERS, state_of
from opslib.systems.gateway_user import CHAT, MODEL, TOKENS, Served
from opslib.systems.target import PlanTarget, ReadTarget

FIRST, SPARE = "together_ai", "openai"
INSTEAD = {"gpt-4": "meta-llama/Llama-3-70b-chat-hf", "gpt-3.5-turbo": "meta-llama/Llama-3-8b-chat-hf"}
"""Which model of the first provider each of the fallback's stands for, by the product's own table.

Mixtral leads to gpt-4 as well, and models that the table does not name to gpt-3.5-turbo; rows do not say.
"""
TRIAL = {FIRST: MODEL, SPARE: "gpt-3.5-turbo"}
"""Which model answers a trial, by who serves it."""
PROMPT_TOKENS = 60
"""More than the prompt of a trial has."""


def breakers(target: ReadTarget) -> list[dict[str, Any]]:
    """Return a row per replica and breaker; one that cannot be asked has the state ``?`` and says why."""
    rows: list[dict[str, Any]] = []
    every = target.replicas.all()
    for replica in every:
        why, told = "", None
        try:
            told = target.replicas.gateway(replica).health()
        except Unreachable as error:
            why = str(error)
        rows += [
            {
                "replica": replica.name,
                "provider": provider,
                "state": "?" if told is None else state_of(told.data.get(name)),
                "replicas": len(every),
                "left": None if told is None else told.left,
                "why": why,
            }
            for name, provider in PROVIDERS.items()
        ]
    return rows


replicas = Probe("llm-replicas", "The breakers of each replica", breakers, source="GET /api/llm/health of each replica")
"""A row per replica and breaker: state (``?``: not known), how many replicas there are, why one was not asked."""


def cost_of(served: Served) -> float | None:
    """Return what an answer cost by our prices, in USD; None without a price, or without tokens."""
    held = price(served.provider, served.model, now().date())
    if held is None or served.prompt is None or served.completion is None:
        return None
    return float(held.of(served.prompt, served.completion))


def most_of_one(provider: str) -> float | None:
    """Return what one answer for a trial costs at most, in USD, where ``provider`` gives it."""
    held = price(provider, TRIAL[provider], now().date())
    return None if held is None else float(held.of(PROMPT_TOKENS, TOKENS))


def _answer(target: PlanTarget) -> list[dict[str, Any]]:
    blank = dict.fromkeys(("provider", "model", "cached", "seconds", "usd", "times"))
    try:
        served = target.administrator.ask()
    except Unreachable as error:
        return [{**blank, "kind": error.kind, "why": str(error)}]
    usd, first = cost_of(served), cost_of(replace(served, provider=FIRST, model=MODEL))
    return [
        {
            "provider": served.provider,
            "model": served.model,
            "cached": served.cached,
            "seconds": round(served.seconds, 3),
            "usd": usd,
            "times": round(usd / first, 1) if usd and first else None,
            "kind": "",
            "why": "",
        }
    ]


answer = Probe(
    "llm-service-answer",
    "Who answers a prompt never asked before",
    _answer,
    source=f"POST {CHAT} {{prompt, model, maxTokens: {TOKENS}}}, with token, session and CSRF of an administrator",
    units={"seconds": "s"},
    by_executor=True,
)
"""One row: who served, cached or not, its cost, and how many times the first provider's price; or the kind of refusal.

It is paid for, and a call like any user's: where the first provider is out, it counts in the breaker that it meets.
"""


def _asking_costs(target: ReadTarget) -> list[dict[str, Any]]:
    del target
    return [{"served by": name, "model": model, "usd_at_most": most_of_one(name)} for name, model in TRIAL.items()]


asking_costs = Probe(
    "llm-service-answer-costs",
    "What an answer of the service costs at most, by who gives it",
    _asking_costs,
    source="opslib/guide/prices.tsv",
)


def _fallback_cost(target: ReadTarget) -> list[dict[str, Any]]:
    columns(target, "provider", "model", "prompt_tokens", "completion_tokens")
    rows = []
    for row in target.database.ask(question("costs/hours"), {"hours": [0]}):
        if row["provider"] != SPARE:
            continue
        first = INSTEAD.get(row["model"])
        usd = own(row)
        instead = None if first is None else own({**row, "provider": FIRST, "model": first})
        rows.append(
            {
                "model": row["model"],
                "answers": row["answers"],
                "usd": None if usd is None else round(float(usd), 6),
                "instead": first,
                "instead_usd": None if instead is None else round(float(instead), 6),
                "times": round(float(usd / instead), 1) if usd and instead else None,
            }
        )
    return rows


fallback_cost = Probe(
    "llm-fallback-cost",
    "What the fallback cost in the last hour, and what the same tokens cost at the first provider",
    _fallback_cost,
    source=source_of(question("costs/hours")),
)
"""A row per model of the fallback that answered; ``usd`` None where it has no price. No row: it answered nobody."""


def served_since(target: ReadTarget, seconds: float) -> dict[str, int]:
    """Return how many users each provider answered in the last ``seconds``; raises OpsError."""
    columns(target, "provider")
    found = target.database.ask(question("llm/answers"), {"seconds": seconds})
    return {row["provider"]: row["answers"] for row in found}
