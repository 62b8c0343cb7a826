"""The providers asked with the product's own key, by the executor: do they take it, do they answer, how soon.

The key is the vault's current one and is in no row. Asking for the models costs nothing; a few words cost less than
a tenth of a cent and are asked for only where a notebook's parameter says so.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.guide.prices import price
from opslib.model import Probe, now
from opslib.probes.database_asking import source_of
from opslib.probes.llm_answers import columns
from opslib.probes.questions import question
from opslib.redaction import Secret
from opslib.systems import llm_limits, llm_words
from opslib.systems.gateway import PROVIDERS as NAMES
from opslib.systems.llm_keys import PROVIDERS, Provider
from opslib.systems.target import PlanTarget, ReadTarget
from opslib.systems.vault import CURRENT

USED = {
    "together": (
        "meta-llama/Llama-3-70b-chat-hf",
        "meta-llama/Llama-3-8b-chat-hf",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
    ),
    "openai": ("gpt-4", "gpt-3.5-turbo"),
}
"""Models that the product's code asks for; OpenAI's are those of its fallback."""
PROMPT_TOKENS = 60
"""More than the prompt of a trial has."""


def row_name(provider: Provider) -> str:
    """Return what rows of usage call a provider."""
    return NAMES[provider.dependency]


def _key(target: PlanTarget, provider: Provider) -> tuple[Secret, str]:
    version = target.vault.stage(CURRENT)
    value = version.value(provider.variable) if version else None
    if version is None or value is None:
        raise Unreachable(f"The vault has no {provider.variable}.", "See runbooks/rotate-api-keys.", "missing")
    return value, version.id


def _valid(provider: Provider) -> Probe:
    def read(target: PlanTarget) -> list[dict[str, Any]]:
        value, version = _key(target, provider)
        row: dict[str, Any] = {"key": provider.variable, "version": version, "models": None, "lacking": [], "why": ""}
        try:
            offered = target.llm_keys.models(provider, value)
        except Unreachable as error:
            return [{**row, "state": error.kind, "why": error.message}]
        lacking = [model for model in USED[provider.name] if model not in offered]
        return [{**row, "state": "taken", "models": len(offered), "lacking": lacking}]

    return Probe(
        name=f"llm-key-{provider.name}",
        title=f"Whether {provider.title} takes the product's key",
        read=read,
        source=f"Secrets Manager GetSecretValue · GET models, with {provider.variable} of the vault",
        by_executor=True,
    )


def _words(provider: Provider) -> Probe:
    def read(target: PlanTarget) -> list[dict[str, Any]]:
        value, _ = _key(target, provider)
        blank = {"provider": row_name(provider), "model": "", "first_ms": None, "whole_ms": None}
        try:
            said = llm_words.Words(target.settings, target.run).first(provider, value)
        except Unreachable as error:
            return [{**blank, "tokens": None, "usd": None, "why": str(error)}]
        cost = price(row_name(provider), said.model, now().date())
        known = cost is not None and said.prompt is not None and said.completion is not None
        return [
            {
                **blank,
                "model": said.model,
                "first_ms": round(said.first * 1000),
                "whole_ms": round(said.seconds * 1000),
                "tokens": (said.prompt or 0) + (said.completion or 0) if known else None,
                "usd": float(cost.of(said.prompt or 0, said.completion or 0)) if known and cost else None,
                "why": "",
            }
        ]

    return Probe(
        name=f"llm-words-{provider.name}",
        title=f"A few words of {provider.title}, streamed",
        read=read,
        source=f"POST chat/completions, stream, max_tokens {llm_words.TOKENS}, a prompt never asked before",
        units={"first_ms": "ms", "whole_ms": "ms"},
        by_executor=True,
    )


def _limits(provider: Provider) -> Probe:
    def read(target: PlanTarget) -> list[dict[str, Any]]:
        value, _ = _key(target, provider)
        said = llm_limits.Limits(target.settings, target.run).of(provider, value, USED[provider.name])
        blank = {"provider": row_name(provider), "model": said.model, "refused": said.refused}
        if not said.limits:
            return [{**blank, "what": None, "limit": None, "left": None, "left_percent": None}]
        return [
            {**blank, "what": one.what, "limit": one.limit, "left": one.left, "left_percent": round(one.percent, 1)}
            for one in said.limits
        ]

    return Probe(
        name=f"llm-limits-{provider.name}",
        title=f"What {provider.title}'s limits have left",
        read=read,
        source="POST chat/completions, max_tokens 1, the product's model; the answer's headers",
        by_executor=True,
    )


def last_answer(provider: str, days: float) -> Probe:
    """Return the probe of what a provider answered to users within ``days``; no call is made."""
    name = row_name(PROVIDERS[provider])
    asked = question("llm/answers")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        columns(target, "provider")
        found = {row["provider"]: row for row in target.database.ask(asked, {"seconds": days * 86_400})}
        row = found.get(name, {})
        answers, age = row.get("answers", 0), row.get("newest_age")
        return [{"provider": name, "days": days, "answers": answers, "newest_age": age}]

    title = f"What {PROVIDERS[provider].title} answered to users"
    return Probe(f"llm-last-answer-{provider}", title, read, source_of(asked), {"newest_age": "s"})


def _asking_costs(target: ReadTarget) -> list[dict[str, Any]]:
    del target
    rows = []
    for provider in PROVIDERS.values():
        for model in provider.models:
            one = price(row_name(provider), model, now().date())
            most = None if one is None else float(one.of(PROMPT_TOKENS, llm_words.TOKENS))
            rows.append({"provider": row_name(provider), "model": model, "usd_at_most": most})
    return rows


asking_costs = Probe(
    "llm-asking-costs",
    "What a trial at each provider costs at most, by the model that the key may use",
    _asking_costs,
    source="opslib/guide/prices.tsv",
)
"""A row per model that a trial may use, the first that is offered; without a price where none is known."""

valid = {name: _valid(provider) for name, provider in PROVIDERS.items()}
"""By provider. One row: ``taken`` or the kind of refusal, how many models the key may use, which used ones lack."""

limits = {name: _limits(provider) for name, provider in PROVIDERS.items()}
"""By provider. A row a limit: how much, what was left, percent without the question itself. It is paid for."""

words = {name: _words(provider) for name, provider in PROVIDERS.items()}
"""By provider. One row: the model, ms to the first word and to the end, tokens and cost. It is paid for."""
