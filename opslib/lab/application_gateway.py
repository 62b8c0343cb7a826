"""The LLM gateway: cache, then Together.ai, then OpenAI, each provider behind its own breaker.

The one module of the stand-in that imports httpx. Model map and prices (USD per million tokens, input and
output) are the product's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from opslib.errors import Unreachable
from opslib.lab.application_breaker import Breaker
from opslib.lab.application_cache import Cache
from opslib.lab.application_keys import Keys
from opslib.lab.application_options import Options
from opslib.lab.application_store import Store

TOGETHER_PRICES = {
    "meta-llama/Llama-3-70b-chat-hf": (0.90, 0.90),
    "meta-llama/Llama-3-8b-chat-hf": (0.20, 0.20),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": (0.60, 0.60),
}
TOGETHER_DEFAULT = (1.00, 1.00)
OPENAI_PRICES = {"gpt-4": (30.0, 60.0), "gpt-3.5-turbo": (0.5, 1.5)}
FALLBACK_MODELS = {
    "meta-llama/Llama-3-70b-chat-hf": "gpt-4",
    "meta-llama/Llama-3-8b-chat-hf": "gpt-3.5-turbo",
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "gpt-4",
}
FALLBACK_DEFAULT = "gpt-3.5-turbo"
NO_PROVIDER = "All LLM providers unavailable. Please try again later."

log = logging.getLogger("application.gateway")


class NoPod(Exception):
    """There is no pod that could have asked anybody."""


class NoProvider(Exception):
    """Neither provider answered."""


@dataclass(frozen=True)
class Question:
    """One chat request, and who asks."""

    prompt: str
    model: str
    options: Mapping[str, object]
    user: str
    organization: str | None
    request_id: str


@dataclass(frozen=True)
class Answer:
    """One answer: ``provider`` is ``together_ai``, ``openai`` or ``cache``; cost in USD, latency in ms."""

    content: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    latency: int
    cached: bool = False

    def shown(self) -> dict[str, object]:
        """Return the answer as the interface shows it."""
        total = self.prompt_tokens + self.completion_tokens
        usage = {"promptTokens": self.prompt_tokens, "completionTokens": self.completion_tokens, "totalTokens": total}
        names = ("content", "provider", "model", "cost", "latency", "cached")
        return {**{name: getattr(self, name) for name in names}, "usage": usage}


class Gateway:
    """Breakers, fallback and counters of one process."""

    def __init__(self, options: Options, store: Store, cache: Cache) -> None:
        times = options.times
        self._options, self._store, self._cache = options, store, cache
        self.keys = Keys(options)
        self._client = httpx.AsyncClient(timeout=times.upstream, trust_env=False)
        self.breakers = {
            name: Breaker(said, call=times.call, window=times.window, half_open=times.half_open)
            for name, said in (("togetherAI", "together-ai"), ("openAI", "openai"))
        }
        self._totals = {name: {"calls": 0, "failures": 0} for name in self.breakers}
        self._cached = {"hits": 0, "misses": 0}

    async def ask(self, question: Question) -> Answer:
        """Return an answer from the cache or the first provider that gives one; raises NoProvider, or NoPod.

        Pods that are not there ask no provider: no breaker learns anything from that.
        """
        if await self.keys.nobody():
            raise NoPod("no pod takes traffic")
        if (found := await self._from_cache(question)) is not None:
            self._cached["hits"] += 1
            return found
        self._cached["misses"] += 1
        try:
            return await self.breakers["togetherAI"].fire(lambda: self._together(question))
        except Exception as error:
            log.warning("Together.ai failed, OpenAI is asked instead: %s", _said(error))
        try:
            return await self.breakers["openAI"].fire(lambda: self._openai(question))
        except Exception as error:
            log.error("OpenAI failed as well: %s", _said(error))
            raise NoProvider(NO_PROVIDER) from error

    def reset(self) -> None:
        """Close both breakers."""
        for breaker in self.breakers.values():
            breaker.close()

    def health(self) -> dict[str, dict[str, object]]:
        """Return both breakers' states; a half-open one counts as healthy."""
        states = {name: breaker.state for name, breaker in self.breakers.items()}
        return {name: {"healthy": state != "open", "state": state} for name, state in states.items()}

    def stats(self) -> dict[str, object]:
        """Return the windows' figures; ``calls`` and ``failures`` count since the start, ``fallbacks`` stays 0."""
        figures = {name: {**breaker.stats(), **self._totals[name]} for name, breaker in self.breakers.items()}
        return {**figures, "cache": dict(self._cached)}

    async def look(self, provider: str) -> tuple[int, str, float]:
        """Ask ``togetherAI`` or ``openAI`` for its models; returns (status, body, ms); raises Unreachable."""
        key = await self.keys.of(provider)
        return await self._looked(f"{self._address(provider)}/v1/models", {"Authorization": f"Bearer {key}"})

    async def sessions(self, key: str) -> tuple[int, str, float]:
        """Ask the Supabase project for a row of the agents' sessions with ``key``; as :meth:`look`."""
        url = f"{self._options.supabase_url}/rest/v1/agent_sessions?select=*&limit=1"
        return await self._looked(url, {"apikey": key})

    async def _looked(self, url: str, headers: dict[str, str]) -> tuple[int, str, float]:
        started = time.monotonic()
        try:
            answer = await self._client.get(url, headers=headers, timeout=self._options.times.look)
        except httpx.HTTPError as error:
            raise Unreachable(_said(error)) from error
        return answer.status_code, answer.text, (time.monotonic() - started) * 1000

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()
        await self.keys.close()

    async def _from_cache(self, question: Question) -> Answer | None:
        try:
            entry = await self._cache.answer(question.prompt, question.model)
            if entry is None:
                return None
            tokens = int(entry["promptTokens"]), int(entry["completionTokens"])
            return Answer(str(entry["response"]), "cache", str(entry["model"]), *tokens, 0.0, 0, cached=True)
        except (Unreachable, KeyError, ValueError, TypeError) as error:
            log.warning("the cache could not be read: %s", _said(error))
            return None

    async def _together(self, question: Question) -> Answer:
        answer = await self._call("togetherAI", question, question.model)
        prices = TOGETHER_PRICES.get(question.model, TOGETHER_DEFAULT)
        answer = replace(answer, provider="together_ai", cost=_cost(answer, prices))
        await self._record(answer, question)
        await self._quietly(
            self._cache.keep,
            question.prompt,
            question.model,
            answer.content,
            (answer.prompt_tokens, answer.completion_tokens),
            answer.cost,
        )
        return answer

    async def _openai(self, question: Question) -> Answer:
        # Answers of the fallback are not cached, as in the product.
        model = FALLBACK_MODELS.get(question.model, FALLBACK_DEFAULT)
        answer = await self._call("openAI", question, model)
        answer = replace(answer, provider="openai", cost=_cost(answer, OPENAI_PRICES[model]))
        await self._record(answer, question)
        return answer

    async def _call(self, provider: str, question: Question, model: str) -> Answer:
        url = self._address(provider)
        self._totals[provider]["calls"] += 1
        body = {"model": model, "messages": [{"role": "user", "content": question.prompt}], **question.options}
        started = time.monotonic()
        try:
            key = await self.keys.of(provider)
            if not key:
                raise Unreachable(f"{provider}: no API key is configured.")
            response = await self._client.post(
                f"{url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}
            )
            response.raise_for_status()
            given: dict[str, Any] = response.json()
            content, usage = str(given["choices"][0]["message"]["content"]), given["usage"]
            tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        except BaseException:
            self._totals[provider]["failures"] += 1
            raise
        return Answer(content, provider, model, *tokens, 0.0, round((time.monotonic() - started) * 1000))

    async def _record(self, answer: Answer, question: Question) -> None:
        values = {
            "user": question.user,
            "organization": question.organization,
            "provider": answer.provider,
            "model": answer.model,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
            "cost": answer.cost,
            "latency_ms": answer.latency,
        }
        await self._quietly(
            self._store.add_usage, values, {"endpoint": "/api/llm/chat", "request_id": question.request_id}
        )

    async def _quietly(self, write: Callable[..., Awaitable[None]], *values: object) -> None:
        # An answer that was paid for is given even when it can be neither counted nor cached.
        try:
            await write(*values)
        except Unreachable as error:
            log.error("an answer was not recorded: %s", error)

    def _address(self, provider: str) -> str:
        return self._options.together_url if provider == "togetherAI" else self._options.openai_url


def _cost(answer: Answer, prices: tuple[float, float]) -> float:
    return round((answer.prompt_tokens * prices[0] + answer.completion_tokens * prices[1]) / 1_000_000, 10)


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
