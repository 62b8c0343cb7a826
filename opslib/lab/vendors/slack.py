"""Slack's stand-in: one channel with its messages.

Source: Slack Web API description (chat.postMessage, conversations.history). A refusal is answered with 200, as there.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn, said

CHANNEL = "C0LABOPS1"
BOT = "B0LABOPS1"
WORDS = {401: "invalid_auth", 403: "missing_scope", 404: "channel_not_found", 429: "ratelimited"}


class Slack(StandIn):
    """State: ``messages`` of the channel, oldest first; ``refuses`` what Slack is to say instead of taking one."""

    name = "slack"

    def first(self) -> dict[str, Any]:
        """Return an empty channel."""
        return {"messages": [], "refuses": ""}

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        return [
            Route("/api/chat.postMessage", self.post, methods=["POST"]),
            Route("/api/conversations.history", self.history),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Slack's form of an error: 200 for most."""
        word = WORDS.get(status, "internal_error" if status >= 500 else message)
        return JSONResponse({"ok": False, "error": word}, status if status == 429 or status >= 500 else 200)

    async def post(self, request: Request) -> Response:
        """Add a message."""
        body = await said(request)
        self._here(str(body.get("channel")))
        if not body.get("text"):
            raise Refusal(400, "no_text")
        if self.state["refuses"]:
            raise Refusal(400, self.state["refuses"])
        stamp = f"{time.time():.6f}"
        message = {"type": "message", "text": body["text"], "ts": stamp, "bot_id": BOT, "subtype": "bot_message"}
        self.state["messages"].append(message)
        return JSONResponse({"ok": True, "channel": CHANNEL, "ts": stamp, "message": message})

    async def history(self, request: Request) -> Response:
        """Return the newest messages, newest first."""
        self._here(request.query_params.get("channel", ""))
        most = int(request.query_params.get("limit", "100"))
        newest = self.state["messages"][::-1][:most]
        more = len(self.state["messages"]) > most
        shown = {"has_more": more, "pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
        return JSONResponse({"ok": True, "messages": newest, **shown})

    def _here(self, channel: str) -> None:
        if channel != CHANNEL:
            raise Refusal(400, "channel_not_found")
