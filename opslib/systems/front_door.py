"""A site of the API asked at one of its addresses, by the API's name: as whoever the name led there would ask it.

The address stands in the connection, the name in ``Host`` and in the TLS handshake (SNI), so a site is looked at
before any name leads to it, and its certificate has to fit the name. Scheme and port are those of the API's address.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from opslib.errors import Unreachable
from opslib.settings import ReadSettings
from opslib.systems.web import Reader
from opslib.systems.web_exchange import Answer

SECONDS = 10.0


class FrontDoor(Reader):
    """GET at an address, by the API's name (OPS_API_HOST)."""

    def __init__(self, settings: ReadSettings) -> None:
        super().__init__()
        self.host = settings.api_host
        parts = urlsplit(settings.application_url or f"https://{self.host}")
        self._scheme, self._port = parts.scheme, parts.port or (443 if parts.scheme == "https" else 80)
        self._here_only = settings.environment == "lab"

    def ask(self, address: str, path: str, *, deadline: float = SECONDS) -> Answer:
        """Return what the site at ``address`` (IPv4 or IPv6) answers to GET ``path``, whatever its status.

        Raises Unreachable, with one of the kinds of :mod:`opslib.systems.web`. A lab asks this machine alone.
        """
        place = ipaddress.ip_address(address)
        if self._here_only and not place.is_loopback:
            raise Unreachable(f"{address} is not on this machine, and a lab asks nobody else.", kind="other")
        at = f"[{place}]" if place.version == 6 else str(place)
        usual = {"https": 443, "http": 80}[self._scheme] == self._port
        named = self.host if usual else f"{self.host}:{self._port}"
        return self._ask("GET", f"{self._scheme}://{at}:{self._port}{path}", deadline, {"host": named}, name=self.host)
