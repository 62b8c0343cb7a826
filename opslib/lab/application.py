"""The application's stand-in: ``python -m opslib.lab.application --port N``, on loopback.

It serves the operated system's health, metrics and LLM routes with their documented shapes, states and
status codes; data in PostgreSQL and Valkey, providers at TOGETHER_URL and OPENAI_URL or, where these are
unset, its own stand-ins on a second port. Lab-only: POST ``/_lab/session`` logs in, ``/_lab/faults``
breaks a provider, GET ``/_lab/providers`` shows addresses, GET ``/node-metrics`` the machine's figures.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from opslib.errors import OpsError, Unreachable
from opslib.lab.application_audit import AuditTrail
from opslib.lab.application_cache import Cache
from opslib.lab.application_database import Address
from opslib.lab.application_front import Front, FrontState
from opslib.lab.application_gateway import Gateway
from opslib.lab.application_health import Health, now
from opslib.lab.application_limits import PER_HOUR, MinuteLimit
from opslib.lab.application_llm import LlmRoutes, client_key
from opslib.lab.application_load import Load
from opslib.lab.application_metrics import CONTENT_TYPE, RequestMetrics
from opslib.lab.application_node_metrics import node_metrics
from opslib.lab.application_options import Options, from_environment
from opslib.lab.application_replicas import Balanced
from opslib.lab.application_sessions import ROLES, Sessions
from opslib.lab.application_store import Store
from opslib.lab.application_web import ApiGate, Envelope, broken, not_found
from opslib.lab.production import DOMAIN, RECOVERY_SITE
from opslib.lab.providers import LOOPBACK_NAMES, PROVIDERS, Faults, control, providers_application

LOOPBACK_ADDRESS = "127.0.0.1"
GRACE_SECONDS = 2
CANCELLED_SECONDS = 0.5

log = logging.getLogger("application")


class Application:
    """The parts of one replica, wired together; ``sessions`` are those of all replicas."""

    def __init__(self, options: Options, faults: Faults | None, sessions: Sessions) -> None:
        times = options.times
        self._options, self._faults, self._sessions = options, faults, sessions
        self._store = Store(Address(options), seconds=times.database, size=options.pool_size)
        self._cache = Cache(options.cache_url, ttl=times.cache_ttl)
        self._gateway = Gateway(options, self._store, self._cache)
        self._minute = MinuteLimit(times.rate_window)
        self._metrics, self._audit = RequestMetrics(), AuditTrail(self._store)
        self._front = FrontState(options.origins, self._gateway.keys.every)

    def asgi(self) -> Starlette:
        """Return the web application."""
        health = Health(self._options, self._store, self._cache, self._gateway)
        llm = LlmRoutes(self._options, self._gateway, self._cache, self._minute, self._sessions, self._front)
        routes = [
            *(self._limited(route) for route in health.routes()),
            *llm.routes(),
            Route("/metrics", self._show_metrics),
            Route("/metrics/latency", self._show_latency),
            Route("/node-metrics", self._show_node),
            Route("/_lab/session", self._login, methods=["POST"]),
            Route("/_lab/providers", self._show_providers),
            Route("/_lab/front", self._front.door, methods=["GET", "PUT"]),
            Route("/login", self._front.login),
        ]
        if self._faults is not None:
            routes.append(Route("/_lab/faults", control(self._faults), methods=["GET", "POST", "DELETE"]))
        surroundings = [
            Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK_NAMES, RECOVERY_SITE, f"api.{DOMAIN}"]),
            Middleware(Front, state=self._front),
            Middleware(Envelope, metrics=self._metrics, audit=self._audit),
            Middleware(ApiGate, sessions=self._sessions, open_health=self._options.open_llm_health),
        ]
        handlers = {404: not_found, 405: not_found, Exception: broken}
        return Starlette(routes=routes, middleware=surroundings, exception_handlers=handlers, lifespan=self._life)

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        load = Load(self._store, self._cache, self._options.load_per_second)
        tasks = [asyncio.create_task(load.run()), asyncio.create_task(self._audit.run())]
        try:
            yield
        finally:
            await _ended(tasks)
            for part in (self._gateway, self._cache, self._store):
                await part.close()

    def _limited(self, route: Route) -> Route:
        # The health router counts its callers in the common minute counter; the older shapes do not.
        if self._options.health_shape != "router":
            return route

        async def endpoint(request: Request) -> Response:
            limit = self._minute.take(client_key(request), "loose")
            if not limit.allowed:
                body = {"error": "Too Many Requests", "message": "Too many requests.", "retryAfter": limit.retry_after}
                return JSONResponse(body, 429, limit.headers)
            answer: Response = await route.endpoint(request)
            answer.headers.update(limit.headers)
            return answer

        return Route(route.path, endpoint)

    async def _show_metrics(self, request: Request) -> Response:
        if (await self._front.now())["metrics"] == "none":
            return await not_found(request, LookupError("/metrics"))
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _show_latency(self, request: Request) -> Response:
        return JSONResponse({"routes": self._metrics.latency(), "timestamp": now()})

    async def _show_node(self, request: Request) -> Response:
        try:
            return Response(node_metrics(self._options.disk_path), media_type=CONTENT_TYPE)
        except OSError as error:
            return JSONResponse({"error": "No figures", "message": str(error)}, 503)

    async def _show_providers(self, request: Request) -> Response:
        return JSONResponse({"together": self._options.together_url, "openai": self._options.openai_url})

    async def _login(self, request: Request) -> Response:
        given = request.query_params
        role, tier = given.get("role", "member"), given.get("tier", "pro")
        if role not in ROLES or tier not in PER_HOUR:
            allowed = f"role: {', '.join(ROLES)}; tier: {', '.join(PER_HOUR)}"
            return JSONResponse({"error": "Invalid request", "message": allowed}, 400)
        try:
            members = await self._store.members()
        except Unreachable as error:
            log.warning("a user of no organization logs in: %s", error)
            members = []
        session = self._sessions.login(role, tier, given.get("consent", "yes") != "no", members)
        body = {"token": session.token, "userId": session.user, "organizationId": session.organization}
        answer = JSONResponse({**body, "role": role, "tier": tier, "csrfToken": session.csrf})
        answer.set_cookie("session", session.cookie, httponly=True, samesite="strict")
        answer.set_cookie("csrf_token", session.csrf, samesite="strict")
        return answer


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: a cancellation that comes together with what a driver waits for can be lost in it, as in
    ``asyncio.wait_for`` before Python 3.12 (https://github.com/python/cpython/issues/86296).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCELLED_SECONDS)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: two servers share this process, and it ends by itself with exit code 0."""
        yield


