"""Slack's channel of support: its name, what people asked there, and who answered first. Reading only.

Source: Slack Web API (conversations.info, conversations.history, conversations.replies).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from pydantic import Field

from opslib.errors import SettingsError, Unreachable
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Query, Shape
from opslib.systems.api_errors import Vendor
from opslib.systems.slack import PUBLIC, Replied, whole

VENDOR = Vendor("Slack", "OPS_READ_SLACK_TOKEN")
PER_PAGE, MOST_PAGES = 100, 10
MOST_THREADS = 40
"""Threads whose replies are read: Slack allows about 50 such questions a minute, and a wait ends a look."""


class Said(Shape):
    """One message of the channel; ``ts`` is its moment and its name."""

    ts: str
    user: str | None = None
    bot: str | None = Field(None, alias="bot_id")
    subtype: str | None = None
    replies: int = Field(0, alias="reply_count")

    @property
    def at(self) -> datetime:
        """When it was said."""
        return datetime.fromtimestamp(float(self.ts), UTC)

    @property
    def person(self) -> bool:
        """Whether a person said it: no app, and no note of Slack's own such as somebody's joining."""
        return self.user is not None and self.bot is None and self.subtype in (None, "thread_broadcast", "file_share")


class _Further(Shape):
    next: str = Field("", alias="next_cursor")


class _Messages(Replied):
    messages: tuple[Said, ...] = ()
    more: bool = Field(False, alias="has_more")
    further: _Further = Field(_Further(), alias="response_metadata")


class _Channel(Shape):
    name: str = ""
    archived: bool = Field(False, alias="is_archived")


class _Info(Replied):
    channel: _Channel = _Channel()


A = TypeVar("A", bound=Replied)


class ReadOnlySupport:
    """The channel of support of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames) -> None:
        self._api = Api(VENDOR, settings.slack_url or PUBLIC, settings.read_slack_token)
        if settings.support_channel is None:
            raise SettingsError("OPS_SUPPORT_CHANNEL is not in the target description.", "Name the channel's id.")
        self._channel = settings.support_channel

    def name(self) -> str:
        """Return the channel's name as people see it; raises Unreachable (conflict) where it is archived."""
        found = self._asked(_Info, "conversations.info", {}).channel
        if found.archived:
            raise Unreachable(f"#{found.name} is archived: nobody can ask there.", "Name another channel.", "conflict")
        return found.name

    def questions(self, since: datetime) -> list[Said]:
        """Return what people began since then, newest first; raises Unreachable (limited) where that is too much."""
        found: list[Said] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            query: Query = {"oldest": f"{since.timestamp():.6f}", "limit": PER_PAGE, "cursor": cursor}
            page = self._asked(_Messages, "conversations.history", query)
            found += [one for one in page.messages if one.person and one.subtype != "thread_broadcast"]
            cursor = page.further.next
            if not cursor:
                break
        if cursor or len([one for one in found if one.replies]) > MOST_THREADS:
            raise Unreachable("Slack has more threads then than are read.", "Ask for a shorter time.", "limited")
        return found

    def answer(self, question: Said) -> datetime | None:
        """Return when somebody else first answered in the question's thread; None where nobody has."""
        if not question.replies:
            return None
        query: Query = {"ts": question.ts, "limit": PER_PAGE}
        said = self._asked(_Messages, "conversations.replies", query).messages
        by_others = [one.at for one in said if one.person and one.user != question.user and one.ts != question.ts]
        return min(by_others, default=None)

    def _asked(self, shape: type[A], method: str, query: Query) -> A:
        return whole(self._api.get(shape, method, query={"channel": self._channel, **query}), f"GET {method}", VENDOR)

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
