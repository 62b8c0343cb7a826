"""moto's server, as strict about record sets as Route 53: ``python -m opslib.lab.aws``, with moto's own options.

moto judges a batch by what it was ever told, so it deletes what somebody changed meanwhile, and refuses to create what
was there once. Route 53 judges by what is there: a deletion has to name exactly that, a creation something new, or
nothing of the batch is done. Source: Route 53 API Reference, ChangeResourceRecordSets.

Its clock may be set apart (``PUT /_lab/clock``, seconds that it is ahead): it then refuses what is signed at another
time, as AWS does (:mod:`opslib.lab.aws_clock`). A bucket's policy that denies is kept to
(:mod:`opslib.lab.aws_policy`), and that of the backups is changed by its owner alone (:mod:`opslib.lab.aws_owner`).
Logs Insights answers (:mod:`opslib.lab.aws_insights`). A listing copies no content (:mod:`opslib.lab.aws_listing`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import FakeZone, RecordSet, Route53Backend
from moto.s3.models import FakeKey
from moto.server import main

from opslib.lab import aws_clock, aws_insights, aws_listing, aws_owner, aws_policy

Key = tuple[str, str, str]
_change = Route53Backend.change_resource_record_sets


def refusal(zone: FakeZone, changes: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why Route 53 would refuse the batch for the record sets that the zone has, or None."""
    there = {_key(one.name, one.type, one.set_identifier): _held(one) for one in zone.rrsets}
    for change in changes:
        said = change["ResourceRecordSet"]
        key, action = _key(said["Name"], said["Type"], said.get("SetIdentifier")), change["Action"]
        what = f"resource record set [name='{key[0]}.', type='{key[1]}']"
        if action == "DELETE" and key not in there:
            return f"Tried to delete {what} but it was not found"
        if action == "DELETE" and there[key] != _asked(said):
            return f"Tried to delete {what} but the values provided do not match the current values"
        if action == "CREATE" and key in there:
            return f"Tried to create {what} but it already exists"
        if action == "DELETE":
            del there[key]
        else:
            there[key] = _asked(said)
    return None


def _strict(self: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    if why := refusal(self.get_hosted_zone(zoneid), change_list):
        raise Route53ClientError("InvalidChangeBatch", why)
    # What is created after that judgement is new; moto would still refuse it for what was there once.
    _change(self, zoneid, [{**one, "Action": one["Action"].replace("CREATE", "UPSERT")} for one in change_list])


def _key(name: str, kind: str | None, identifier: str | None) -> Key:
    return name.rstrip(".").lower(), str(kind), identifier or ""


def _held(one: RecordSet) -> tuple[str, tuple[str, ...], str]:
    return str(one.ttl or ""), tuple(sorted(one.records or ())), str((one.alias_target or {}).get("DNSName", ""))


def _asked(said: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    values = tuple(sorted(one["Value"] for one in said.get("ResourceRecords") or ()))
    return str(said.get("TTL") or ""), values, str((said.get("AliasTarget") or {}).get("DNSName", ""))


if __name__ == "__main__":
    # moto would look through its folders at each request.
    names = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: names
    Route53Backend.change_resource_record_sets = _strict  # type: ignore[method-assign]
    FakeKey.__deepcopy__ = aws_listing.listed  # type: ignore[attr-defined]
    call = aws_clock.clocked(
        aws_insights.asking(aws_owner.owned(aws_policy.guarded(DomainDispatcherApplication.__call__)))
    )
    DomainDispatcherApplication.__call__ = call  # type: ignore[method-assign, assignment]
    MotoRequestHandler.date_time_string = aws_clock.date  # type: ignore[method-assign, assignment]
    main(sys.argv[1:])
