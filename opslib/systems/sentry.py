"""Sentry: the unresolved issues of one project, how many events it took and dropped, and its releases. Reading only.

Source: Sentry's API description (2026-08): organization issues, ``stats_v2``, releases. Every path ends in a slash.
"""

from __future__ import annotations

from pydantic import Field

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_dependencies import Dependencies
from opslib.systems.api import Api, Query, Shape
from opslib.systems.api_errors import Vendor

PUBLIC = "https://sentry.io"
VENDOR = Vendor("Sentry", "OPS_READ_SENTRY_TOKEN", tail="/")
MOST = 100
"""Issues that one answer can hold; those that touched most users come first."""
RELEASES = 10
QUANTITY = "sum(quantity)"


class Issue(Shape):
    """A group of events of one cause. ``users`` counts those that Sentry could tell apart."""

    id: str
    short: str = Field(alias="shortId")
    title: str
    level: str
    culprit: str | None = None
    events: int = Field(alias="count")
    users: int = Field(alias="userCount")
    first: str | None = Field(None, alias="firstSeen")
    last: str | None = Field(None, alias="lastSeen")
    unhandled: bool | None = Field(None, alias="isUnhandled")
    link: str | None = Field(None, alias="permalink")


class _By(Shape):
    outcome: str
    category: str
    reason: str | None = None


class Outcome(Shape):
    """What became of events of one category: ``by`` says what and why, ``totals`` how many."""

    by: _By
    totals: dict[str, float]

    @property
    def quantity(self) -> int:
        """How many."""
        return int(self.totals.get(QUANTITY, 0))


class _Volume(Shape):
    groups: tuple[Outcome, ...]


class Release(Shape):
    """A version that Sentry knows of. ``new`` is how many issues were first seen in it."""

    version: str
    created: str | None = Field(None, alias="dateCreated")
    new: int = Field(0, alias="newGroups")
    last_event: str | None = Field(None, alias="lastEvent")


class ReadOnlySentry:
    """The project of a target description; only GET is sent."""

    def __init__(self, settings: Dependencies, token: Secret | None) -> None:
        self._api = Api(VENDOR, settings.sentry_url or PUBLIC, token)
        if settings.sentry_organization is None or settings.sentry_project is None:
            raise SettingsError(
                "SENTRY_ORG and SENTRY_PROJECT are not both in the target description.", "Name the project."
            )
        self._project = settings.sentry_project
        self._home = ("api", "0", "organizations", settings.sentry_organization)

    def new_issues(self, hours: int) -> list[Issue]:
        """Return the unresolved issues first seen within ``hours``, those of most users first, at most :data:`MOST`."""
        query: Query = {
            "project": self._project,
            "query": f"is:unresolved firstSeen:-{hours:d}h",
            "statsPeriod": f"{hours:d}h",
            "sort": "user",
            "limit": MOST,
        }
        return self._api.get(list[Issue], *self._home, "issues", query=query)

    def outcomes(self, hours: int) -> list[Outcome]:
        """Return what became of the events of the last ``hours``, by outcome, category and reason."""
        query: Query = {
            "project": self._project,
            "field": QUANTITY,
            "groupBy": ("outcome", "category", "reason"),
            "statsPeriod": f"{hours:d}h",
            "interval": "1h",
        }
        return list(self._api.get(_Volume, *self._home, "stats_v2", query=query).groups)

    def releases(self) -> list[Release]:
        """Return the newest releases, newest first."""
        query: Query = {"project": self._project, "per_page": RELEASES}
        return self._api.get(list[Release], *self._home, "releases", query=query)

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
