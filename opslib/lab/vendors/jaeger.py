"""Jaeger's stand-in: the services that have sent traces. Source: Jaeger's API description (v3)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn


class Jaeger(StandIn):
    """State: ``services``, and ``older`` for a server that has no v3 yet."""

    name = "jaeger"

    def first(self) -> dict[str, Any]:
        """Return one to which the API sends, and which traces itself."""
        return {"services": ["jaeger-all-in-one", "valuecanvas-api"], "older": False}

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        return [Route("/api/v3/services", self.services), Route("/api/services", self.older)]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Jaeger's form of an error."""
        return JSONResponse({"error": {"httpCode": status, "message": message}}, status)

    async def services(self, request: Request) -> Response:
        """Return the services, as v3 has them."""
        if self.state["older"]:
            raise Refusal(404, "page not found")
        return JSONResponse({"services": self.state["services"]})

    async def older(self, request: Request) -> Response:
        """Return the services, as the page asks for them: null where there is none."""
        named = self.state["services"]
        return JSONResponse({"data": named or None, "total": len(named), "limit": 0, "offset": 0, "errors": None})
