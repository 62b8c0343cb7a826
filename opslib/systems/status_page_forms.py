"""The three forms that vendors' status pages have, told apart by their shape and read into one.

Sources: Atlassian Statuspage's ``summary.json`` (incident.io serves the same, with null for an empty list and without
components in its incidents); Better Stack's ``index.json`` (JSON:API; a report is over when its ``aggregate_state``
says so, not when it has an end); AWS's list of public current events, whose services are named by their codes and
whose ``status`` is 0 (over), 1 (informed of), 2 (degraded) or 3 (disrupted).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, TypeAdapter

from opslib.systems.api import Shape

LONGEST_TITLE = 200
"""Characters of a vendor's own title that are kept."""


class State(StrEnum):
    """How a component is, or what an incident does to it, in our words."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    MAINTENANCE = "maintenance"
    PARTIAL = "partial outage"
    OUTAGE = "outage"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Component:
    """A part of what a vendor offers. ``word`` is its state as the vendor writes it."""

    name: str
    state: State
    word: str
    group: str = ""

    def is_called(self, name: str) -> bool:
        """Tell whether ``name`` means this one, alone or with its group: ``API`` or ``Europe / API``."""
        return name in (self.name, f"{self.group} / {self.name}" if self.group else self.name)


@dataclass(frozen=True)
class Event:
    """An open incident, or a maintenance that is under way or to come. ``components`` is empty where none is named."""

    title: str
    word: str
    impact: State
    components: tuple[str, ...] = ()
    maintenance: bool = False
    begun: bool = True
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True)
class Page:
    """What a status page says. ``components`` is None for a form that lists open events only.

    ``updated`` is when the vendor changed it last, None where the form does not say. ``age`` is how many seconds old
    the answer was when it came, as its headers say.
    """

    form: str
    name: str
    components: tuple[Component, ...] | None
    events: tuple[Event, ...]
    updated: datetime | None = None
    age: float = 0.0


_STATES = {
    "operational": State.OPERATIONAL,
    "degraded_performance": State.DEGRADED,
    "partial_outage": State.PARTIAL,
    "major_outage": State.OUTAGE,
    "full_outage": State.OUTAGE,
    "under_maintenance": State.MAINTENANCE,
    "degraded": State.DEGRADED,
    "downtime": State.OUTAGE,
    "maintenance": State.MAINTENANCE,
}
_IMPACTS = {
    "none": State.OPERATIONAL,
    "minor": State.DEGRADED,
    "major": State.PARTIAL,
    "critical": State.OUTAGE,
    "maintenance": State.MAINTENANCE,
}
_AWS = {"0": State.OPERATIONAL, "1": State.OPERATIONAL, "2": State.DEGRADED, "3": State.OUTAGE}
_OVER = frozenset({"resolved", "postmortem", "completed"})
_TO_COME = "scheduled"


class _Part(Shape):
    id: str = ""
    name: str
    status: str = ""
    group_id: str | None = None


class _Named(Shape):
    name: str


class _Told(Shape):
    name: str
    status: str
    impact: str = ""
    components: tuple[_Named, ...] | None = None
    started: str | None = Field(None, alias="started_at")
    begins: str | None = Field(None, alias="scheduled_for")
    ends: str | None = Field(None, alias="scheduled_until")


class _Head(Shape):
    name: str
    updated: str | None = Field(None, alias="updated_at")


class Statuspage(Shape):
    """Atlassian's summary of a page."""

    page: _Head
    components: tuple[_Part, ...]
    incidents: tuple[_Told, ...] | None
    maintenances: tuple[_Told, ...] | None = Field(alias="scheduled_maintenances")

    def read(self) -> Page:
        """Return what it says."""
        groups = {part.id: part.name for part in self.components}
        parts = tuple(
            Component(
                _short(one.name),
                _STATES.get(one.status, State.UNKNOWN),
                _short(one.status),
                groups.get(one.group_id or "", ""),
            )
            for one in self.components
        )
        events = [_told(one, maintenance=False) for one in self.incidents or () if one.status not in _OVER]
        events += [_told(one, maintenance=True) for one in self.maintenances or () if one.status not in _OVER]
        return Page("statuspage", _short(self.page.name), parts, tuple(events), moment(self.page.updated))


