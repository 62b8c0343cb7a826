"""Slack's Web API: one channel, what was said in it, and a message to it.

Source: Slack Web API (chat.postMessage, conversations.history). Slack answers 200 also where it refuses; whether it
did says ``ok`` in the body.
"""

from __future__ import annotations

from typing import TypeVar

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Query, Shape, WritingApi
from opslib.systems.api_errors import Vendor, told

PUBLIC = "https://slack.com/api"
VENDOR = Vendor("Slack", "SLACK_BOT_TOKEN")
LOOKED_BACK = 100
"""Newest messages that are looked through."""

_KINDS = {
    "invalid_auth": "unauthorized",
    "not_authed": "unauthorized",
    "token_revoked": "unauthorized",
    "token_expired": "unauthorized",
    "account_inactive": "unauthorized",
    "missing_scope": "forbidden",
    "not_in_channel": "forbidden",
    "restricted_action": "forbidden",
    "channel_not_found": "missing",
    "is_archived": "conflict",
    "ratelimited": "limited",
    "rate_limited": "limited",
    "internal_error": "broken",
    "fatal_error": "broken",
}
"""What Slack calls a failure, as our kinds; any other is "rejected"."""


class Replied(Shape):
    """What every answer says: whether it is one."""

    ok: bool
    error: str = ""


class Message(Shape):
    """One message: ``ts`` is its moment and its name within the channel."""

    ts: str
    text: str = ""


class _History(Replied):
    messages: tuple[Message, ...] = ()


class _Posted(Replied):
    ts: str = ""


A = TypeVar("A", bound=Replied)


class ReadOnlyChat:
    """The channel of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self._api = self._opened(settings, token)
        if settings.slack_channel is None:
            raise SettingsError("OPS_SLACK_CHANNEL is not in the target description.", "Name the channel's id.")
        self.channel = settings.slack_channel

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(VENDOR, settings.slack_url or PUBLIC, token)

    def said(self, words: str) -> Message | None:
        """Return the newest message that holds ``words`` among the latest ones, or None.

        Raises Unreachable (forbidden without the right ``channels:history``).
        """
        query: Query = {"channel": self.channel, "limit": LOOKED_BACK}
        found = whole(self._api.get(_History, "conversations.history", query=query), "GET conversations.history")
        return next((message for message in found.messages if words in message.text), None)

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


class Chat(ReadOnlyChat):
    """Also says something in the channel."""

    _api: WritingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> WritingApi:
        return WritingApi(VENDOR, settings.slack_url or PUBLIC, token)

    def say(self, text: str) -> str:
        """Post a message and return its ts. Not repeatable: each call posts one."""
        body = {"channel": self.channel, "text": text, "unfurl_links": False}
        answer = self._api.send("POST", "chat.postMessage", body=body, kind="application/json; charset=utf-8")
        posted = self._api.read(_Posted, "POST chat.postMessage", answer)
        return whole(posted, "POST chat.postMessage").ts


def escaped(text: str) -> str:
    """Return ``text`` as one that Slack shows as it stands: without links, mentions and calls of whole channels.

    Source: Slack, formatting text for app surfaces (the three characters that have to be escaped).
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def whole(answer: A, asked: str, vendor: Vendor = VENDOR) -> A:
    """Return ``answer`` if Slack did what it was asked; raises Unreachable with the kind of its refusal."""
    if not answer.ok:
        raise told(vendor, _KINDS.get(answer.error, "rejected"), asked, f"200, {answer.error[:60] or 'no reason'}")
    return answer
