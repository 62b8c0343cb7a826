"""Stand-ins of Together.ai and OpenAI that speak their documented model list and chat, with faults to inject.

One application serves both, below ``/together`` and ``/openai``, and ``/_lab/faults`` to break and mend
them. Shapes: together.ai and OpenAI API references (model list: Together's is a bare array).
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

PROVIDERS = ("together", "openai")
FAULTS = ("503", "429", "slow", "cut", "401", "none")
LOOPBACK_NAMES = ("127.0.0.1", "localhost")
LOOPBACK = Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK_NAMES))
"""Only requests that were addressed to loopback: a web page's re-bound name gets no answer."""

TOGETHER_MODELS = (
    "meta-llama/Llama-3-70b-chat-hf",
    "meta-llama/Llama-3-8b-chat-hf",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo",
)
TOGETHER_PRICES = dict(zip(TOGETHER_MODELS, (0.9, 0.2, 0.6, 0.88, 3.5), strict=True))
OPENAI_MODELS = ("gpt-4", "gpt-3.5-turbo")
MODELS = {"together": TOGETHER_MODELS, "openai": OPENAI_MODELS}
CREATED = 1_713_398_400
THINKING_SECONDS = 0.02

REFUSALS = {
    "401": (401, "Invalid API key provided.", "invalid_request_error", "invalid_api_key"),
    "429": (429, "Rate limit reached for requests.", "rate_limit_error", "rate_limit_exceeded"),
    "503": (503, "The server is currently overloaded. Please try again later.", "server_error", "overloaded"),
}


class Faults:
    """The fault that each provider has now, and how long ``slow`` takes (seconds)."""

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._now: dict[str, tuple[str, float]] = {}
        self.clear()

    def set(self, provider: str, fault: str, seconds: float | None = None) -> None:
        """Break or mend one provider; raises ValueError with what is allowed."""
        if provider not in PROVIDERS:
            raise ValueError(f"provider must be one of: {', '.join(PROVIDERS)}")
        if fault not in FAULTS:
            raise ValueError(f"fault must be one of: {', '.join(FAULTS)}")
        self._now[provider] = (fault, self._slow if seconds is None else seconds)

    def clear(self) -> None:
        """Mend both."""
        self._now = dict.fromkeys(PROVIDERS, ("none", self._slow))

    def of(self, provider: str) -> tuple[str, float]:
        """Return (fault, seconds) of one provider."""
        return self._now[provider]

    def shown(self) -> dict[str, dict[str, object]]:
        """Return all faults as JSON-ready values."""
        return {name: {"fault": fault, "seconds": seconds} for name, (fault, seconds) in self._now.items()}


class Cut(Response):
    """An answer that promises more than it brings, after which the server drops the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and a first piece, and no end."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})


def providers_application(faults: Faults) -> Starlette:
    """Return the application of both stand-ins."""
    routes = [Route("/_lab/faults", control(faults), methods=["GET", "POST", "DELETE"])]
    for provider in PROVIDERS:
        routes.append(Route(f"/{provider}/v1/models", _Endpoint(provider, faults).models))
        routes.append(Route(f"/{provider}/v1/chat/completions", _Endpoint(provider, faults).chat, methods=["POST"]))
    return Starlette(routes=routes, middleware=[LOOPBACK])


def control(faults: Faults) -> Any:
    """Return the endpoint ``/_lab/faults``: GET shows, POST sets one, DELETE clears all."""

    async def endpoint(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
        elif request.method == "POST":
            try:
                given = json.loads(await request.body())
                seconds = given.get("seconds")
                faults.set(given.get("provider"), str(given.get("fault")), None if seconds is None else float(seconds))
            except (ValueError, TypeError, AttributeError) as error:
                return JSONResponse({"error": "Invalid request", "message": str(error)}, 400)
        return JSONResponse({"faults": faults.shown()})

    return endpoint


class _Endpoint:
    def __init__(self, provider: str, faults: Faults) -> None:
        self._provider, self._faults = provider, faults

    async def models(self, request: Request) -> Response:
        return await self._broken(request) or models(self._provider)

    async def chat(self, request: Request) -> Response:
        return await self._broken(request) or await chat(self._provider, await request.body())

    async def _broken(self, request: Request) -> Response | None:
        fault, seconds = self._faults.of(self._provider)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            fault = "401"
        if fault == "cut":
            return Cut()
        if fault == "slow":
            await asyncio.sleep(seconds)
        return refuse(*REFUSALS[fault]) if fault in REFUSALS else None


def models(provider: str, prices: Mapping[str, float] | None = None) -> Response:
    """Return the list of models as the provider has it; ``prices``, by model, are other than Together.ai's usual."""
    if provider == "together":
        told = TOGETHER_PRICES | dict(prices or {})
        return JSONResponse([_together_model(name, told[name]) for name in TOGETHER_MODELS])
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "openai"} for name in OPENAI_MODELS]
    return JSONResponse({"object": "list", "data": data})


async def chat(provider: str, body: bytes) -> Response:
    """Return the answer to a chat, whole or as a stream; an error in the provider's form for what it does not take."""
    try:
        given = json.loads(body)
        model, prompt = given["model"], given["messages"][-1]["content"]
        most = int(given.get("max_completion_tokens") or given.get("max_tokens") or 1000)
    except (ValueError, KeyError, IndexError, TypeError):
        return refuse(400, "model and messages are required.", "invalid_request_error", None)
    if model not in MODELS[provider]:
        return refuse(404, f"The model {model!r} does not exist.", "invalid_request_error", "model_not_found")
    await asyncio.sleep(THINKING_SECONDS)
    words = f"The lab's {provider} stand-in read {len(str(prompt))} characters.".split()[:most]
    usage = _usage(max(1, len(str(prompt)) // 4), len(words))
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
    if given.get("stream"):
        with_usage = provider == "together" or bool((given.get("stream_options") or {}).get("include_usage"))
        stream = _stream(head, words, usage, with_usage, own_chunk=provider == "openai")
        return StreamingResponse(stream, media_type="text/event-stream")
    said = {"role": "assistant", "content": " ".join(words)} | ({"refusal": None} if provider == "openai" else {})
    choice = {"index": 0, "message": said, "finish_reason": "length" if len(words) == most else "stop"}
    choice |= {"logprobs": None} if provider == "openai" else {}
    head |= {"prompt": []} if provider == "together" else {}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def refuse(status: int, message: str, kind: str, code: str | None) -> Response:
    """Return an error in the providers' form."""
    headers = {"Retry-After": "1"} if status in (429, 503) else None
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, headers)


def _together_model(name: str, price: float) -> dict[str, object]:
    pricing = {"hourly": 0, "input": price, "output": price, "base": 0, "finetune": 0}
    shown = {"display_name": name.partition("/")[2], "context_length": 8192, "pricing": pricing}
    return {"id": name, "object": "model", "created": CREATED, "type": "chat", **shown}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def _stream(
    head: dict[str, object], words: list[str], usage: dict[str, int], with_usage: bool, *, own_chunk: bool
) -> AsyncIterator[str]:
    head = {**head, "object": "chat.completion.chunk"}
    for index, word in enumerate(words):
        last = index == len(words) - 1
        delta = {"role": "assistant", "content": word} if index == 0 else {"content": f" {word}"}
        chunk = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop" if last else None}]}
        if with_usage:
            chunk["usage"] = usage if last and not own_chunk else None
        yield f"data: {json.dumps(chunk)}\n\n"
        await asyncio.sleep(THINKING_SECONDS / 10)
    if with_usage and own_chunk:
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"
