"""The way of a sign-in as a browser goes it: redirects followed by hand, cookies kept, nothing typed in.

Only hosts of the target description are asked; where the way leads elsewhere (an identity provider), it ends there.
Of a cookie its name, length and flags are told, never its value. Source: RFC 6265bis for what browsers store.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.systems.target import ReadTarget
from opslib.systems.web_exchange import Answer

MOST_HOPS = 12
SECONDS = 8.0
REDIRECTS = (301, 302, 303, 307, 308)


def _starts(target: ReadTarget) -> list[tuple[str, str]]:
    settings = target.settings
    front, api = settings.front_end_url, settings.application_url
    found = [("front end", f"{front.rstrip('/')}/")] if front else []
    found += [("front end's sign-in", f"{front.rstrip('/')}{settings.sign_in_path}")] if front else []
    return [*found, *([("API's sign-in", f"{api.rstrip('/')}{settings.sign_in_path}")] if api else [])]


def _hosts(target: ReadTarget) -> frozenset[str]:
    settings = target.settings
    known = (settings.front_end_url, settings.application_url, settings.supabase_site)
    return frozenset(urlsplit(one).netloc for one in known if one)


def _hops(target: ReadTarget) -> list[dict[str, Any]]:
    starts = _starts(target)
    if not starts:
        raise Unreachable("Neither VITE_APP_URL nor VITE_API_BASE_URL is in the target description.", "Set them.")
    return [row for way, address in starts for row in _follow(target, way, address)]


def _follow(target: ReadTarget, way: str, address: str) -> Iterator[dict[str, Any]]:
    """Yield one row a hop until the way ends, leaves the product, comes back to where it was, or is too long."""
    seen: set[str] = set()
    jar: dict[str, dict[str, str]] = {}
    known, url = _hosts(target), address
    for hop in range(MOST_HOPS):
        row: dict[str, Any] = {"way": way, "hop": hop, "address": _shown(url), "status": None, "to": "", "end": ""}
        if url in seen:
            yield row | {"end": "a circle"}
            return
        seen.add(url)
        host = urlsplit(url).netloc
        if host not in known:
            yield row | {"end": "leads elsewhere"}
            return
        try:
            answer = target.web.get(url, deadline=SECONDS, headers=_carried(jar.get(host, {})))
        except OpsError as error:
            yield row | {"end": "no answer", "to": str(error)}
            return
        jar.setdefault(host, {}).update(_kept(answer))
        leads = answer.headers.get("location") if answer.status in REDIRECTS else None
        if leads is None:
            yield row | {"status": answer.status, "end": "arrived"}
            return
        before, url = url, urljoin(url, leads)
        plain = urlsplit(before).scheme == "https" and urlsplit(url).scheme == "http"
        yield row | {"status": answer.status, "to": _shown(url), "end": "leaves TLS" if plain else ""}
    yield {"way": way, "hop": MOST_HOPS, "address": _shown(url), "status": None, "to": "", "end": "too long"}


def _carried(cookies: dict[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


def _kept(answer: Answer) -> dict[str, str]:
    pairs = (one.partition(";")[0].partition("=") for one in answer.cookies)
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip().isascii()}


def _shown(url: str) -> str:
    """Return an address as a report may have it: what is asked may hold a code or a token, so only that it is there."""
    parts = urlsplit(url)
    more = f"?({len(parts.query)} characters)" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{more}"[:200]


def _cookies(target: ReadTarget) -> list[dict[str, Any]]:
    """Ask each start and what it leads to, and return every cookie that an answer sets."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    known, failures = _hosts(target), []
    for _, address in _starts(target):
        url, seen = address, set[str]()
        while url not in seen and urlsplit(url).netloc in known and len(seen) < MOST_HOPS:
            seen.add(url)
            try:
                answer = target.web.get(url, deadline=SECONDS)
            except OpsError as error:
                failures.append(str(error))
                break
            for text in answer.cookies:
                cookie = described(text, url)
                found.setdefault((cookie["set_by"], cookie["cookie"]), cookie)
            leads = answer.headers.get("location") if answer.status in REDIRECTS else None
            url = urljoin(url, leads) if leads else url
    if failures and not found:
        raise Unreachable(failures[0], kind="unreachable")
    return list(found.values())


def described(text: str, url: str) -> dict[str, Any]:
    """Return a Set-Cookie header as far as a browser judges it: name, length, flags, and whether they fit the host."""
    head, *parts = text.split(";")
    flags = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in parts)}
    place = urlsplit(url)
    host = (place.hostname or "").lower()
    name, _, value = head.partition("=")
    return {
        "cookie": name.strip()[:60],
        "set_by": place.netloc,
        "length": len(name.strip()) + len(value.strip()),
        "plain": place.scheme == "http" and not _here(host),
        "secure": "secure" in flags,
        "http_only": "httponly" in flags,
        "same_site": flags.get("samesite", "").lower()[:20],
        "domain": flags.get("domain", "").lstrip(".").lower()[:100],
        "domain_fits": _fits(flags.get("domain", ""), host),
        "path": flags.get("path", "")[:100],
    }


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fits(domain: str, host: str) -> bool:
    wanted = domain.strip().lstrip(".").lower()
    if not wanted or wanted == host:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.endswith(f".{wanted}") and "." in wanted
    return False


way = Probe(
    "authentication-way",
    "Where signing in leads, hop by hop",
    _hops,
    source="GET $VITE_APP_URL, GET OPS_SIGN_IN_PATH at the front end and the API, redirects followed",
)
"""One row a hop: status, where it leads, and how the way ended. What stands behind a ? is not shown."""

cookies = Probe(
    "authentication-cookies",
    "Cookies that are set on the way",
    _cookies,
    source="Set-Cookie of the same answers",
)
"""One row a cookie: flags and length, no value."""
