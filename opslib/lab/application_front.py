"""What the application's answers carry for browsers: who may call it (CORS), headers that protect, and its sign-in.

GET ``/login`` leads to the front end with a session's cookie. The lab's own door ``/_lab/front`` shows and changes how
all this is set: ``cors`` (list, reflect, prefix, any, none), ``headers``, ``cookie``, ``login`` (well, loop); also
whether there are ``metrics`` (well, none), and which ``model`` is asked whatever users name ("": theirs). What the
revision that runs in the cluster makes otherwise stands in its pods' variable :data:`REVISION`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opslib.errors import Unreachable

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
COOKIE = "session={value}; Path=/; HttpOnly; Secure; SameSite=Lax"
METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"
REVISION = "LAB_ANSWERS"
"""A JSON object of the same fields."""


class FrontState:
    """How the answers are made now; ``started`` tells what pods were started with under a name."""

    def __init__(self, origins: tuple[str, ...], started: Callable[[str], Awaitable[list[str]]]) -> None:
        self.origins, self._started = origins, started
        self.said: dict[str, Any] = {
            "cors": "list",
            "headers": dict(HEADERS),
            "cookie": COOKIE,
            "login": "well",
            "metrics": "well",
            "model": "",
        }

    async def door(self, request: Request) -> Response:
        """GET shows it, PUT changes what the body names."""
        if request.method == "PUT":
            self.said |= json.loads(await request.body())
        return JSONResponse(self.said)

    async def now(self) -> dict[str, Any]:
        """Return how answers are made, by the door and by the revision that runs."""
        try:
            released = await self._started(REVISION)
        except Unreachable:
            released = []
        return {**self.said, **(json.loads(released[0]) if released else {})}

    async def login(self, request: Request) -> Response:
        """Lead to the front end, with a cookie; in a loop, to itself."""
        said = await self.now()
        if said["login"] == "loop":
            other = "/login?again=1" if "again" not in request.query_params else "/login"
            return RedirectResponse(other, 302)
        answer = RedirectResponse(f"{self.origins[0]}/vercel/sites/production" if self.origins else "/health", 302)
        if said["cookie"]:
            answer.raw_headers.append((b"set-cookie", said["cookie"].format(value="lab" * 8).encode()))
        return answer

    async def allowed(self, origin: str) -> dict[str, str]:
        """Return the headers that allow ``origin``, or none."""
        how = (await self.now())["cors"]
        if how == "any":
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
        listed = origin in self.origins
        prefixed = how == "prefix" and origin.startswith(self.origins)
        if how == "none" or not (listed or prefixed or how == "reflect"):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }


class Front:
    """Answers preflights, and gives each answer what browsers look for."""

    def __init__(self, app: ASGIApp, state: FrontState) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http" or scope["path"].startswith("/_lab/"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = await self._state.allowed(origin) if origin is not None else {}
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            asked = headers.get("access-control-request-headers", "")
            more = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": asked} if allowed else {}
            return await Response(status_code=204, headers={**allowed, **more})(scope, receive, send)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                made = MutableHeaders(scope=message)
                for name, value in {**self._state.said["headers"], **allowed}.items():
                    made.setdefault(name, value)
            await send(message)

        return await self._app(scope, receive, answer)
