"""Slack's documented forms of a channel and of a thread, filled in by the stand-in."""

from __future__ import annotations

import time
from typing import Any


def channel(place: str, name: str, archived: bool) -> dict[str, Any]:
    """Return a public channel by its id (``place``) and its name."""
    nothing = {"value": "", "creator": "U0LABASKS", "last_set": 0}
    false = ("is_general", "is_group", "is_im", "is_mpim", "is_org_shared", "is_shared", "is_private")
    return {
        "id": place,
        "name": name,
        "name_normalized": name,
        "created": 1_700_000_000,
        "creator": "U0LABASKS",
        "is_channel": True,
        "is_archived": archived,
        **dict.fromkeys(false, False),
        "topic": nothing,
        "purpose": nothing,
    }


def question(hours: float, replies: list[dict[str, Any]], **said: Any) -> dict[str, Any]:
    """Return a question as the state has it, asked so many hours ago."""
    return {"at": time.time() - hours * 3600.0, "user": "U0LABASKS", "replies": replies, **said}


def thread(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a question of the stand-in's state and what was said to it: the question is first."""
    asked = float(question["at"])
    replies = [one for one in question["replies"] if asked + one["after"] <= time.time()]
    first = {"type": "message", "text": "How do I …?", "ts": f"{asked:.6f}", "user": question["user"]}
    first |= {name: question[name] for name in ("subtype", "bot_id") if name in question}
    if not replies:
        return [first]
    first |= {"thread_ts": first["ts"], "reply_count": len(replies), "subscribed": False}
    further = [
        {"type": "message", "text": "Like this.", "ts": f"{asked + one['after']:.6f}", "thread_ts": first["ts"]}
        | {"parent_user_id": question["user"], "user": one["user"]}
        | ({"bot_id": one["bot_id"]} if "bot_id" in one else {})
        for one in replies
    ]
    return [first, *further]
