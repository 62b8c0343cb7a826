"""What every vendor's stand-in has in common: who may ask, what goes wrong on purpose, and a record of all calls."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.providers import Cut
from opslib.lab.vendors.faults import SLOW_SECONDS, STATUSES, Fault, Faults
from opslib.lab.vendors.hosted import Hosted
from opslib.lab.vendors.memory import Memory

KEPT_CALLS = 2000
SAFE = ("GET", "HEAD", "OPTIONS")
HIDDEN = ("authorization", "cookie", "apikey")

Endpoint = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):
    """Raised by an endpoint that answers with an error of the vendor's own form."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class StandIn:
    """One vendor below ``/<name>``: its state, its routes, its form of an error.

    ``tokens`` says what a bearer token may do: ``write`` everything, ``read`` what is asked with GET.
    """

    name: ClassVar[str]
    retry_header: ClassVar[str] = "Retry-After"
    scheme: ClassVar[str] = "bearer"
    asking: ClassVar[tuple[str, ...]] = ()
    """How paths end that are questions in spite of their method."""
    secret_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of what is sent, and of what is answered to that, whose values are nobody's to read, here neither."""

    def __init__(self, memory: Memory, faults: Faults, tokens: Mapping[str, str], base: str) -> None:
        """``base`` is this stand-in's own address, for what it says of itself."""
        self._memory, self._faults, self._tokens = memory, faults, tokens
        self.base = base
        self.hosted = Hosted(self.name)
        self.state = memory.of(self.name, self.first())
        self.calls: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLS)

    def first(self) -> dict[str, Any]:
        """Return the state at the beginning; the same each time but for moments."""
        raise NotImplementedError

    def routes(self) -> list[Route]:
        """Return the vendor's routes. Those below ``/sites`` are what the world sees: nobody needs a token there."""
        raise NotImplementedError

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return an error as the vendor words it."""
        raise NotImplementedError

    def application(self) -> Starlette:
        """Return the web application to be mounted."""
        guarded = [
            Route(route.path, self._guarded(route.endpoint), methods=sorted(route.methods or ()))
            for route in self.routes()
        ]
        return Starlette(routes=guarded, exception_handlers={404: self._none, 405: self._none})

    async def _none(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        answer = self.error(status, "Not Found" if status == 404 else "Method Not Allowed", "not_found")
        answer.headers["date"] = self._date()
        return answer

    def _date(self) -> str:
        return formatdate(time.time() + self._faults.ahead(self.name), usegmt=True)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            path = request.url.path
            fault = self._faults.take(self.name, request.method, path)
            body = await request.body()
            if await self.hosted.away():
                answer = Response(f"no endpoints available for service {self.name}", 503, media_type="text/plain")
            else:
                answer = await self._answer(request, endpoint, fault)
            if request.method not in SAFE:
                self._memory.keep()
            answer.headers.setdefault("date", self._date())
            self._note(request, path, body, answer)
            if fault is not None and fault.fault == "lost":
                return Cut()
            return answer

        return guarded

    async def _answer(self, request: Request, endpoint: Endpoint, fault: Fault | None) -> Response:
        said = fault.fault if fault is not None else ""
        if said == "slow" and fault is not None:
            await asyncio.sleep(SLOW_SECONDS if fault.seconds is None else fault.seconds)
        if said in STATUSES:
            answer = self.error(int(said), f"The lab answers {said} on purpose.", "lab_fault")
            if said == "429" and fault is not None:
                answer.headers[self.retry_header] = f"{1 if fault.seconds is None else fault.seconds:g}"
            return answer
        if said == "cut":
            return Cut()
        if said == "malformed":
            return Response("<html><body>Bad gateway</body></html>", media_type="text/html")
        if said == "empty":
            return JSONResponse({})
        if (refused := self._refused(request)) is not None:
            return refused
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return self.error(refusal.status, refusal.message, refusal.code)
        except (ValueError, KeyError, TypeError) as error:
            return self.error(400, f"Invalid request: {type(error).__name__} {error}", "bad_request")

    def _refused(self, request: Request) -> Response | None:
        if f"/{self.name}/sites" in request.url.path:
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        may = [what for known, what in self._tokens.items() if hmac.compare_digest(known.encode(), token.encode())]
        if scheme.lower() != self.scheme or not may:
            return self.error(401, "The token is not known.", "unauthorized")
        question = request.method in SAFE or request.url.path.endswith(self.asking)
        if may[0] == "read" and not question:
            return self.error(403, "The token may only read.", "forbidden")
        return None

    def _note(self, request: Request, path: str, body: bytes, answer: Response) -> None:
        hide = self._hidden if request.method not in SAFE else str
        self.calls.append(
            {
                "vendor": self.name,
                "method": request.method,
                "path": path,
                "query": [list(pair) for pair in request.query_params.multi_items()],
                "headers": {k: v for k, v in request.headers.items() if k not in HIDDEN},
                "body": hide(body.decode("utf-8", "replace")),
                "status": answer.status_code,
                "answer": hide(bytes(answer.body).decode("utf-8", "replace")) if hasattr(answer, "body") else "",
            }
        )

    def _hidden(self, text: str) -> str:
        names = "|".join(self.secret_fields)
        return re.sub(rf'("(?:{names})": *)"(?:[^"\\]|\\.)*"', r'\1"(not kept)"', text) if names else text


async def said(request: Request) -> dict[str, Any]:
    """Return the JSON object that ``request`` carries; raises Refusal."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "The body is no JSON object.", "invalid_json")
    return body
