"""Together.ai's stand-in: models and chat for the keys that it knows. It has no API for keys, as the real one.

Source: together.ai API reference. A person makes and revokes keys in the dashboard; here, by ``/_lab/state``.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opslib.lab.production import dummy
from opslib.lab.providers import refuse
from opslib.lab.vendors.provider_keys import Keys, answered, kept, unknown
from opslib.lab.vendors.stand_in import StandIn


class Together(StandIn):
    """State: ``keys`` by id; ``prices`` by model and headers of the ``limits``, where they are not the usual ones."""

    name = "together"

    def first(self) -> dict[str, Any]:
        """Return the key that the product uses."""
        return {"keys": {"key_production": kept(dummy("TOGETHER_API_KEY"))}}

    def routes(self) -> list[Route]:
        """Return what is asked with a key."""
        return [Route("/v1/models", self.ask), Route("/v1/chat/completions", self.ask, methods=["POST"])]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Together's form of an error."""
        return refuse(status, message, "server_error" if status >= 500 else "invalid_request_error", code or None)

    def _refused(self, request: Request) -> Response | None:
        return None if Keys(self.state).of(request) else unknown(request)

    async def ask(self, request: Request) -> Response:
        """Answer."""
        return await answered(self.name, request, self.state)
