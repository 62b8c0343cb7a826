"""Where the API's name leads, asked of everybody who answers for it, and whether the API is there; and the other site.

What Route 53 keeps, what each of the zone's name servers says and what resolvers have kept are three things, and a
row each: ``dig`` alone shows one of them, and not which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from opslib.errors import OpsError, Refused, Unreachable
from opslib.model import Probe
from opslib.probes import application_ready, database_ways
from opslib.probes import dependencies_records as records
from opslib.probes.database_servers import STANDBY
from opslib.settings import ReadSettings
from opslib.settings_sites import literal
from opslib.systems.names_servers import Server, Told, resolvers, server
from opslib.systems.target import ReadTarget
from opslib.systems.zones import RecordSet, Zone, plain

Which = Literal["recovery", "own"]
ZONE, NAME_SERVER, RESOLVER = "zone", "name server", "resolver"
AT_ONCE = 8
WELL = ("ready", "without spare")
"""What a site says that serves; "without spare": one provider of language models is away, and the other serves."""


@dataclass(frozen=True)
class Kept:
    """What Route 53 keeps of the API's name: its zone, the record sets of the name, and those of names above it."""

    zone: Zone
    sets: tuple[RecordSet, ...]
    above: tuple[RecordSet, ...]


@dataclass(frozen=True)
class Data:
    """How old the other site's data is: ``seconds`` at most (None: nobody knows), and why."""

    seconds: float | None
    says: str


def kept(target: ReadTarget) -> Kept:
    """Return what Route 53 keeps; raises Unreachable, also where no zone is described."""
    settings = target.settings
    if settings.hosted_zone is None:
        raise Unreachable("No zone is described.", "Set HOSTED_ZONE_ID.", "missing")
    zone = target.zones.zone(settings.hosted_zone)
    labels = plain(settings.api_host).split(".")
    names = [".".join(labels[number:]) for number in range(1, len(labels))]
    between = [name for name in names if name.endswith(f".{zone.name}")]
    above = [one for name in between for one in target.zones.at(zone.id, name)]
    return Kept(zone, target.zones.at(zone.id, settings.api_host), tuple(above))


def places(settings: ReadSettings, which: Which) -> tuple[str, ...]:
    """Return the places of a site; raises Refused where the description has none."""
    found, variable = (
        (settings.recovery_site, "OPS_RECOVERY_SITE") if which == "recovery" else (settings.site, "OPS_SITE")
    )
    if not found:
        raise Refused(f"The target description does not say where the {which} site is.", f"Set {variable}.")
    return found


def site_of(settings: ReadSettings, sets: Sequence[RecordSet]) -> str:
    """Return which site record sets lead to: own, recovery, elsewhere; "?" where none is described."""
    if settings.site and records.leads_to(sets, settings.site):
        return "own"
    if settings.recovery_site and records.leads_to(sets, settings.recovery_site):
        return "recovery"
    return "elsewhere" if settings.site else "?"


def authoritative(target: ReadTarget, zone: Zone) -> tuple[Server, ...]:
    """Return the zone's name servers, each by its address; raises Unreachable where one has none."""
    if target.settings.name_servers:
        return tuple(server(one, one) for one in target.settings.name_servers)
    found = []
    for name in zone.name_servers:
        addresses = target.names.look_up(name).addresses
        if not addresses:
            raise Unreachable(f"The name server {name} of the zone has no address.", "Look at its name.", "dns")
        found.append(Server(name, addresses[0]))
    return tuple(found)


def asked(settings: ReadSettings) -> tuple[Server, ...]:
    """Return the resolvers that are asked: the description's or this machine's, and those of others."""
    return resolvers(settings.resolver, settings.public_resolvers)


def at_door(target: ReadTarget, address: str) -> tuple[str, str]:
    """Return how the API is at an address, asked by its name: ready, without spare, not ready, …; and why.

    Without an answer it is the kind of the failure (``refused``, ``tls``, ``slow`` …).
    """
    try:
        row = application_ready.row_of(address, target.front_door.ask(address, application_ready.ROUTE))
    except Unreachable as error:
        return error.kind or "other", str(error)
    state = application_ready.state(row)
    ill = application_ready.ill(row)
    return state, "" if state == "ready" else f"status {row['status']}" + (f", ill: {', '.join(ill)}" if ill else "")


