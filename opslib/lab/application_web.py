"""What surrounds every route: request id, metrics, audit; and before ``/api`` the version and the user."""

from __future__ import annotations

import html
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opslib.lab.application_audit import SILENT, AuditTrail
from opslib.lab.application_metrics import RequestMetrics
from opslib.lab.application_sessions import Sessions

VERSION = "v1"
OPEN_PATHS = ("/api/llm/health", "/api/llm/stats")
"""Routes without a user of their own in the product's router; the shipped server asks for one all the same."""

NOT_FOUND = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot {method} {path}</pre>
</body>
</html>
"""


class Envelope:
    """Gives each answer its ``X-Request-Id``, counts it, and queues its audit row."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, audit: AuditTrail) -> None:
        self._app, self._metrics, self._audit = app, metrics, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        started, path, status = time.monotonic(), scope["path"], 500
        request_id = headers.get("x-request-id") or str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            return await self._app(scope, receive, answer)
        finally:
            spent = (time.monotonic() - started) * 1000
            self._metrics.note(scope["method"], scope["path"], status, headers.get("x-tenant-id") or "unknown", spent)
            if not path.startswith(SILENT):
                self._audit.note(*_audit_row(scope, headers, path, status, spent))


class ApiGate:
    """Refuses unknown versions (426) and requests without a user (401), both before any route is looked for."""

    def __init__(self, app: ASGIApp, sessions: Sessions, open_health: bool) -> None:
        self._app, self._sessions, self._open = app, sessions, OPEN_PATHS if open_health else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, its path without the version."""
        if scope["type"] != "http" or not (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        found = re.match(r"/api/(v\d+)(?=/|$)", scope["path"])
        asked = headers.get("x-api-version") or headers.get("accept-version") or VERSION
        version = found[1] if found else asked
        if version != VERSION:
            message = f"Version {version} is not supported. Use {VERSION}."
            refused = JSONResponse({"error": "unsupported_version", "message": message}, 426, {"API-Version": VERSION})
            return await refused(scope, receive, send)
        if found:
            scope["path"] = "/api" + scope["path"][found.end() :]
        user = self._sessions.by_token(headers.get("authorization", ""))
        if user is None and scope["path"] not in self._open:
            body = {"error": "Unauthorized", "message": "Authentication required"}
            return await JSONResponse(body, 401, {"API-Version": VERSION})(scope, receive, send)
        scope.setdefault("state", {})["user"] = user
        return await self._app(scope, receive, _versioned(send))


def _versioned(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["API-Version"] = VERSION
        await send(message)

    return answer


async def not_found(request: Request, error: Exception) -> Response:
    """Return the framework's HTML page, for an unknown path and for a method that it does not take."""
    text = NOT_FOUND.format(method=html.escape(request.method), path=html.escape(request.url.path))
    return HTMLResponse(text, 404)


async def broken(request: Request, error: Exception) -> Response:
    """Return the error handler's answer."""
    return JSONResponse({"error": "Internal server error"}, 500)


def _audit_row(
    scope: Scope, headers: Headers, path: str, status: int, spent: float
) -> tuple[dict[str, object], dict[str, object]]:
    state = scope["state"]
    user = state.get("user")
    row = {
        "request_id": state["request_id"],
        "user": user.user if user else None,
        "actor": headers.get("x-actor") or "anonymous",
        "action": scope["method"].lower(),
        "resource": path,
        "request_path": path,
        "ip_address": scope["client"][0] if scope.get("client") else None,
        "user_agent": headers.get("user-agent"),
        "severity": "high" if status >= 500 else "medium",
        "status_code": status,
    }
    return row, {"duration_ms": round(spent)}
