"""The application's Valkey: cached answers and the hourly counters; an outage is an exception of one kind.

The one module of the stand-in that imports redis.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import redis.asyncio as redis_async
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from opslib.errors import Unreachable

PREFIX = "llm:cache:"
SECONDS = 2.0


def answer_key(prompt: str, model: str) -> str:
    """Return ``llm:cache:<model>:<16 hex>``; case and outer blanks of the prompt make no difference."""
    content = json.dumps([prompt.strip().lower(), model])
    return f"{PREFIX}{model}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


class Cache:
    """Every method but ``close`` raises Unreachable when the server can't be asked, or isn't configured."""

    def __init__(self, url: str, *, ttl: float) -> None:
        self._ttl = max(int(ttl), 1)
        self._client = (
            redis_async.Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=SECONDS,
                socket_connect_timeout=SECONDS,
                max_connections=16,
                retry=Retry(NoBackoff(), 0),
                client_name="valuecanvas-api",
            )
            if url
            else None
        )

    @property
    def configured(self) -> bool:
        """Whether an address was given."""
        return self._client is not None

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._do("PING")

    async def answer(self, prompt: str, model: str) -> dict[str, Any] | None:
        """Return the cached answer and count the hit in it, or None; a hit starts the lifetime anew."""
        key = answer_key(prompt, model)
        found = await self._do("GET", key)
        if not found:
            return None
        entry: dict[str, Any] = json.loads(found)
        entry["hitCount"] = int(entry.get("hitCount", 0)) + 1
        await self._do("SET", key, json.dumps(entry), "EX", self._ttl)
        return entry

    async def keep(self, prompt: str, model: str, content: str, tokens: tuple[int, int], cost: float) -> None:
        """Cache an answer with its (prompt, completion) tokens and its cost in USD."""
        entry = {
            "response": content,
            "model": model,
            "promptTokens": tokens[0],
            "completionTokens": tokens[1],
            "cost": cost,
            "cachedAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "hitCount": 0,
        }
        await self._do("SET", answer_key(prompt, model), json.dumps(entry), "EX", self._ttl)

    async def count(self, key: str, seconds: int) -> tuple[int, int]:
        """Add one to ``key``, which lives ``seconds`` from its first count; return (count, seconds left)."""
        counted = int(await self._do("INCR", key))
        if counted == 1:
            await self._do("EXPIRE", key, seconds)
        left = int(await self._do("TTL", key))
        if left < 0:
            await self._do("EXPIRE", key, seconds)
        return counted, left if left > 0 else seconds

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _do(self, *command: object) -> Any:
        if self._client is None:
            raise Unreachable("REDIS_URL is not set.")
        try:
            answer: Any = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
            return answer
        except (RedisError, OSError) as error:
            raise Unreachable((str(error) or type(error).__name__).splitlines()[0]) from error
