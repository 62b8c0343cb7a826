"""The routes below ``/api/llm``: the product's checks in the product's order, then the gateway."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.application_cache import Cache
from opslib.lab.application_front import FrontState
from opslib.lab.application_gateway import Gateway, NoPod, NoProvider, Question
from opslib.lab.application_limits import HOUR, PER_HOUR, MinuteLimit, Nonces, Verdict, hourly
from opslib.lab.application_options import Options
from opslib.lab.application_sessions import Session, Sessions

CLOCK_SKEW_SECONDS = 120
UNSAFE = re.compile(r"ignore (?:all |the )?previous instructions|reveal your system prompt|<script", re.IGNORECASE)
"""A small stand-in of the product's prompt screening."""


class LlmRoutes:
    """Chat, health, stats and reset."""

    def __init__(
        self,
        options: Options,
        gateway: Gateway,
        cache: Cache,
        minute: MinuteLimit,
        sessions: Sessions,
        front: FrontState,
    ) -> None:
        self._token, self._gateway, self._cache = options.service_token, gateway, cache
        self._minute, self._sessions, self._front = minute, sessions, front
        self._nonces = Nonces(2 * CLOCK_SKEW_SECONDS)

    def routes(self) -> list[Route]:
        """Return the four routes."""
        return [
            Route("/api/llm/chat", self.chat, methods=["POST"]),
            Route("/api/llm/health", self.health),
            Route("/api/llm/stats", self.stats),
            Route("/api/llm/reset", self.reset, methods=["POST"]),
        ]

    async def chat(self, request: Request) -> Response:
        """Answer a prompt; any of seven checks may refuse before."""
        user: Session = request.state.user
        if refused := self._identity(request):
            return refused
        limit = self._minute.take(client_key(request), "strict")
        refused = _too_many(limit) or self._csrf(request) or self._session(request) or _consent(user, request)
        refused = refused or await self._hourly(user)
        answer = refused or await self._answer(request, user)
        answer.headers.update(limit.headers)
        return answer

    async def health(self, request: Request) -> Response:
        """Both breakers; 503 when one is open, whatever the fallback does."""
        if refused := self._identity(request):
            return refused
        limit = self._minute.take(client_key(request), "loose")
        states = self._gateway.health()
        fine = all(state["healthy"] for state in states.values())
        shown = JSONResponse({"success": fine, "data": states}, 200 if fine else 503)
        answer = _too_many(limit) or shown
        answer.headers.update(limit.headers)
        return answer

    async def stats(self, request: Request) -> Response:
        """The gateway's counters."""
        if refused := self._identity(request):
            return refused
        limit = self._minute.take(client_key(request), "loose")
        answer = _too_many(limit) or JSONResponse({"success": True, "data": self._gateway.stats()})
        answer.headers.update(limit.headers)
        return answer

    async def reset(self, request: Request) -> Response:
        """Close both breakers; for administrators."""
        if refused := self._identity(request):
            return refused
        limit = self._minute.take(client_key(request), "strict")
        answer = _too_many(limit) or self._csrf(request) or self._session(request) or self._close(request.state.user)
        answer.headers.update(limit.headers)
        return answer

    def _close(self, user: Session) -> Response:
        if user.role != "admin":
            return _refuse(403, "Forbidden", "Admin access required")
        self._gateway.reset()
        return JSONResponse({"success": True, "message": "Circuit breakers reset successfully"})

    def _identity(self, request: Request) -> Response | None:
        if not self._token:
            return None
        given, nonce = request.headers.get("x-service-identity", ""), request.headers.get("x-request-nonce", "")
        if given != self._token:
            return _refuse(401, "Service identity verification failed")
        try:
            skew = abs(time.time() - float(request.headers.get("x-request-timestamp", "")) / 1000)
        except ValueError:
            skew = float("inf")
        if not skew <= CLOCK_SKEW_SECONDS:
            return _refuse(401, "Request timestamp invalid or expired")
        if not nonce:
            return _refuse(401, "Request nonce required")
        return None if self._nonces.first(nonce) else _refuse(401, "Replay detected")

    def _csrf(self, request: Request) -> Response | None:
        header, cookie = request.headers.get("x-csrf-token"), request.cookies.get("csrf_token")
        return None if header and header == cookie else _refuse(403, "CSRF validation failed")

    def _session(self, request: Request) -> Response | None:
        refusal = self._sessions.refusal(request.cookies.get("session", ""))
        return _refuse(*refusal) if refusal else None

    async def _hourly(self, user: Session) -> Response | None:
        if user.role == "admin":
            return None
        verdict = await hourly(self._cache, user.user, user.tier)
        if verdict.allowed:
            return None
        most = PER_HOUR[user.tier]
        body = {
            "error": "Rate limit exceeded",
            "message": f"Limit of the tier {user.tier}: {most} LLM requests per hour.",
            "tier": user.tier,
            "limit": most,
            "windowMs": HOUR * 1000,
            "retryAfter": verdict.retry_after,
        }
        return JSONResponse(body, 429, verdict.headers)

    async def _answer(self, request: Request, user: Session) -> Response:
        try:
            given = json.loads(await request.body() or b"{}")
        except ValueError:
            # Seen in the product: its error handler turns a malformed body into a server error.
            return JSONResponse({"error": "Internal server error"}, 500)
        fault = _fault(given)
        if fault:
            return _refuse(400, "Invalid request", fault)
        options = {"max_tokens": given.get("maxTokens") or 1000, "temperature": given.get("temperature") or 0.7}
        model = (await self._front.now())["model"] or given["model"]
        question = Question(given["prompt"], model, options, user.user, user.organization, request.state.request_id)
        try:
            answer = await self._gateway.ask(question)
        except NoPod as error:
            return _refuse(503, "Service Unavailable", str(error))
        except NoProvider as error:
            return _refuse(500, "LLM request failed", str(error))
        return JSONResponse({"success": True, "data": answer.shown()})


def client_key(request: Request) -> str:
    """Return whose requests are counted together: a user's, else a tenant's from one address, else an address's."""
    user: Session | None = getattr(request.state, "user", None)
    tenant = (user.organization if user else None) or request.headers.get("x-tenant-id")
    address = request.client.host if request.client else "unknown"
    client = f"user:{user.user}" if user else f"ip:{address}"
    return f"tenant:{tenant}:{client}" if tenant else client


def _too_many(limit: Verdict) -> Response | None:
    if limit.allowed:
        return None
    message = "Too many requests. Please try again later."
    return JSONResponse({"error": "Too Many Requests", "message": message, "retryAfter": limit.retry_after}, 429)


def _consent(user: Session, request: Request) -> Response | None:
    if user.consent:
        return None
    tenant = request.headers.get("x-tenant-id") or "default"
    return _refuse(403, "Forbidden", f'Consent for scope "llm.chat" is not granted for tenant {tenant}')


def _fault(given: object) -> str | None:
    fields = given if isinstance(given, Mapping) else {}
    for name in ("prompt", "model"):
        if not fields.get(name) or not isinstance(fields[name], str):
            return f"{name.capitalize()} is required and must be a string"
    return "Prompt rejected due to unsafe content" if UNSAFE.search(fields["prompt"]) else None


def _refuse(status: int, error: str, message: str | None = None) -> Response:
    return JSONResponse({"error": error, "message": message} if message else {"error": error}, status)
