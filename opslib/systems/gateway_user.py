"""The product's LLM router as an administrator uses it: an answer to a prompt never asked before, and breakers closed.

Source: the product's LLM router (``/api/llm/chat``, ``/api/llm/reset``). Both want a bearer token, a session cookie and
a CSRF token (double submit: a header that equals a cookie); the guide's calls lack them, and chat a model. Both are of
the strict tier, five in a minute for each user and replica, all routes together; a chat of an administrator is not
counted in the hour. What one answer costs is bounded by :data:`TOKENS` and :data:`MOST`.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.errors import Refused, SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings import Settings
from opslib.systems.api_errors import wait_of
from opslib.systems.web import Asker, Writer
from opslib.systems.web_exchange import Answer

CHAT, RESET = "/api/llm/chat", "/api/llm/reset"
MODEL = "meta-llama/Llama-3-8b-chat-hf"
"""The cheapest model that the product itself asks for; its fallback is gpt-3.5-turbo."""
TOKENS = 16
PROMPT = "This is a test of the service, number {nonce}. Answer with the numbers from one to ten in words."
CHAT_SECONDS = 65.0
"""The product waits 30 s for each of two providers."""
RESET_SECONDS = 15.0
MOST = 40
"""Answers that one run may ask for: a few for each replica."""

_asked: Counter[str] = Counter()

_KINDS: dict[int, tuple[str, str, str]] = {
    401: ("unauthorized", "does not know the token, or the session", "Sign in anew, and set both (OPS_APPLICATION_…)."),
    440: ("unauthorized", "says that the session is over", "Sign in anew: set OPS_APPLICATION_ADMIN_SESSION."),
    403: ("forbidden", "refuses this user", "It wants an administrator, who has consented to chats."),
    404: (
        "missing",
        "has no such route",
        "The deployment serves another part of the product; restart its pods instead.",
    ),
    405: (
        "missing",
        "has no such route",
        "The deployment serves another part of the product; restart its pods instead.",
    ),
    400: ("rejected", "does not take this request", "Compare the router's version with the runbook's."),
    426: ("rejected", "speaks another version of its API", "Look at the version that the deployment serves."),
}


class Limited(Unreachable):
    """Over the product's own limit; ``wait`` is how many seconds it asks to wait."""

    def __init__(self, where: str, wait: float) -> None:
        super().__init__(
            f"POST {where} is over the rate limit: again in {wait:.0f} s.", "Wait, then resume.", "limited"
        )
        self.wait = wait


@dataclass(frozen=True)
class Served:
    """An answer: ``provider`` is ``together_ai``, ``openai`` or ``cache``, as the router names who served."""

    provider: str
    model: str
    cached: bool
    seconds: float
    prompt: int | None
    completion: int | None


class AskingAdministrator:
    """One question at a time, sent once; the administrator's credentials go nowhere else."""

    def __init__(self, settings: Settings, run: str) -> None:
        self._settings, self._run = settings, run

    @property
    def described(self) -> bool:
        """Whether the description has an administrator's token and session."""
        return self._settings.admin_token is not None and self._settings.admin_session is not None

    def ask(self, base: str | None = None) -> Served:
        """Return who answers a prompt never asked before, at ``base`` or the application's own address.

        Raises Unreachable where nobody does (``down``: the router says that no provider answers), Limited, Refused
        after :data:`MOST` questions of one run, and SettingsError without an administrator.
        """
        _asked[self._run] += 1
        if _asked[self._run] > MOST:
            raise Refused(f"This run has asked for {MOST} answers.", "Begin another run.")
        where = self._where(base, CHAT)
        body = {"prompt": PROMPT.format(nonce=uuid.uuid4().hex), "model": MODEL, "maxTokens": TOKENS}
        headers, asker = self._headers(), Asker()
        try:
            answer = asker.post(
                where, json.dumps(body).encode(), "application/json", deadline=CHAT_SECONDS, headers=headers
            )
        finally:
            asker.close()
        if answer.status == 500 and "providers unavailable" in answer.text:
            raise Unreachable(f"POST {where}: no provider answers (500).", "Look at both providers.", "down")
        return _served(where, answer, _read(where, answer))

    def close(self) -> None:
        """Nothing stays open between two questions."""

    def _where(self, base: str | None, path: str) -> str:
        base = base or self._settings.application_url
        if base is None:
            raise SettingsError("The application's address is not in the target description.", "Set VITE_API_BASE_URL.")
        return f"{base.rstrip('/')}{path}"

    def _headers(self) -> dict[str, str | Secret]:
        token, session = self._settings.admin_token, self._settings.admin_session
        if token is None or session is None:
            raise SettingsError(
                "No administrator of the product is in the target description.",
                "Sign in as one, and set OPS_APPLICATION_ADMIN_TOKEN and OPS_APPLICATION_ADMIN_SESSION.",
            )
        csrf = secrets.token_urlsafe(24)
        cookies = f"{self._settings.session_cookie}={session.reveal()}; csrf_token={csrf}"
        return {
            "authorization": Secret(f"Bearer {token.reveal()}"),
            "cookie": Secret(cookies),
            "x-csrf-token": csrf,
            # By this the product's audit log names the request, and so whose it was.
            "x-request-id": f"opslib-{self._run}-{uuid.uuid4().hex[:12]}",
            "accept": "application/json",
        }


class Administrator(AskingAdministrator):
    """Also closes the breakers of one replica."""

    def reset(self, base: str) -> None:
        """Close both breakers of the replica at ``base``; raises Unreachable, Limited, SettingsError.

        A lost reply leaves open whether they were closed: the replica's health says it.
        """
        where, writer = self._where(base, RESET), Writer()
        try:
            answer = writer.send("POST", where, deadline=RESET_SECONDS, headers=self._headers())
        finally:
            writer.close()
        _read(where, answer)


def _read(where: str, answer: Answer) -> Mapping[str, Any]:
    if answer.status == 429:
        raise Limited(where, wait_of(answer, 7))
    if answer.status in _KINDS:
        kind, said, next_step = _KINDS[answer.status]
        raise Unreachable(f"POST {where} {said} ({answer.status}).", next_step, kind)
    try:
        said_ = json.loads(answer.text)
    except ValueError:
        said_ = None
    if answer.status >= 500:
        raise Unreachable(f"POST {where} fails ({answer.status}).", "See diagnostics/application.", "broken")
    if answer.status != 200 or not isinstance(said_, dict) or said_.get("success") is not True:
        said = f"POST {where} does not answer as the router does ({answer.status})."
        raise Unreachable(said, "See what stands before it.", "malformed")
    return said_


def _served(where: str, answer: Answer, said: Mapping[str, Any]) -> Served:
    data = said.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("provider"), str) or not data.get("content"):
        raise Unreachable(f"POST {where} answers without saying who did.", "Look at the router.", "malformed")
    usage = data.get("usage")
    told = usage if isinstance(usage, dict) else {}
    prompt, completion = (_whole(told.get(name)) for name in ("promptTokens", "completionTokens"))
    cached = data.get("cached") is not False or data["provider"] == "cache"
    return Served(data["provider"], str(data.get("model", "")), cached, answer.seconds, prompt, completion)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
