"""Rules on record sets of the API's name: what they lead to, what a change of them is, and which are not changed here.

All of it is pure. Source: Amazon Route 53 Developer Guide (routing policies, alias records), RFC 1034 section 3.6.2 (a
CNAME stands alone), RFC 2308 (what is not there is kept, too).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from opslib.settings_sites import literal
from opslib.systems.names_servers import Told
from opslib.systems.zones import RecordSet, Zone, plain

LEADING = ("A", "AAAA", "CNAME")
"""Types that lead to a place; those of one name are changed together, or half of the users stay behind."""
HINTING = ("HTTPS", "SVCB")
"""Types by which browsers may find addresses past these (RFC 9460)."""
POLICIES = {
    "Failover": "failover: Route 53 itself moves it by its health checks",
    "Weight": "weighted: set the weights",
    "Region": "by latency",
    "GeoLocation": "by place",
    "GeoProximityLocation": "by nearness",
    "CidrRoutingConfig": "by the asker's network",
    "MultiValueAnswer": "multivalue",
    "TrafficPolicyInstanceId": "made by a traffic policy",
    "SetIdentifier": "one of several",
    "HealthCheckId": "bound to a health check",
}
"""Fields of record sets of which a plain change would undo somebody's routing, and what each means."""
Change = tuple[str, RecordSet]


def leading(sets: Sequence[RecordSet]) -> tuple[RecordSet, ...]:
    """Return those that lead somewhere."""
    return tuple(one for one in sets if one["Type"] in LEADING)


def values(one: RecordSet) -> list[str]:
    """Return what a record set holds, in order."""
    if alias := one.get("AliasTarget"):
        return [f"alias of {plain(alias['DNSName'])}"]
    return sorted(str(record["Value"]) for record in one.get("ResourceRecords", ()))


def said(sets: Sequence[RecordSet]) -> dict[str, str]:
    """Return each type with its values and its time to live, as people read it."""
    return {
        one["Type"]: ", ".join(values(one)) + (f" (TTL {one['TTL']} s)" if "TTL" in one else "")
        for one in sorted(sets, key=lambda one: str(one["Type"]))
    }


def wanted(name: str, places: Sequence[str], ttl: int) -> tuple[RecordSet, ...]:
    """Return the record sets by which ``name`` leads to ``places``: addresses, or one other name."""
    if not all(map(literal, places)):
        return (_set(name, "CNAME", ttl, [f"{places[0]}."]),)
    kinds = {kind: [one for one in places if ipaddress.ip_address(one).version == of] for kind, of in _VERSIONS}
    return tuple(_set(name, kind, ttl, sorted(found)) for kind, found in kinds.items() if found)


_VERSIONS = (("A", 4), ("AAAA", 6))


def _set(name: str, kind: str, ttl: int, held: Sequence[str]) -> RecordSet:
    records = [{"Value": one} for one in held]
    return {"Name": f"{name}.", "Type": kind, "TTL": ttl, "ResourceRecords": records}


def same(one: Sequence[RecordSet], other: Sequence[RecordSet]) -> bool:
    """Tell whether both are the same record sets, whatever order they and their values are told in."""
    return sorted(map(_key, one)) == sorted(map(_key, other))


def leads_to(sets: Sequence[RecordSet], places: Sequence[str]) -> bool:
    """Tell whether the record sets lead to exactly ``places``, whatever their time to live is."""
    held = [value for one in sets for value in values(one)]
    found = {place for value in held if (place := _place(value)) is not None}
    if len(places) == 1 and not literal(places[0]):
        # A console's alias of a load balancer has "dualstack." before the name that the balancer tells.
        return {one.removeprefix("dualstack.") for one in found} == {plain(places[0]).removeprefix("dualstack.")}
    return found == {str(ipaddress.ip_address(one)) for one in places}


def _place(value: str) -> str | None:
    text = value.removeprefix("alias of ")
    return str(ipaddress.ip_address(text)) if literal(text) else plain(text)


