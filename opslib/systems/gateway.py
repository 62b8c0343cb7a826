"""The product's LLM gateway, asked by GET: its breakers and its counters, as one replica tells them.

Source: the product's LLM router (``/api/llm/health``, ``/api/llm/stats``). Three tiers of its rate limits share one
counter per user and minute, so each question here also costs chat and reset: what is left is told with each answer,
and nothing is asked where nothing is left. A 401 says nothing of the route: the shipped server asks for a user first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from opslib.errors import Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.web import Reader
from opslib.systems.web_exchange import Answer

SECONDS = 10.0
PROVIDERS = {"togetherAI": "together_ai", "openAI": "openai"}
"""What the router calls each provider, and what rows of usage call it."""
STATES = ("closed", "half-open", "open")
Route = Literal["health", "stats"]

_KINDS: dict[int, tuple[str, str, str]] = {
    401: ("unauthorized", "wants a user", "Set OPS_READ_APPLICATION_TOKEN, or renew it; of the route it says nothing."),
    403: ("forbidden", "does not let this user look", "Give the user of OPS_READ_APPLICATION_TOKEN the right to look."),
    404: ("missing", "has no such route", "The deployment serves another part of the product; that is no fault."),
    405: ("missing", "has no such route", "The deployment serves another part of the product; that is no fault."),
    426: ("rejected", "speaks another version of its API", "Look at the version that the deployment serves."),
}


@dataclass(frozen=True)
class Told:
    """An answer of the router: its status, its data, and how many requests this user has left in the minute."""

    status: int
    data: Mapping[str, Any]
    left: int | None
    limit: int | None


class ReadOnlyGateway:
    """The router at the application's address, or at ``base``, one replica's own. Close with :meth:`close`."""

    def __init__(self, settings: ReadSettings, base: str | None = None) -> None:
        self._base, self._token = base or settings.application_url, settings.read_application_token
        self._reader = Reader()
        self._shut_until = 0.0

    def health(self) -> Told:
        """Return both breakers' states, whatever the status (503: one is open). Raises Unreachable."""
        return self._asked("health", (200, 503))

    def stats(self) -> Told:
        """Return the counters of the breakers and the cache. Raises Unreachable."""
        return self._asked("stats", (200,))

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()

    def _asked(self, route: Route, good: tuple[int, ...]) -> Told:
        if self._base is None:
            raise Unreachable("The application's address is not in the target description.", "Set VITE_API_BASE_URL.")
        where = f"{self._base.rstrip('/')}/api/llm/{route}"
        if (wait := self._shut_until - time.monotonic()) > 0:
            raise _limited(where, f"nothing left of this minute; again in {wait:.0f} s")
        headers: dict[str, str | Secret] = {"accept": "application/json"}
        if self._token is not None:
            headers["authorization"] = Secret(f"Bearer {self._token.reveal()}")
        answer = self._reader.get(where, deadline=SECONDS, headers=headers)
        left, limit = (_whole(answer.headers.get(f"x-ratelimit-{name}")) for name in ("remaining", "limit"))
        if answer.status == 429:
            wait = _whole(answer.headers.get("retry-after")) or 60
            self._shut_until = time.monotonic() + wait
            raise _limited(where, f"429; again in {wait} s")
        data = _data(answer)
        if answer.status not in good or data is None:
            raise _otherwise(where, answer)
        if left == 0:
            self._shut_until = time.monotonic() + 60
        return Told(answer.status, data, left, limit)


def state_of(one: Any) -> str:
    """Return a breaker's state as the router writes it (``half-open``), or ``?`` for another word.

    Other breakers of the product write ``half_open`` and ``HALF_OPEN``; "healthy" is not a state.
    """
    word = one.get("state") if isinstance(one, Mapping) else None
    said = word.strip().lower().replace("_", "-") if isinstance(word, str) else ""
    return said if said in STATES else "?"


def _data(answer: Answer) -> dict[str, Any] | None:
    try:
        said = json.loads(answer.text)
    except ValueError:
        return None
    data = said.get("data") if isinstance(said, dict) else None
    return data if isinstance(data, dict) and any(name in data for name in PROVIDERS) else None


def _otherwise(where: str, answer: Answer) -> Unreachable:
    if answer.status in _KINDS:
        kind, said, next_step = _KINDS[answer.status]
    elif answer.status >= 500:
        kind, said, next_step = "broken", "fails, and not in the router's words", "See diagnostics/application."
    else:
        kind, said, next_step = "malformed", "does not answer as the router does", "See what stands before it."
    return Unreachable(f"GET {where} {said} ({answer.status}).", next_step, kind)


def _limited(where: str, detail: str) -> Unreachable:
    said = f"GET {where} is over the product's own rate limit ({detail})."
    return Unreachable(said, "Wait that long: each question counts against chat and reset of the same user.", "limited")


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None
