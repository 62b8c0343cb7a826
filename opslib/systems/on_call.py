"""PagerDuty's REST API: who is on call, which incidents are open, what became of each. Reading only.

Source: PagerDuty REST API description (oncalls, incidents, log_entries). The key goes as ``Token token=…``; pages by
``limit`` and ``offset`` while ``more`` is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from pydantic import AliasPath, Field

from opslib.errors import SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings_on_call import OnCall
from opslib.systems.api import Api, Query, Shape
from opslib.systems.api_errors import Vendor

PUBLIC = "https://api.pagerduty.com"
VENDOR = Vendor(
    "PagerDuty",
    "OPS_READ_PAGERDUTY_TOKEN",
    scheme="Token",
    headers={"accept": "application/vnd.pagerduty+json;version=2"},
)
PER_PAGE, MOST_PAGES = 100, 20
"""2 000 entries: more than a service has in a quarter that anybody could still handle."""


class Agent(Shape):
    """Who did something: ``type`` is user_reference, service_reference or integration_reference."""

    id: str
    type: str
    summary: str | None = None

    @property
    def person(self) -> bool:
        """Whether it is a person."""
        return self.type.startswith("user")


class Shift(Shape):
    """One shift of one level; without ``start`` or ``end`` it has none."""

    user: Agent
    level: int = Field(alias="escalation_level")
    start: datetime | None = None
    end: datetime | None = None
    schedule: Agent | None = None


class Incident(Shape):
    """One open incident; ``acknowledged`` is when somebody first took it on."""

    id: str
    number: int = Field(alias="incident_number")
    title: str = ""
    status: str
    created: datetime = Field(alias="created_at")
    urgency: str = ""
    service: Agent
    acknowledgements: tuple[dict[str, object], ...] = ()
    address: str | None = Field(None, alias="html_url")


class Entry(Shape):
    """One line of an incident's log."""

    type: str
    created: datetime = Field(alias="created_at")
    agent: Agent
    incident: str = Field(validation_alias=AliasPath("incident", "id"))
    service: str | None = Field(None, validation_alias=AliasPath("service", "id"))


class _Page(Shape):
    more: bool = False


class _Shifts(_Page):
    items: tuple[Shift, ...] = Field(alias="oncalls")


class _Incidents(_Page):
    items: tuple[Incident, ...] = Field(alias="incidents")


class _Entries(_Page):
    items: tuple[Entry, ...] = Field(alias="log_entries")


P = TypeVar("P", _Shifts, _Incidents, _Entries)


class ReadOnlyOnCall:
    """The rotation and incidents of a target description; only GET is sent."""

    def __init__(self, settings: OnCall) -> None:
        key = settings.read_pagerduty_token
        sent = None if key is None else Secret(f"token={key.reveal()}")
        self._api = Api(VENDOR, settings.on_call_url or PUBLIC, sent)
        self._policy, self._service = settings.escalation_policy, settings.pagerduty_service

    def shifts(self, since: datetime, until: datetime) -> list[Shift]:
        """Return the shifts of the policy that touch a time, every level's; raises SettingsError without a policy."""
        if self._policy is None:
            raise SettingsError("OPS_ESCALATION_POLICY is not in the target description.", "Name the policy's id.")
        query = {"escalation_policy_ids[]": self._policy, "since": _said(since), "until": _said(until)}
        return [shift for page in self._pages(_Shifts, "oncalls", query) for shift in page.items]

    def open_incidents(self) -> list[Incident]:
        """Return every incident that is not resolved, however old."""
        query: dict[str, str | tuple[str, ...] | None] = {
            "statuses[]": ("triggered", "acknowledged"),
            "service_ids[]": self._service,
            "date_range": "all",
        }
        return [one for page in self._pages(_Incidents, "incidents", query) for one in page.items]

    def incident(self, key: str) -> Incident | None:
        """Return the newest incident whose alert was told with this key, whatever became of it; None for none."""
        query: Query = {"incident_key": key, "date_range": "all"}
        found = [one for page in self._pages(_Incidents, "incidents", query) for one in page.items]
        return max(found, key=lambda one: one.created, default=None)

    def entries(self, since: datetime, until: datetime) -> list[Entry]:
        """Return what happened to incidents of the service within a time, the important of it alone."""
        query = {"since": _said(since), "until": _said(until), "is_overview": "true"}
        found = [entry for page in self._pages(_Entries, "log_entries", query) for entry in page.items]
        return [entry for entry in found if self._service in (None, entry.service)]

    def _pages(self, shape: type[P], path: str, query: Query) -> Iterator[P]:
        for number in range(MOST_PAGES):
            page = self._api.get(shape, path, query={**query, "limit": PER_PAGE, "offset": number * PER_PAGE})
            yield page
            if not page.more:
                return
        raise Unreachable(
            f"PagerDuty has more than {MOST_PAGES * PER_PAGE} {path} then.",
            "Ask for a shorter time.",
            "limited",
        )

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


def _said(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
