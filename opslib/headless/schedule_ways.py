"""The ways by which people are told of schedules: PagerDuty, a channel of Slack, an address of mail.

Each sends one notice, and says of one whose end nobody knows whether it arrived: Slack by a look into the channel. Of
PagerDuty and mail nobody can tell; there sending it again is one alert by its key, and one message by its name.
"""

from __future__ import annotations

from typing import Protocol

from opslib.errors import OpsError, SettingsError
from opslib.headless.schedule_news import WELL, Notice
from opslib.headless.schedule_recipients import Destination
from opslib.redaction import Redactor
from opslib.settings import Settings
from opslib.systems.mail import Mail
from opslib.systems.pagerduty import Pager
from opslib.systems.slack import Chat, escaped


class Way(Protocol):
    """An open way to one destination."""

    def send(self, notice: Notice) -> None:
        """Send a notice; raises Unreachable where it was not taken, or nobody knows."""

    def arrived(self, notice: str) -> bool:
        """Say whether a notice is known to have arrived, by its id."""

    def close(self) -> None:
        """Close every connection."""


def open_way(destination: Destination, settings: Settings) -> Way:
    """Return the way to a destination; raises SettingsError where the description lacks what it needs."""
    if destination.by == "pagerduty":
        return _Pager(settings)
    if destination.by == "slack":
        return _Channel(settings.model_copy(update={"slack_channel": destination.to}))
    return _Address(settings, destination.to)


class _Pager:
    def __init__(self, settings: Settings) -> None:
        self._pager, self._clean = Pager(settings, settings.pagerduty_key), Redactor(settings.secrets()).text
        self._source = f"opslib, {settings.environment}"

    def send(self, notice: Notice) -> None:
        """Trigger the schedule's alert where something is ill, and resolve it where it is well by now."""
        if notice.worst:
            summary = self._clean(f"{notice.title}. {' '.join(notice.lines)}")
            self._pager.trigger(notice.key, summary, notice.worst, self._source, notice.link)
        if notice.stands == WELL:
            self._pager.resolve(notice.key)

    def arrived(self, notice: str) -> bool:
        return False

    def close(self) -> None:
        self._pager.close()


class _Channel:
    def __init__(self, settings: Settings) -> None:
        if settings.slack_token is None:
            raise SettingsError("SLACK_BOT_TOKEN is not in the target description.", "Slack wants it.")
        self._chat, self._clean = Chat(settings, settings.slack_token), Redactor(settings.secrets()).text

    def send(self, notice: Notice) -> None:
        self._chat.say(escaped(self._clean(notice.text)))

    def arrived(self, notice: str) -> bool:
        try:
            return self._chat.said(f"Notice {notice}") is not None
        except OpsError:
            # Without a look it is sent again: twice is better than not at all.
            return False

    def close(self) -> None:
        self._chat.close()


class _Address:
    def __init__(self, settings: Settings, to: str) -> None:
        self._mail, self._to, self._clean = Mail(settings), to, Redactor(settings.secrets()).text

    def send(self, notice: Notice) -> None:
        self._mail.send(self._to, self._clean(notice.title), self._clean(notice.text) + "\n", notice.id)

    def arrived(self, notice: str) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""
