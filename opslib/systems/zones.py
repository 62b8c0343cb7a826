"""Amazon Route 53: a hosted zone and its record sets, as they are kept there; what name servers say is another thing.

Source: Amazon Route 53 API Reference (GetHostedZone, ListResourceRecordSets, GetChange, ChangeResourceRecordSets). The
reading handle refuses every other operation inside botocore, before a request is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opslib.redaction import Secret
from opslib.settings import ReadSettings, Settings
from opslib.systems.object_client import only, opened
from opslib.systems.object_errors import told
from opslib.systems.pending import Pending

LOOKS = frozenset({"GetHostedZone", "ListResourceRecordSets", "GetChange"})
CHANGES = LOOKS | {"ChangeResourceRecordSets"}
SECONDS = 25.0
INSYNC = "INSYNC"
SERVICE = "route-53"

T = TypeVar("T")
RecordSet = Mapping[str, Any]
"""A record set as Route 53 tells it: exactly so it has to be named to be deleted."""


@dataclass(frozen=True)
class Zone:
    """A hosted zone: its name in lower case without the last dot, and the name servers that it was given."""

    id: str
    name: str
    private: bool
    name_servers: tuple[str, ...]


class ReadOnlyZones:
    """Route 53 by the reading credentials of a target description."""

    def __init__(self, settings: ReadSettings) -> None:
        self._open(settings, (settings.read_aws_access_key_id, settings.read_aws_secret_access_key), 3)
        only(self._client, SERVICE, LOOKS, "No record is changed here.")

    def _open(self, settings: ReadSettings, key: tuple[Secret | None, Secret | None], attempts: int) -> None:
        self._client = opened("route53", settings, *key, seconds=10, attempts=attempts)

    def zone(self, identity: str) -> Zone:
        """Return the zone of that id; raises Unreachable (StoreError, code NoSuchHostedZone where there is none)."""
        said = self._ask("GetHostedZone", lambda: self._client.get_hosted_zone(Id=identity))
        zone = said["HostedZone"]
        servers = said.get("DelegationSet", {}).get("NameServers", ())
        return Zone(
            identity,
            plain(zone["Name"]),
            bool(zone.get("Config", {}).get("PrivateZone")),
            tuple(plain(one) for one in servers),
        )

    def at(self, identity: str, name: str) -> tuple[RecordSet, ...]:
        """Return all record sets of exactly that name, by type; raises Unreachable."""
        found: list[RecordSet] = []
        start: dict[str, str] = {"StartRecordName": name}
        while True:
            page = self._page(identity, start)
            sets = page["ResourceRecordSets"]
            found += [_whole(one) for one in sets if plain(one["Name"]) == plain(name)]
            if not page.get("IsTruncated") or (sets and plain(sets[-1]["Name"]) != plain(name)):
                return tuple(sorted(found, key=lambda one: (one["Type"], str(one.get("SetIdentifier", "")))))
            start = {
                request: page[answer]
                for request, answer in (
                    ("StartRecordName", "NextRecordName"),
                    ("StartRecordType", "NextRecordType"),
                    ("StartRecordIdentifier", "NextRecordIdentifier"),
                )
                if page.get(answer)
            }

    def _page(self, identity: str, start: Mapping[str, str]) -> Any:
        def asked() -> Any:
            return self._client.list_resource_record_sets(HostedZoneId=identity, MaxItems="100", **start)

        return self._ask("ListResourceRecordSets", asked)

    def status(self, change: str) -> str:
        """Return how far a change is: PENDING, or INSYNC (which says nothing of resolvers); raises Unreachable."""
        said = self._ask("GetChange", lambda: self._client.get_change(Id=change))
        return str(said["ChangeInfo"]["Status"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, operation: str, call: Callable[[], T]) -> T:
        what = f"Route 53 {operation}"
        return Pending(what, SECONDS, lambda: told(call, what)).result()


class Zones(ReadOnlyZones):
    """Route 53 by the credentials that may change record sets, else the executor's own."""

    def __init__(self, settings: Settings) -> None:
        key = settings.dns_aws_access_key_id, settings.dns_aws_secret_access_key
        if key[0] is None:
            key = settings.aws_access_key_id, settings.aws_secret_access_key
        # One try each: whether a change whose answer was lost was made, the record sets say.
        self._open(settings, key, 1)
        only(self._client, SERVICE, CHANGES, "It changes record sets only.")

    def change(self, identity: str, changes: Sequence[tuple[str, RecordSet]], comment: str) -> str:
        """Make all of ``changes`` (DELETE or CREATE, and the record set) or none of them; returns the change's id.

        A DELETE of what is not exactly so, and a CREATE of what is there, refuse the whole batch (StoreError, code
        InvalidChangeBatch). Raises Unreachable.
        """
        batch = {
            "Comment": comment[:256],
            "Changes": [{"Action": action, "ResourceRecordSet": dict(one)} for action, one in changes],
        }

        def asked() -> Any:
            return self._client.change_resource_record_sets(HostedZoneId=identity, ChangeBatch=batch)

        return str(self._ask("ChangeResourceRecordSets", asked)["ChangeInfo"]["Id"]).rpartition("/")[2]


def plain(name: str) -> str:
    """Return a name in lower case without its last dot, as all names are compared here."""
    return name.rstrip(".").lower()


def _whole(one: Mapping[str, Any]) -> RecordSet:
    """Return a record set as JSON has it, without fields that are empty."""
    return {key: value for key, value in one.items() if value not in (None, [], "")}
