"""The names that the product uses: what they lead to in DNS, and the certificates that their hosts show."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opslib.errors import OpsError
from opslib.model import Probe, now
from opslib.systems.certificates import Certificate
from opslib.systems.target import ReadTarget

AT_ONCE = 8
LOCAL = "localhost"
MOST_ADDRESSES = 8
MUST = ("VITE_APP_URL", "VITE_API_BASE_URL")
"""Addresses that the guide's own commands use (app. and api.valuecanvas.com)."""
_PORTS = {"https": 443, "http": 80, "rediss": 6379, "redis": 6379, "postgresql": 5432, "postgres": 5432}


@dataclass(frozen=True)
class Place:
    """A host that the product uses: which variable says so, how it is spoken to, and whose certificates count."""

    used: str
    scheme: str
    host: str
    port: int
    ca: Path | None = None

    @property
    def here(self) -> bool:
        """Whether it is this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == LOCAL


def places(target: ReadTarget) -> Iterator[Place]:
    """Yield the hosts of the target description's own addresses."""
    said = target.settings
    addresses = {
        "VITE_APP_URL": said.front_end_url,
        "VITE_API_BASE_URL": said.application_url,
        "VITE_SUPABASE_URL": said.supabase_site,
        "OPS_KUBERNETES_URL": said.kubernetes_url,
        "OPS_READ_DATABASE_URL": said.read_database_url.public,
        "OPS_READ_REDIS_URL": said.read_cache_url.public,
    }
    for used, address in addresses.items():
        if address:
            parts = urlsplit(address)
            port = parts.port or _PORTS.get(parts.scheme, 443)
            ca = said.kubernetes_ca if used == "OPS_KUBERNETES_URL" else None
            yield Place(used, parts.scheme, (parts.hostname or "").lower(), port, ca)


def _names(target: ReadTarget) -> list[dict[str, Any]]:
    used: dict[str, list[str]] = {}
    for place in places(target):
        used.setdefault(place.host, []).append(place.used)
    for name in target.settings.hosts:
        used.setdefault(name.lower(), []).append("OPS_HOSTS")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(lambda host: _name(target, host, ", ".join(used[host])), used))
    return [*rows, *({**_blank(name, name), **one} for name, one in _absent(target))]


def _name(target: ReadTarget, host: str, used: str) -> dict[str, Any]:
    row = _blank(host, used)
    if _literal(host) or host == LOCAL:
        return {**row, "state": "no name", "addresses": [host], "count": 1}
    try:
        found = target.names.look_up(host)
    except OpsError as error:
        return {**row, "state": "not told", "why": str(error)}
    state = "there" if found.addresses else "no address" if found.exists else "not there"
    return {
        **row,
        "state": state,
        "addresses": list(found.addresses[:MOST_ADDRESSES]),
        "count": len(found.addresses),
        "ttl": found.seconds,
        "alias": found.alias or "",
    }


def _blank(host: str, used: str) -> dict[str, Any]:
    return {
        "host": host,
        "used": used,
        "state": "",
        "count": 0,
        "addresses": [],
        "ttl": None,
        "alias": "",
        "why": "",
    }


def _absent(target: ReadTarget) -> Iterator[tuple[str, dict[str, Any]]]:
    said = {place.used for place in places(target)}
    for used in MUST:
        if used not in said:
            yield used, {"state": "not told", "why": f"{used} is not in the target description."}


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _certificates(target: ReadTarget) -> list[dict[str, Any]]:
    unique: dict[tuple[str, int], Place] = {}
    for place in places(target):
        if place.scheme in ("https", "http", "rediss"):
            known = unique.get((place.host, place.port))
            used = f"{known.used}, {place.used}" if known else place.used
            unique[place.host, place.port] = replace(place, used=used)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(lambda place: _certificate(target, place), unique.values()))
    blank = _shown(Place("", "", "", 0), "")
    return [*rows, *({**blank, "host": name, "used": name, **one} for name, one in _absent(target))]


def _certificate(target: ReadTarget, place: Place) -> dict[str, Any]:
    if place.scheme == "http":
        return _shown(place, "plain, on this machine" if place.here else "plain")
    try:
        found = target.certificates.look(place.host, place.port, place.ca)
    except OpsError as error:
        return {**_shown(place, "not told"), "why": str(error)}
    return _shown(place, "trusted" if found.fault is None else "not trusted", found)


def _shown(place: Place, state: str, found: Certificate | None = None) -> dict[str, Any]:
    return {
        "host": f"{place.host}:{place.port}",
        "used": place.used,
        "state": state,
        "days": found and round((found.ends - now()).total_seconds() / 86_400, 1),
        "lifetime": found and round((found.ends - found.begins).total_seconds() / 86_400, 1),
        "ends": found and found.ends.isoformat(timespec="seconds"),
        "names": list(found.names) if found else [],
        "issuer": found.issuer if found else "",
        "protocol": found.protocol if found else "",
        "why": (found.fault or "") if found else "",
    }


names = Probe(
    "dependencies-names",
    "Names that the product uses",
    _names,
    source="A and AAAA of each host in the target description",
    units={"ttl": "s"},
)
"""One row a host: addresses, how long the answer may be kept, the alias behind it, or why nobody knows."""

certificates = Probe(
    "dependencies-certificates",
    "Certificates of the product's hosts",
    _certificates,
    source="openssl s_client -connect HOST:PORT -servername HOST -verify_hostname HOST",
    units={"days": "d", "lifetime": "d"},
)
"""One row a host that is spoken to by HTTP or TLS: days left, names, issuer, and why it is not believed."""
