"""What telling people has in common: by which ways, one message in the channel however often it is tried, read back."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.actions.base import Progress
from opslib.errors import Refused
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

UNSET = "not told"


@dataclass(frozen=True)
class Ways:
    """Whether PagerDuty, and whether Slack, is to be told, and can be."""

    pager: bool
    slack: bool

    @property
    def count(self) -> int:
        """How many are told."""
        return self.pager + self.slack


def ways(target: PlanTarget) -> Ways:
    """Return the ways that the target description has credentials for."""
    slack = target.settings.slack_channel is not None and target.can_write("slack_token")
    return Ways(target.can_write("pagerduty_key"), slack)


def open_ways(target: PlanTarget, found: Ways, otherwise: str) -> None:
    """Return if somebody can be told by ``found``, and the channel be read; raises Refused, saying ``otherwise``."""
    if not found.count:
        raise Refused(
            "The target description names nobody who could be told.",
            f"Set PAGERDUTY_ROUTING_KEY, or OPS_SLACK_CHANNEL with SLACK_BOT_TOKEN; {otherwise}",
        )
    if found.slack:
        # Without the right to read the channel, a message whose answer is lost would be posted twice.
        target.chat.said(target.run)


def post(target: WriteTarget, text: str, progress: Progress) -> str:
    """Post ``text``, which holds the work's id, unless a message with that id is there; returns its ts."""
    progress("Slack")
    there = target.chat_writer.said(target.run)
    return there.ts if there else target.chat_writer.say(text)


def posted(target: WriteTarget) -> str | None:
    """Return the ts of the work's message; None where there is none."""
    there = target.chat_writer.said(target.run)
    return there.ts if there else None


def unread(target: VerifyTarget, ts: str, text: str) -> str:
    """Return what is wrong with the message ``ts`` as the channel has it; empty where it stands as it was planned."""
    found = target.chat.said(target.run)
    if found is None or found.ts != ts:
        return "The message is not in the channel."
    return "" if found.text == text else "The message in the channel is not what was planned."