def site_rows(target: ReadTarget, which: Which) -> list[dict[str, Any]]:
    """Return a row per address of a site, and how the API is there; raises Refused where none is described."""
    addresses: list[str] = []
    for place in places(target.settings, which):
        addresses += [place] if literal(place) else target.names.look_up(place).addresses
    if not addresses:
        return [{"site": which, "address": "", "state": "no address", "why": "its name has no address"}]
    return [
        {"site": which, "address": address, "state": state, "why": why}
        for address, (state, why) in _doors(target, addresses).items()
    ]


def data_of(target: ReadTarget) -> Data:
    """Return how old the data is that the recovery site serves (OPS_RECOVERY_DATA)."""
    kind = target.settings.recovery_data
    if kind is None:
        return Data(None, "the description does not say whose data it serves (OPS_RECOVERY_DATA)")
    if kind == "shared":
        return Data(0.0, "it serves from the same database, which its own readiness asks")
    facts = database_ways.facts(target)
    standby = facts.server(STANDBY)
    if kind == "standby" and standby is not None and standby["answers"] and not standby["standby"]:
        return Data(0.0, f"{standby['address']} takes writes: it was promoted")
    name = database_ways.FAILOVER if kind == "standby" else database_ways.DUMP
    way = next(one for one in database_ways.ways_back(facts) if one.way == name)
    if way.open:
        more = (
            "it takes no writes until it is promoted"
            if kind == "standby"
            else "that it was restored there, nobody sees"
        )
        return Data(way.loses_seconds, f"{way.says}; {more}")
    return Data(None, way.says)


def _doors(target: ReadTarget, addresses: Sequence[str]) -> dict[str, tuple[str, str]]:
    unique = list(dict.fromkeys(addresses))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(unique, pool.map(lambda one: at_door(target, one), unique), strict=True))


def _answers(target: ReadTarget) -> list[dict[str, Any]]:
    held = kept(target)
    try:
        servers, lost = authoritative(target, held.zone), []
    except OpsError as error:
        servers, lost = (), [_row(NAME_SERVER, "?", why=str(error))]
    told = target.name_servers.ask((*servers, *asked(target.settings)), target.settings.api_host)
    doors = _doors(target, [address for one in told for address in one.addresses])
    rows = [_zone_row(target.settings, held), *lost]
    for one in told:
        role = RESOLVER if one.server.resolves else NAME_SERVER
        row = _row(role, one.server.name, one, records.answered(records.leading(held.sets), one), one.why)
        states = [doors[address] for address in one.addresses]
        rows.append(row | {"ready": ", ".join(state for state, _ in states)})
    return rows


def _zone_row(settings: ReadSettings, held: Kept) -> dict[str, Any]:
    sets = records.leading(held.sets)
    why = records.unfit(held.zone, settings.api_host, held.sets, held.above, to_name=False) or ""
    row = _row(ZONE, held.zone.id, why=why)
    return row | {
        "addresses": [value for one in sets for value in records.values(one)],
        "ttl": max((one["TTL"] for one in sets if "TTL" in one), default=None),
        "site": site_of(settings, sets),
        "there": bool(sets),
    }


def _row(role: str, name: str, told: Told | None = None, agrees: bool = True, why: str = "") -> dict[str, Any]:
    return {
        "role": role,
        "asked": name,
        "addresses": list(told.addresses) if told else [],
        "alias": (told.alias or "") if told else "",
        "ttl": told.seconds if told else None,
        "site": "",
        "there": bool(told and told.addresses),
        "agrees": agrees,
        "ready": "",
        "why": why,
    }


def _sites(target: ReadTarget) -> list[dict[str, Any]]:
    return [row for which in ("own", "recovery") for row in _site(target, which)]


def _site(target: ReadTarget, which: Literal["own", "recovery"]) -> Iterator[dict[str, Any]]:
    try:
        rows = site_rows(target, which)
    except OpsError as error:
        rows = [{"site": which, "address": "", "state": "not told", "why": str(error)}]
    data = data_of(target) if which == "recovery" else Data(0.0, "its own")
    for row in rows:
        yield {**row, "data_seconds": data.seconds, "data": data.says}


answers = Probe(
    "dependencies-api-name",
    "Where the API's name leads, by who is asked",
    _answers,
    source="route53 list-resource-record-sets · dig NAME A/AAAA @each name server and resolver · GET /health/ready",
    units={"ttl": "s"},
)
"""A row per zone, name server, resolver: addresses, ttl, whether it agrees with the zone, whether the API is there."""

sites = Probe(
    "dependencies-sites",
    "The API's own site and its recovery site, asked by the API's name",
    _sites,
    source="GET /health/ready at each address, with the API's name in Host and SNI",
    units={"data_seconds": "s"},
)
"""A row per address: state (ready, refused, …), and how old the data is that the recovery site serves."""
