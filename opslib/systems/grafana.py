"""Grafana: its health, and dashboards by uid with what their panels ask. Reading only.

Source: Grafana's HTTP API: ``/api/health``, ``/api/dashboards/uid/:uid``, ``/api/search``; a service account's token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from opslib.errors import SettingsError, Unreachable
from opslib.settings_observability import Observability
from opslib.systems.api import Api, Shape
from opslib.systems.api_errors import Vendor

VENDOR = Vendor("Grafana", "OPS_READ_GRAFANA_TOKEN", words=(("message",),))
MOST_DEPTH = 5
HEALTH_SECONDS = 3.0
"""How long its own health may take, with all tries: it looks at one database."""


class Health(Shape):
    """Grafana's word on itself; ``database`` is its own."""

    database: str
    version: str = ""


class Panel(Shape):
    """A panel, and what it asks: ``targets`` with an ``expr`` each where the source is a Prometheus."""

    title: str = ""
    type: str = ""
    source: Any = Field(None, alias="datasource")
    targets: tuple[dict[str, Any], ...] = ()
    panels: tuple[Panel, ...] = ()

    @property
    def queries(self) -> list[str]:
        """What it asks of a Prometheus."""
        return [str(one["expr"]) for one in self.targets if isinstance(one.get("expr"), str) and one["expr"].strip()]


class Dashboard(Shape):
    """A dashboard; panels may lie in rows."""

    title: str = ""
    uid: str | None = None
    panels: tuple[Panel, ...] = ()

    def leaves(self) -> list[Panel]:
        """Return every panel that shows something, those of folded rows too."""
        return [one for one in _flat(self.panels, 0) if one.type != "row"]


def _flat(panels: tuple[Panel, ...], depth: int) -> Iterator[Panel]:
    for one in panels:
        yield one
        if depth < MOST_DEPTH:
            yield from _flat(one.panels, depth + 1)


class _Found(Shape):
    dashboard: Dashboard


class Named(Shape):
    """A dashboard as a search lists it."""

    uid: str
    title: str


class ReadOnlyGrafana:
    """The Grafana of a target description; only GET is sent."""

    def __init__(self, settings: Observability) -> None:
        if settings.grafana_url is None:
            raise SettingsError("Grafana is not in the target description.", "Set OPS_GRAFANA_URL.")
        self._api = Api(VENDOR, settings.grafana_url, settings.read_grafana_token)
        self._soon = Api(VENDOR, settings.grafana_url, settings.read_grafana_token, seconds=HEALTH_SECONDS)

    def health(self) -> Health:
        """Return how it is; raises Unreachable (broken) where its database is away."""
        return self._soon.get(Health, "api", "health")

    def dashboard(self, uid: str) -> Dashboard | None:
        """Return a dashboard, or None where there is none of that uid."""
        try:
            return self._api.get(_Found, "api", "dashboards", "uid", uid).dashboard
        except Unreachable as error:
            if error.kind == "missing":
                return None
            raise

    def titled(self, title: str) -> list[Named]:
        """Return the dashboards whose title holds these words."""
        return self._api.get(list[Named], "api", "search", query={"type": "dash-db", "query": title, "limit": 5})

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
        self._soon.close()
