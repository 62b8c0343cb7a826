"""The keys that a provider of language models knows: by the SHA-256 of their values, which stand nowhere here.

When a key was last used is kept beside the state: a look with it does not change what people decided.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from opslib.lab.providers import chat, models, refuse

Key = dict[str, Any]
_HIDDEN = re.compile(r"^(.{6}).*(.{4})$")


def kept(value: str, **said: Any) -> Key:
    """Return what a provider keeps of a key."""
    return {"digest": digest(value), "redacted": _HIDDEN.sub(r"\1...\2", value), **said}


def digest(value: str) -> str:
    """Return the SHA-256 of a value, in hexadecimal digits."""
    return hashlib.sha256(value.encode()).hexdigest()


class Keys:
    """The keys in ``state["keys"]``, by id, and when each was used last."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self.used: dict[str, int] = {}

    def of(self, request: Request) -> str | None:
        """Return the id of the key that a request carries, and note its use; None for one that is not known."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        mine = digest(value.strip())
        found = next((name for name, key in self._state["keys"].items() if key["digest"] == mine), None)
        if found is not None:
            self.used[found] = int(time.time())
        return found


def unknown(request: Request) -> Response:
    """Return what a provider says to a key that it does not know; as the real ones do, it repeats a part of it."""
    value = request.headers.get("authorization", "").partition(" ")[2]
    return refuse(401, f"Incorrect API key provided: {value[:8]}***.", "invalid_request_error", "invalid_api_key")


LIMITS = {
    "openai": {
        "x-ratelimit-limit-requests": 10_000,
        "x-ratelimit-remaining-requests": 9_870,
        "x-ratelimit-limit-tokens": 300_000,
        "x-ratelimit-remaining-tokens": 291_000,
    },
    "together": {
        "x-ratelimit-limit": 10,
        "x-ratelimit-remaining": 9,
        "x-tokenlimit-limit": 30_000,
        "x-tokenlimit-remaining": 29_800,
    },
}
"""What the answers to chats tell of the account's limits, by provider; those to a list of models tell nothing."""


async def answered(provider: str, request: Request, state: Mapping[str, Any]) -> Response:
    """Return the list of models or the answer to a chat.

    ``state`` may have ``prices`` by model that are not the usual ones, and headers of the ``limits`` that are not.
    """
    if request.method == "GET":
        return models(provider, state.get("prices"))
    answer = await chat(provider, await request.body())
    for name, value in {**LIMITS[provider], **state.get("limits", {})}.items():
        if value is not None:
            answer.headers[name] = str(value)
    return answer