class _Attributes(Shape):
    company_name: str = ""
    state: str = Field("", alias="aggregate_state")
    public_name: str = ""
    status: str = ""
    section: int | str | None = Field(None, alias="status_page_section_id")
    name: str | None = ""
    title: str | None = ""
    kind: str | None = Field("", alias="report_type")
    begins: str | None = Field(None, alias="starts_at")
    ends: str | None = Field(None, alias="ends_at")
    affected: tuple[Mapping[str, Any], ...] | None = Field((), alias="affected_resources")


class _Resource(Shape):
    id: str
    type: str
    attributes: _Attributes


class _Company(Shape):
    attributes: _Attributes


class BetterStack(Shape):
    """Better Stack's document of a page with all that it includes."""

    data: _Company
    included: tuple[_Resource, ...]

    def read(self) -> Page:
        """Return what it says."""
        sections = {one.id: one.attributes.name or "" for one in self.included if one.type == "status_page_section"}
        reports = [one.attributes for one in self.included if one.type == "status_report"]
        parts = {
            one.id: Component(
                _short(one.attributes.public_name),
                _STATES.get(one.attributes.status, State.UNKNOWN),
                _short(one.attributes.status),
                _short(sections.get(str(one.attributes.section), "")),
            )
            for one in self.included
            if one.type == "status_page_resource"
        }
        events = [_report(one, parts) for one in reports if one.state not in _OVER]
        return Page("better stack", _short(self.data.attributes.company_name), tuple(parts.values()), tuple(events))


class _Impacted(Shape):
    current: str | int = ""


class AwsEvent(Shape):
    """One of AWS's public current events; ``service`` is a code such as ``s3-us-east-1``."""

    service: str
    status: str | int
    summary: str = ""
    date: str | int | None = None
    impacted: Mapping[str, _Impacted] = Field(default_factory=dict, alias="impacted_services")

    def read(self) -> Event:
        """Return what it says, with every service that it touches now."""
        touched = [code for code, one in self.impacted.items() if str(one.current) != "0"]
        begun = str(self.date or "")
        return Event(
            _short(self.summary) or _short(self.service),
            _short(str(self.status)),
            _AWS.get(str(self.status), State.UNKNOWN),
            tuple(dict.fromkeys((self.service, *touched))),
            begins=datetime.fromtimestamp(int(begun), UTC) if begun.isdecimal() and len(begun) < 12 else None,
        )


def aws(events: list[AwsEvent]) -> Page:
    """Return what AWS's list says; one whose status is 0 is over."""
    return Page("aws", "AWS", None, tuple(one.read() for one in events if str(one.status) != "0"))


def read(said: Any) -> Page | None:
    """Return what a document says, or None where it has none of the three forms; raises pydantic's ValidationError."""
    if isinstance(said, list):
        return aws(TypeAdapter(list[AwsEvent]).validate_python(said))
    if not isinstance(said, dict):
        return None
    if isinstance(said.get("page"), dict) and "components" in said:
        return Statuspage.model_validate(said).read()
    data = said.get("data")
    is_page = isinstance(data, dict) and data.get("type") == "status_page"
    return BetterStack.model_validate(said).read() if is_page else None


def moment(text: str | None) -> datetime | None:
    """Return a moment as vendors write it, or None where it is none that can be read."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _told(one: _Told, *, maintenance: bool) -> Event:
    return Event(
        _short(one.name),
        _short(one.status),
        State.MAINTENANCE if maintenance else _IMPACTS.get(one.impact, State.UNKNOWN),
        tuple(_short(part.name) for part in one.components or ()),
        maintenance,
        not (maintenance and one.status == _TO_COME),
        moment(one.begins if maintenance else one.started),
        moment(one.ends),
    )


def _report(said: _Attributes, parts: Mapping[str, Component]) -> Event:
    maintenance = "maintenance" in (said.kind, said.state)
    ids = [str(one.get("status_page_resource_id")) for one in said.affected or () if one.get("status") not in _OVER]
    begins = moment(said.begins)
    return Event(
        _short(said.title or "(no title)"),
        _short(said.state),
        State.MAINTENANCE if maintenance else _STATES.get(said.state, State.UNKNOWN),
        tuple(parts[one].name for one in ids if one in parts),
        maintenance,
        not (maintenance and begins is not None and begins > datetime.now(UTC)),
        begins,
        moment(said.ends),
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"
