"""What the front end's and the API's answers tell browsers: headers that protect, and who may call from elsewhere.

Both are found by asking, as a browser would, without a credential. Sources: RFC 6797 (HSTS), CSP level 3, the Fetch
standard (CORS).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.probes.supabase_site import origin_of
from opslib.systems.target import ReadTarget
from opslib.systems.web_exchange import Answer

HEADERS = (
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
)
LONGEST = 2000
SECONDS = 8.0
HEALTH = "/health"


def _places(target: ReadTarget) -> list[tuple[str, str]]:
    settings = target.settings
    found = [("front end", settings.front_end_url), ("API", settings.application_url)]
    return [(where, address) for where, address in found if address]


def _headers(target: ReadTarget) -> list[dict[str, Any]]:
    places = _places(target)
    if not places:
        raise Unreachable("Neither VITE_APP_URL nor VITE_API_BASE_URL is in the target description.", "Set them.")
    return [row for where, address in places for row in _of_place(target, where, address)]


def _of_place(target: ReadTarget, where: str, address: str) -> Iterator[dict[str, Any]]:
    url = address if where == "front end" else f"{address.rstrip('/')}{HEALTH}"
    row = {"where": where, "address": url, "plain": _plain(address), "status": None, "why": ""}
    try:
        answer = target.web.get(url, deadline=SECONDS)
    except OpsError as error:
        yield row | {"header": "", "value": "", "why": str(error)}
        return
    for name in HEADERS:
        yield row | {"status": answer.status, "header": name, "value": answer.headers.get(name, "")[:LONGEST]}
    if where == "front end":
        for needed in _needed(target):
            yield row | {"status": answer.status, "header": "connect to", "value": needed}


def _plain(address: str) -> str:
    """Return how an address without TLS is one: on this machine, or on another; empty with TLS."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return ""
    try:
        here = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        here = parts.hostname == "localhost"
    return "on this machine" if here else "on another machine"


def _needed(target: ReadTarget) -> list[str]:
    """Return the origins that the front end calls."""
    settings = target.settings
    return list(dict.fromkeys(origin_of(one) for one in (settings.supabase_site, settings.application_url) if one))


def _origins(own: str) -> dict[str, str]:
    """Return the origins that are tried, by what each stands for."""
    host = own.partition("://")[2].partition(":")[0]
    other = "http" if own.startswith("https") else "https"
    return {
        "own": own,
        "foreign": "https://somebody-else.example",
        "null": "null",
        "suffix": f"{own}.somebody-else.example",
        "prefix": f"https://somebody-else-{host}",
        "scheme": f"{other}://{own.partition('://')[2]}",
    }


def _cors(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    if settings.application_url is None or settings.front_end_url is None:
        raise Unreachable("VITE_APP_URL or VITE_API_BASE_URL is not in the target description.", "Set both.")
    url = f"{settings.application_url.rstrip('/')}{HEALTH}"
    rows = []
    for case, origin in _origins(origin_of(settings.front_end_url)).items():
        asked = {"origin": origin, "access-control-request-method": "GET"}
        rows.append(
            _allowed("GET", case, origin, target.browser.get(url, deadline=SECONDS, headers={"origin": origin}))
        )
        rows.append(_allowed("preflight", case, origin, target.browser.preflight(url, asked, deadline=SECONDS)))
    return rows


def _allowed(how: str, case: str, origin: str, answer: Answer) -> dict[str, Any]:
    return {
        "case": case,
        "origin": origin,
        "asked": how,
        "status": answer.status,
        "allows": answer.headers.get("access-control-allow-origin", "")[:200],
        "credentials": answer.headers.get("access-control-allow-credentials", "").lower() == "true",
    }


headers = Probe(
    "security-headers",
    "Headers for browsers",
    _headers,
    source=f"GET $VITE_APP_URL; GET $VITE_API_BASE_URL{HEALTH}",
)
"""One row a place and header, also for those that are not there; and one for each origin that the front end calls."""

cors = Probe(
    "security-cors",
    "Who may call the API from a browser",
    _cors,
    source=f"GET and OPTIONS $VITE_API_BASE_URL{HEALTH} -H Origin: own, foreign, null, alike",
)
"""One row an origin and way of asking: what is allowed, and whether with credentials."""
