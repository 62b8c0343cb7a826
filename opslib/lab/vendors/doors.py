"""The lab's own doors to its stand-ins: break and mend, look at and replace what is remembered, see what was asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.memory import Memory
from opslib.lab.vendors.stand_in import StandIn


class Doors:
    """The lab's own doors to all stand-ins."""

    def __init__(self, memory: Memory, faults: Faults, vendors: Sequence[StandIn]) -> None:
        self._memory, self._faults, self._vendors = memory, faults, vendors

    def routes(self) -> list[Route]:
        """Return the doors as routes."""
        return [
            Route("/_lab/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_lab/state", self.state, methods=["GET", "PUT"]),
            Route("/_lab/calls", self.calls, methods=["GET", "DELETE"]),
        ]

    async def faults(self, request: Request) -> Response:
        """GET shows them, POST sets one, DELETE mends all."""
        if request.method == "DELETE":
            self._faults.clear(request.query_params.get("vendor"), request.query_params.get("fault"))
        elif request.method == "POST":
            try:
                self._faults.set(json.loads(await request.body()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": "Invalid request", "message": str(error)}, 400)
        return JSONResponse({"faults": self._faults.shown()})

    async def state(self, request: Request) -> Response:
        """GET shows what is remembered, PUT replaces that of the vendors that the body names."""
        if request.method == "PUT":
            self._memory.replace(json.loads(await request.body()))
            return JSONResponse({})
        return JSONResponse(dict(self._memory.shown()))

    async def calls(self, request: Request) -> Response:
        """GET shows the latest calls in order, DELETE forgets them."""
        found: list[dict[str, Any]] = [call for vendor in self._vendors for call in vendor.calls]
        if request.method == "DELETE":
            for vendor in self._vendors:
                vendor.calls.clear()
        return JSONResponse({"calls": found})