def _replicas(options: Options, faults: Faults | None) -> Balanced:
    times = options.times
    sessions = Sessions(
        idle=times.session_idle,
        absolute=times.session_absolute,
        monitor=options.monitor_token,
        admin=(options.admin_token, options.admin_session),
    )
    # One of them puts the load on; as many more would be another load.
    quiet = [replace(options, load_per_second=0.0)] * (options.replicas - 1)
    return Balanced([Application(one, faults, sessions).asgi() for one in (options, *quiet)])


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="auto", timeout_graceful_shutdown=GRACE_SECONDS
    )
    return _Server(config)


async def serve(options: Options, port: int, provider_port: int) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError when a port is taken."""
    door = socket.create_server((LOOPBACK_ADDRESS, port))
    doors, servers, faults = [[door, *_recovery_site(door.getsockname()[1])]], [], None
    if not (options.together_url and options.openai_url):
        faults = Faults(options.times.slow)
        providers = socket.create_server((LOOPBACK_ADDRESS, provider_port))
        doors.append([providers])
        own = {name: f"http://{LOOPBACK_ADDRESS}:{providers.getsockname()[1]}/{name}" for name in PROVIDERS}
        options = replace(
            options,
            together_url=options.together_url or own["together"],
            openai_url=options.openai_url or own["openai"],
        )
        servers.append(_server(providers_application(faults)))
    servers.insert(0, _server(_replicas(options, faults)))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _stop, servers)
    log.info("http://%s:%d, providers at %s", LOOPBACK_ADDRESS, door.getsockname()[1], options.together_url)
    await asyncio.gather(*(server.serve(sockets=d) for server, d in zip(servers, doors, strict=True)))


def _recovery_site(port: int) -> list[socket.socket]:
    """Return where the application listens as the recovery site; none on a machine that has 127.0.0.1 alone."""
    try:
        return [socket.create_server((RECOVERY_SITE, port))]
    except OSError as error:
        log.warning("no recovery site at %s: %s", RECOVERY_SITE, error)
        return []


def _stop(servers: list[_Server]) -> None:
    for server in servers:
        server.should_exit = True


def main(arguments: list[str] | None = None) -> int:
    """Run the stand-in; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opslib.lab.application", description="The application's stand-in.")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1 (0: any)")
    parser.add_argument("--provider-port", type=int, default=0, help="port of the providers' stand-ins (default: any)")
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(from_environment(), given.port, given.provider_port))
    except OpsError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except OSError as error:
        print(f"The stand-in could not listen: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