def changes(before: Sequence[RecordSet], after: Sequence[RecordSet]) -> list[Change]:
    """Return what leads from one to the other: deletions first, each of exactly what is there, then creations.

    As one batch all or nothing of it is made; a record that moved meanwhile makes it fail, which UPSERT would not.
    """
    gone = [one for one in before if not any(same([one], [other]) for other in after)]
    new = [one for one in after if not any(same([one], [other]) for other in before)]
    return [*(("DELETE", one) for one in gone), *(("CREATE", one) for one in new)]


def _key(one: RecordSet) -> str:
    rest = {key: value for key, value in one.items() if key not in ("Name", "ResourceRecords")}
    return f"{plain(one['Name'])} {sorted(rest.items(), key=str)} {values(one)}"


def unfit(zone: Zone, name: str, sets: Sequence[RecordSet], above: Sequence[RecordSet], to_name: bool) -> str | None:
    """Return why the name's record sets in that zone are not changed here, or None.

    ``above`` are those of the names between it and the zone's own; ``to_name``: it is to lead to another name.
    """
    if zone.private:
        return f"the zone {zone.id} is private: nobody outside its networks sees it"
    if plain(name) != zone.name and not plain(name).endswith(f".{zone.name}"):
        return f"{name} is not in the zone {zone.id}, which is {zone.name}"
    if plain(name) != zone.name and (cut := next((one for one in (*sets, *above) if one["Type"] == "NS"), None)):
        return f"{plain(cut['Name'])} is delegated to another zone, so this one does not answer for {name}"
    if not leading(sets):
        return f"there is no record of {name} in the zone {zone.id} (a wildcard is no record of it)"
    for one in sets:
        if policy := next((field for field in POLICIES if field in one), None):
            return f"the {one['Type']} record of {name} is routed ({POLICIES[policy]})"
    if hint := next((one for one in sets if one["Type"] in HINTING), None):
        return f"{name} has a record of type {hint['Type']}, by which browsers would still find the old place"
    if to_name and (plain(name) == zone.name or len(sets) > len(leading(sets))):
        return f"{name} has other records as well, beside which no CNAME may stand"
    return None


def limits(before: Sequence[RecordSet], after: Sequence[RecordSet], told: Sequence[Told]) -> dict[str, int | None]:
    """Return for how many seconds resolvers may still answer as before (``old``), and that nothing is there (``none``).

    An alias has no time to live of its own: the name servers' answers say it. None where nobody does. ``none`` counts
    only where a type of record is new: a resolver may have kept that it is not there.
    """
    known = [int(one["TTL"]) for one in before if "TTL" in one]
    if len(known) < len(before):
        known += [one.seconds for one in told if one.seconds is not None]
    new = {one["Type"] for one in after} - {one["Type"] for one in before} - {"CNAME"}
    empty = [one.empty_seconds for one in told if one.empty_seconds is not None] if new else []
    return {"old": max(known, default=None), "none": max(empty, default=None)}


def answered(sets: Sequence[RecordSet], told: Told, others: Sequence[str] = ()) -> bool:
    """Tell whether a server's answer is that of these record sets.

    What an alias of Route 53's own leads to stands in no record: then it has to lead somewhere, and to none of
    ``others``, the places that it must not lead to any more.
    """
    if told.why:
        return False
    if any("AliasTarget" in one for one in sets):
        return bool(told.addresses) and not set(told.addresses) & set(others)
    held = {one["Type"]: values(one) for one in sets}
    if "CNAME" in held:
        return told.alias == plain(held["CNAME"][0])
    wished = {str(ipaddress.ip_address(one)) for found in held.values() for one in found}
    return told.alias is None and {str(ipaddress.ip_address(one)) for one in told.addresses} == wished


def plain_sets(sets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return record sets as JSON keeps them, for a plan: they are the undo's batch."""
    return [dict(one) for one in sets]
