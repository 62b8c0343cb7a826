"""Jaeger: which services send traces. Reading only.

Source: Jaeger's API description (v3): ``/api/v3/services``; older servers have ``/api/services`` of their page.
"""

from __future__ import annotations

from dataclasses import replace

from opslib.errors import SettingsError, Unreachable
from opslib.settings_observability import Observability
from opslib.systems.api import Api, Shape
from opslib.systems.api_errors import Vendor

VENDOR = Vendor("Jaeger", "OPS_READ_JAEGER_TOKEN")
OWN = ("jaeger", "jaeger-query", "jaeger-all-in-one")
"""Services that are Jaeger itself: it traces its own questions."""


class _Services(Shape):
    services: tuple[str, ...] = ()


class _Older(Shape):
    data: tuple[str, ...] | None = None


class ReadOnlyJaeger:
    """The Jaeger of a target description; only GET is sent."""

    def __init__(self, settings: Observability) -> None:
        if settings.jaeger_url is None:
            raise SettingsError("Jaeger is not in the target description.", "Set OPS_JAEGER_URL.")
        token = settings.read_jaeger_token
        self._api = Api(VENDOR if token else replace(VENDOR, scheme=""), settings.jaeger_url, token)

    def services(self) -> list[str]:
        """Return the names of the services that have sent traces, Jaeger's own left out."""
        try:
            named = self._api.get(_Services, "api", "v3", "services").services
        except Unreachable as error:
            if error.kind != "missing":
                raise
            named = self._api.get(_Older, "api", "services").data or ()
        return sorted(name for name in named if name not in OWN)

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
