"""The application's health in the three shapes that are documented; every look is a real one.

``router`` is the product's health router, ``billing`` the shipped server, which checks nothing, ``legacy``
their predecessor with ``/healthz`` and ``/ready``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psutil
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.errors import Unreachable
from opslib.lab.application_cache import Cache
from opslib.lab.application_gateway import Gateway
from opslib.lab.application_options import Options
from opslib.lab.application_store import Store

SLOW_PROVIDER_MS = 2000
SLOW_SUPABASE_MS = 1000
CRITICAL = ("database", "supabase", "togetherAI")

Dependency = dict[str, object]


def now() -> str:
    """Return the time as JavaScript writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Health:
    """Looks at the dependencies, and the routes that show what was seen."""

    def __init__(self, options: Options, store: Store, cache: Cache, gateway: Gateway) -> None:
        self._options, self._store, self._cache, self._gateway = options, store, cache, gateway
        self._started = time.monotonic()

    def routes(self) -> list[Route]:
        """Return the routes of the shape that the options choose; the others do not exist then."""
        shapes: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {
            "router": {
                "/health": self.health,
                "/health/ready": self.ready,
                "/health/live": self.live,
                "/health/startup": self.startup,
                "/health/dependencies": self.dependencies,
            },
            "billing": {"/health": self.static},
            "legacy": {"/healthz": self.legacy_live, "/ready": self.legacy_ready},
        }
        return [Route(path, endpoint) for path, endpoint in shapes[self._options.health_shape].items()]

    async def health(self, request: Request) -> Response:
        """Everything: 200 healthy or degraded, 503 unhealthy; Redis and OpenAI do not decide."""
        seen = await self._all()
        critical = {seen[name]["status"] for name in CRITICAL}
        status = next((s for s in ("unhealthy", "degraded") if s in critical), "healthy")
        body = {
            "status": status,
            "timestamp": now(),
            "version": self._options.version,
            "uptime": self._uptime(),
            "dependencies": seen,
            "metrics": _process(),
        }
        return JSONResponse(body, 503 if status == "unhealthy" else 200)

    async def ready(self, request: Request) -> Response:
        """503 when the database or Together.ai can't be reached, though the fallback may serve."""
        database, together = await asyncio.gather(self._database(), self._provider("togetherAI"))
        is_ready = "unhealthy" not in (database["status"], together["status"])
        seen = {"database": database, "togetherAI": together}
        body = {"status": "ready" if is_ready else "not_ready", "timestamp": now(), "dependencies": seen}
        return JSONResponse(body, 200 if is_ready else 503)

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "alive", "timestamp": now()})

    async def startup(self, request: Request) -> Response:
        """503 in the first seconds."""
        uptime = self._uptime()
        started = uptime > self._options.times.startup
        body = {"status": "started" if started else "starting", "uptime": uptime, "timestamp": now()}
        return JSONResponse(body, 200 if started else 503)

    async def dependencies(self, request: Request) -> Response:
        """All five, always 200."""
        return JSONResponse({"timestamp": now(), "dependencies": await self._all()})

    async def static(self, request: Request) -> Response:
        """The shipped server's answer: it looks at nothing."""
        return JSONResponse({"status": "ok", "service": "billing-api"})

    async def legacy_live(self, request: Request) -> Response:
        """The predecessor's liveness."""
        return JSONResponse({"status": "ok", "timestamp": now(), "environment": self._options.environment})

    async def legacy_ready(self, request: Request) -> Response:
        """The predecessor's readiness: 503 with an error when a ping fails, with reasons when one is not set."""
        configured = {"database": bool(self._options.database_url), "redis": self._cache.configured}
        if not all(configured.values()):
            shown = {name: "connected" if is_set else "not configured" for name, is_set in configured.items()}
            return JSONResponse({"status": "not ready", **shown, "timestamp": now()}, 503)
        try:
            await asyncio.gather(self._store.fetch("SELECT 1"), self._cache.ping())
        except Unreachable as error:
            return JSONResponse({"status": "not ready", "error": error.message}, 503)
        body = {"status": "ready", "database": "connected", "redis": "connected", "timestamp": now()}
        return JSONResponse(body)

    async def _all(self) -> dict[str, Dependency]:
        names = ("database", "supabase", "togetherAI", "openAI", "redis")
        seen = await asyncio.gather(
            self._database(), self._supabase(), self._provider("togetherAI"), self._provider("openAI"), self._redis()
        )
        return dict(zip(names, seen, strict=True))

    async def _database(self) -> Dependency:
        return await _look("Database", lambda: self._store.fetch("SELECT pg_backend_pid()"))

    async def _supabase(self) -> Dependency:
        found = await _look("Supabase", self._sessions)
        latency = found["latency"]
        if found["status"] == "healthy" and isinstance(latency, int) and latency >= SLOW_SUPABASE_MS:
            found["status"] = "degraded"
        return found

    async def _sessions(self) -> None:
        """Read a row of the agents' sessions: through the REST interface, or where it is, without project or key."""
        key = await self._gateway.keys.of("supabase") if self._options.supabase_url else ""
        if not key:
            await self._store.fetch("SELECT id FROM public.agent_sessions LIMIT 1")
            return
        status, body, _ = await self._gateway.sessions(key)
        if status != 200:
            raise Unreachable(f"{status} {body[:200]}")

    async def _redis(self) -> Dependency:
        if not self._cache.configured:
            return _missing("Redis not configured")
        return await _look("Redis", self._cache.ping)

    async def _provider(self, provider: str) -> Dependency:
        name = "Together.ai" if provider == "togetherAI" else "OpenAI"
        started = time.monotonic()
        try:
            if not await self._gateway.keys.of(provider):
                return _missing(f"{name} API key not configured")
            status, body, latency = await self._gateway.look(provider)
        except Unreachable as error:
            return _dependency("unhealthy", started, f"{name} API unreachable: {error.message}")
        if status != 200:
            detail = f" - {body[:500]}" if provider == "togetherAI" else ""
            return _dependency("unhealthy", started, f"{name} API error: {status}{detail}")
        if provider == "togetherAI" and latency >= SLOW_PROVIDER_MS:
            return _dependency("degraded", started, f"{name} API slow")
        return _dependency("healthy", started, f"{name} API responding normally")

    def _uptime(self) -> float:
        return round(time.monotonic() - self._started, 3)


async def _look(name: str, action: Callable[[], Awaitable[object]]) -> Dependency:
    started = time.monotonic()
    try:
        await action()
    except Unreachable as error:
        return _dependency("unhealthy", started, f"{name} unreachable: {error.message}")
    return _dependency("healthy", started, f"{name} responding normally")


def _dependency(status: str, started: float, message: str) -> Dependency:
    latency = round((time.monotonic() - started) * 1000)
    return {"status": status, "latency": latency, "message": message, "lastChecked": now()}


def _missing(message: str) -> Dependency:
    return {"status": "not_configured", "message": message, "lastChecked": now()}


def _process() -> dict[str, object]:
    times = os.times()
    cpu = {"user": round(times.user * 1e6), "system": round(times.system * 1e6)}
    return {"memoryUsage": {"rss": psutil.Process().memory_info().rss}, "cpuUsage": cpu}
