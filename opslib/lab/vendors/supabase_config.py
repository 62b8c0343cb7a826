"""More of the stand-in of Supabase's Management API: who may reach the database from where, and how the sign-in is set.

Source: the API's official description (network-bans, network-restrictions, config/auth).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal
from opslib.lab.vendors.supabase_keys import Keys

EVERYBODY = {"dbAllowedCidrs": ["0.0.0.0/0"], "dbAllowedCidrsV6": ["::/0"]}
EVENTS = [
    {"path": "/token", "status": 200, "said": "", "events": 164},
    {"path": "/token", "status": 400, "said": "Invalid login credentials", "events": 5},
    {"path": "/logout", "status": 204, "said": "", "events": 12},
]
"""What the sign-in answered on a quiet day."""
STATE: dict[str, Any] = {"banned": [], "restrictions": EVERYBODY, "events": EVENTS}


def sign_in(front_end: str) -> dict[str, Any]:
    """Return how the sign-in is set at first: people are sent back to the front end, an hour's tokens, no end."""
    return {
        "site_url": front_end,
        "uri_allow_list": f"{front_end}/**,http://localhost:5173/**",
        "jwt_exp": 3600,
        "sessions_timebox": 0,
        "sessions_inactivity_timeout": 0,
        "sessions_single_per_user": False,
        "refresh_token_rotation_enabled": True,
        "security_refresh_token_reuse_interval": 10,
        "external_email_enabled": True,
        "disable_signup": False,
        "mailer_otp_exp": 3600,
    }


class Config:
    """Answers for the project. State: ``banned`` (addresses), ``restrictions`` (ranges that may reach the database).

    ``auth`` is how the sign-in is set, ``events`` what its logs hold (path,
    status, said, events; any window).
    """

    def __init__(self, state: Mapping[str, Any], project: str, keys: Keys) -> None:
        self._state, self._project, self._keys = state, project, keys

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        home = "/v1/projects/{ref}"
        return [
            Route(f"{home}/network-bans/retrieve", self.bans, methods=["POST"]),
            Route(f"{home}/network-restrictions", self.restrictions),
            Route(f"{home}/config/auth", self.auth),
            Route(f"{home}/analytics/endpoints/logs.all", self.logs),
        ]

    async def bans(self, request: Request) -> Response:
        """Return the banned addresses; a question in spite of its method."""
        self._here(request)
        return JSONResponse({"banned_ipv4_addresses": self._state["banned"]}, 201)

    async def restrictions(self, request: Request) -> Response:
        """Return the ranges from which the database may be reached."""
        self._here(request)
        return JSONResponse({"entitlement": "allowed", "config": self._state["restrictions"], "status": "applied"})

    async def auth(self, request: Request) -> Response:
        """Return how the sign-in is set; of the API's many fields those that the diagnostics read, and some more."""
        self._here(request)
        return JSONResponse(self._state["auth"])

    async def logs(self, request: Request) -> Response:
        """Return the events of the sign-in, or which keys were used when. 400 beyond a day, as the API has it."""
        self._here(request)
        start, end = (datetime.fromisoformat(request.query_params[f"iso_timestamp_{one}"]) for one in ("start", "end"))
        if end - start > timedelta(hours=24):
            raise Refusal(400, "The timestamp range must be no more than 24 hours.")
        sql = request.query_params.get("sql", "")
        found = self._state["events"] if "auth_logs" in sql else self._keys.uses(sql) if "edge_logs" in sql else []
        return JSONResponse({"result": found})

    def _here(self, request: Request) -> None:
        if request.path_params["ref"] != self._project:
            raise Refusal(404, "Project not found")
