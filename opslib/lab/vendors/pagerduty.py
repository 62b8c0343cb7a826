"""PagerDuty's stand-in: the door for events of one integration, and the alerts that they open.

Source: PagerDuty Events API v2 description (enqueue). The key that it knows goes in the body, as there.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn, said

SEVERITIES = ("critical", "error", "warning", "info")


class PagerDuty(StandIn):
    """State: ``alerts`` by key: what was told first, how often, and since when it is open, acknowledged, resolved."""

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
        action, key = body.get("event_action"), body.get("dedup_key")
        if action in ("acknowledge", "resolve"):
            return self._changed(action, key)
        payload = body.get("payload") or {}
        if not payload.get("summary") or not payload.get("source") or payload.get("severity") not in SEVERITIES:
            raise Refusal(400, "'payload' lacks summary, source or severity")
        if action != "trigger":
            raise Refusal(400, "'event_action' is none of trigger, acknowledge, resolve")
        key = key or f"lab-{len(self.state['alerts'])}"
        alert = self.state["alerts"].setdefault(key, {**payload, "told": 0})
        if alert["told"] == 0 or alert.get("resolved_at"):
            # One that is over is another one once it is told again.
            alert |= {"at": time.time(), "acknowledged_at": None, "resolved_at": None}
        alert["told"] += 1
        return self._taken(key)

    def _changed(self, action: str, key: str | None) -> Response:
        """Acknowledge or resolve an alert; of one that is not open nothing comes, and nobody is told so."""
        if not key:
            raise Refusal(400, "'dedup_key' is missing")
        alert = self.state["alerts"].get(key)
        if alert is not None and not alert["resolved_at"]:
            name = "acknowledged_at" if action == "acknowledge" else "resolved_at"
            alert[name] = alert[name] or time.time()
        return self._taken(key)

    def _taken(self, key: str) -> Response:
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, 202)
