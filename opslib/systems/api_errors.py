"""What a vendor's answer that is no success means: one kind each, with what the vendor said and what to do next.

Sources: the vendors' API references for their error bodies; RFC 9110 (Retry-After), RFC 6585 (429).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.systems.web_exchange import Answer

LONGEST_WORDS = 300
"""Characters of a vendor's own words that a message repeats."""

EPOCH = 1_000_000_000
"""A reset header above this is a moment in epoch seconds; below, it is seconds from now."""

_RESETS = ("x-ratelimit-reset", "ratelimit-reset", "x-sentry-rate-limit-reset")

KINDS: dict[str, tuple[str, str]] = {
    "rejected": ("does not take this request", "Correct what was asked for; asking again changes nothing."),
    "unauthorized": ("does not know the token", "Renew {token} in the target description."),
    "unpaid": ("refuses for the plan's or the account's sake", "Look at the plan and its limits at the vendor."),
    "forbidden": ("does not let the token do this", "Give {token} the permission, or another account's token."),
    "missing": ("does not have this", "Check the names in the target description and in the parameters."),
    "conflict": ("says that this stands against what is there", "Look what else is under way; then plan again."),
    "limited": ("has had too many requests", "Wait; look who else uses the token."),
    "broken": ("has a failure of its own", "Look at the vendor's status page; try again later."),
    "moved": ("sends elsewhere", "Correct the address in the target description."),
    "malformed": ("answered with something that is not what it documents", "Look at what stands before that address."),
}
"""Kinds of an answer: what is said of the vendor, and what to do next."""

_STATUS = {
    400: "rejected",
    401: "unauthorized",
    402: "unpaid",
    403: "forbidden",
    404: "missing",
    409: "conflict",
    410: "missing",
    412: "conflict",
    422: "rejected",
    429: "limited",
}

RETRIED = frozenset({"limited", "broken", "closed"})
"""Kinds after which a question that changes nothing is asked once more."""


@dataclass(frozen=True)
class Vendor:
    """A vendor as messages name it: ``token`` is the variable that holds its credential, ``headers`` go with each call.

    ``scheme`` is empty where the credential is part of what is sent, and no header of its own, or where none is needed.
    ``tail`` is what every path ends in.
    ``words`` is where the vendor's own sentence stands in the body of an error, as keys (and places in lists) from
    the outside in; several forms, the first that is there counts.
    """

    name: str
    token: str
    scheme: str = "Bearer"
    headers: Mapping[str, str] = field(default_factory=dict)
    tail: str = ""
    words: tuple[tuple[str | int, ...], ...] = (("error", "message"), ("message",), ("msg",), ("detail",), ("error",))


def fault(vendor: Vendor, asked: str, answer: Answer) -> Unreachable | None:
    """Return what is wrong with ``answer`` to ``asked`` (``GET https://…``), or None for a success (2xx)."""
    status = answer.status
    if 200 <= status < 300:
        return None
    kind = _STATUS.get(status) or ("moved" if 300 <= status < 400 else "broken" if status >= 500 else "rejected")
    # GitHub and some others say 403 where they mean "too many".
    if status == 403 and ("retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"):
        kind = "limited"
    return told(vendor, kind, asked, f"{status}{_said(vendor, answer.text)}")


def told(vendor: Vendor, kind: str, asked: str, detail: str) -> Unreachable:
    """Return the error of ``kind`` (see :data:`KINDS`) on ``asked``."""
    said, next_step = KINDS[kind]
    return Unreachable(f"{vendor.name} {said} ({asked}: {detail}).", next_step.format(token=vendor.token), kind)


def wait_of(answer: Answer | None, attempt: int) -> float:
    """Return the seconds to wait before the next try: what the vendor asks for, else longer with each attempt."""
    if answer is not None:
        asked = answer.headers.get("retry-after")
        if asked is not None and (seconds := _retry_after(asked)) is not None:
            return seconds
        reset = next((answer.headers[name] for name in _RESETS if answer.headers.get(name)), None)
        if answer.status in (403, 429) and reset and reset.replace(".", "", 1).isdigit():
            moment = float(reset)
            return max(0.0, moment - time.time()) if moment > EPOCH else moment
    return float(0.5 * 2**attempt)


def _retry_after(text: str) -> float | None:
    if text.strip().replace(".", "", 1).isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _said(vendor: Vendor, text: str) -> str:
    """Return the vendor's own words with a leading blank, or nothing."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        return ""
    for path in vendor.words:
        found = body
        for key in path:
            if isinstance(key, int):
                found = found[key] if isinstance(found, list) and len(found) > key else None
            else:
                found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found.strip():
            words = " ".join(found.split())
            return f", {words[:LONGEST_WORDS]}{'…' if len(words) > LONGEST_WORDS else ''}"
    return ""
