"""More of the stand-in of Supabase's Management API: who may reach the database from where, and how the sign-in is set.

Source: the API's official description (network-bans, network-restrictions, config/auth).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal

EVERYBODY = {"dbAllowedCidrs": ["0.0.0.0/0"], "dbAllowedCidrsV6": ["::/0"]}
STATE: dict[str, Any] = {"banned": [], "restrictions": EVERYBODY}


class Config:
    """Answers for the project. State: ``banned`` (addresses), ``restrictions`` (ranges that may reach the database)."""

    def __init__(self, state: Mapping[str, Any], project: str) -> None:
        self._state, self._project = state, project

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        home = "/v1/projects/{ref}"
        return [
            Route(f"{home}/network-bans/retrieve", self.bans, methods=["POST"]),
            Route(f"{home}/network-restrictions", self.restrictions),
        ]

    async def bans(self, request: Request) -> Response:
        """Return the banned addresses; a question in spite of its method."""
        self._here(request)
        return JSONResponse({"banned_ipv4_addresses": self._state["banned"]}, 201)

    async def restrictions(self, request: Request) -> Response:
        """Return the ranges from which the database may be reached."""
        self._here(request)
        return JSONResponse({"entitlement": "allowed", "config": self._state["restrictions"], "status": "applied"})

    def _here(self, request: Request) -> None:
        if request.path_params["ref"] != self._project:
            raise Refusal(404, "Project not found")
