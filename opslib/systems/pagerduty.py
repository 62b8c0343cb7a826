"""PagerDuty's Events API v2: an alert that is triggered once, however often it is sent with the same key.

Source: PagerDuty Events API v2 description (enqueue). The integration key goes in the body, never in a message of ours;
it can tell and read nothing (:mod:`.on_call` reads, with a key of its own).
"""

from __future__ import annotations

from typing import Any, Literal

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Shape, WritingApi
from opslib.systems.api_errors import Vendor, told

PUBLIC = "https://events.pagerduty.com/v2"
VENDOR = Vendor("PagerDuty", "PAGERDUTY_ROUTING_KEY", scheme="")
LONGEST_SUMMARY, LONGEST_KEY = 1024, 255

Severity = Literal["critical", "error", "warning", "info"]
Event = Literal["trigger", "acknowledge", "resolve"]


class _Taken(Shape):
    status: str
    dedup_key: str


class Pager:
    """Triggers, acknowledges and resolves alerts of one integration."""

    def __init__(self, settings: VendorNames, key: Secret | None) -> None:
        if key is None:
            raise SettingsError("PAGERDUTY_ROUTING_KEY is not in the target description.", "PagerDuty wants it.")
        self._key = key
        self._api = WritingApi(VENDOR, settings.pagerduty_url or PUBLIC, key)

    def trigger(self, key: str, summary: str, severity: Severity, source: str, link: str = "") -> str:
        """Trigger the alert ``key`` and return the key as PagerDuty has it; ``link`` is an address shown with it.

        While the alert is open, sending it again changes nothing. Raises Unreachable with the kind of failure.
        """
        payload = {"summary": summary[:LONGEST_SUMMARY], "source": source, "severity": severity}
        links = {"links": [{"href": link, "text": "Report"}]} if link else {}
        return self._send("trigger", key, payload=payload, **links)

    def acknowledge(self, key: str) -> str:
        """Say that somebody has taken the alert ``key`` on; of one that is not open nothing comes."""
        return self._send("acknowledge", key)

    def resolve(self, key: str) -> str:
        """Say that the alert ``key`` is over; of one that is not open nothing comes."""
        return self._send("resolve", key)

    def _send(self, action: Event, key: str, **more: Any) -> str:
        said = {"routing_key": self._key.reveal(), "event_action": action, "dedup_key": key[:LONGEST_KEY]}
        answer = self._api.send("POST", "enqueue", body=said | more)
        taken = self._api.read(_Taken, "POST enqueue", answer)
        if taken.status != "success":
            raise told(VENDOR, "rejected", "POST enqueue", taken.status)
        return taken.dedup_key

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
