"""Slack's stand-in: the channel that is told of incidents, with its messages, and the channel of support.

Source: Slack Web API description (chat.postMessage, conversations.history, conversations.replies, conversations.info).
A refusal is answered with 200, as there.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.slack_shapes import channel, question, thread
from opslib.lab.vendors.stand_in import Refusal, StandIn, said

CHANNEL, SUPPORT = "C0LABOPS1", "C0LABHELP"
BOT = "B0LABOPS1"
WORDS = {401: "invalid_auth", 403: "missing_scope", 404: "channel_not_found", 429: "ratelimited"}


class Slack(StandIn):
    """State: ``messages`` of the channel, oldest first; ``refuses`` what Slack is to say instead of taking one.

    ``support`` has the other channel's ``name``, whether it is ``archived``, and its questions: when (``at``), by which
    ``user``, and ``replies``, each of somebody after so many seconds.
    """

    name = "slack"

    def first(self) -> dict[str, Any]:
        """Return an empty channel, and one in which people were answered in time."""
        questions = [
            question(20 + 66.0 * place, [{"user": "U0LABHELP", "after": 900 + 700 * place}]) for place in range(9)
        ]
        support = {"name": "valuecanvas-support", "archived": False, "questions": questions}
        return {"messages": [], "refuses": "", "support": support}

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        return [
            Route("/api/chat.postMessage", self.post, methods=["POST"]),
            Route("/api/conversations.history", self.history),
            Route("/api/conversations.replies", self.replies),
            Route("/api/conversations.info", self.info),
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
        if request.query_params.get("channel") == SUPPORT:
            return self._asked(request)
        self._here(request.query_params.get("channel", ""))
        most = int(request.query_params.get("limit", "100"))
        newest = self.state["messages"][::-1][:most]
        more = len(self.state["messages"]) > most
        shown = {"has_more": more, "pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
        return JSONResponse({"ok": True, "messages": newest, **shown})

    async def replies(self, request: Request) -> Response:
        """Return a question of the channel of support, and what was said in its thread."""
        if request.query_params.get("channel") != SUPPORT:
            raise Refusal(400, "channel_not_found")
        for said_of_it in self._questions():
            if said_of_it[0]["ts"] == request.query_params.get("ts"):
                return JSONResponse({"ok": True, "messages": said_of_it, "has_more": False})
        raise Refusal(400, "thread_not_found")

    async def info(self, request: Request) -> Response:
        """Return the channel of support, as far as it is anybody's business."""
        if request.query_params.get("channel") != SUPPORT:
            raise Refusal(400, "channel_not_found")
        known = self.state["support"]
        return JSONResponse({"ok": True, "channel": channel(SUPPORT, known["name"], known["archived"])})

    def _questions(self) -> list[list[dict[str, Any]]]:
        return [thread(one) for one in self.state["support"]["questions"]]

    def _asked(self, request: Request) -> Response:
        oldest = float(request.query_params.get("oldest", "0"))
        most, first = int(request.query_params.get("limit", "100")), int(request.query_params.get("cursor") or 0)
        found = [one[0] for one in self._questions() if float(one[0]["ts"]) >= oldest]
        found.sort(key=lambda one: one["ts"], reverse=True)
        more = len(found) > first + most
        shown = {"has_more": more, "pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
        further = {"response_metadata": {"next_cursor": str(first + most)}} if more else {}
        return JSONResponse({"ok": True, "messages": found[first : first + most], **shown, **further})

    def _here(self, channel: str) -> None:
        if channel != CHANNEL:
            raise Refusal(400, "channel_not_found")
