"""PagerDuty's stand-in: the door for events of one integration, and the alerts that they open.

Source: PagerDuty Events API v2 description (enqueue). The key that it knows goes in the body, as there.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn, said

SEVERITIES = ("critical", "error", "warning", "info")


class PagerDuty(StandIn):
    """State: ``alerts`` by key, each with what was told first, and how often it was told."""

    name = "pagerduty"

    def first(self) -> dict[str, Any]:
        """Return no alert."""
        return {"alerts": {}}

    def routes(self) -> list[Route]:
        """Return the one door."""
        return [Route("/v2/enqueue", self.enqueue, methods=["POST"])]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return PagerDuty's form of an error."""
        return JSONResponse({"status": "invalid event", "message": message, "errors": [message]}, status)

    def _refused(self, request: Request) -> Response | None:
        return None

    async def enqueue(self, request: Request) -> Response:
        """Open an alert, or count once more what is open."""
        body = await said(request)
        if body.get("routing_key") not in self._tokens:
            raise Refusal(400, "Invalid routing key")
        payload = body.get("payload") or {}
        if not payload.get("summary") or not payload.get("source") or payload.get("severity") not in SEVERITIES:
            raise Refusal(400, "'payload' lacks summary, source or severity")
        if body.get("event_action") != "trigger":
            raise Refusal(400, "The lab takes triggers only")
        key = body.get("dedup_key") or f"lab-{len(self.state['alerts'])}"
        alert = self.state["alerts"].setdefault(key, {**payload, "told": 0})
        alert["told"] += 1
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, 202)
