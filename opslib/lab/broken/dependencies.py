"""What breaks around the lab: a vendor that is out, a name that leads nowhere, errors that reach nobody."""

from __future__ import annotations

from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.cloud import API_SECONDS, client
from opslib.lab.doors import Doors, cloud_clock
from opslib.lab.production import SITE
from opslib.lab.vendors import names
from opslib.lab.vendors.status import PAGES
from opslib.settings import Settings

GONE = "api.together.test"
NAME = "together"
DEAD = "127.0.0.9"
"""Where nothing listens."""

OUTSIDE = ("github", "together", "openai")
APART_SECONDS = 1200.0


def vendor_out(settings: Settings) -> None:
    """Let Together's status page say that chat completions are out."""
    _page(settings, "downtime", [{"name": "Inference is down", "status": "investigating", "impact": "critical"}])


def vendor_back(settings: Settings) -> None:
    """Let it say that all is well."""
    _page(settings, "operational", [])


def _page(settings: Settings, state: str, incidents: list[dict[str, object]]) -> None:
    doors = Doors(settings)
    pages, (*_, components) = doors.state()["status"], PAGES[NAME]
    said = {**pages[NAME], "components": {**dict.fromkeys(components, "operational"), components[0]: state}}
    said["incidents"] = [{**one, "components": [components[0]]} for one in incidents]
    doors.put(status={**pages, NAME: said})


def name_gone(settings: Settings) -> None:
    """Take a provider's name out of the name server."""
    doors = Doors(settings)
    known = doors.state()["names"]["names"]
    doors.put(names={"names": {name: said for name, said in known.items() if name != GONE}})


def name_back(settings: Settings) -> None:
    """Put it back, as it was at the beginning."""
    doors = Doors(settings)
    known = doors.state()["names"]["names"]
    doors.put(names={"names": {**known, GONE: names.planted()[GONE]}})


def name_wrong(settings: Settings) -> None:
    """Lead the API's name to an address where nothing is."""
    _lead(settings, DEAD)


def name_right(settings: Settings) -> None:
    """Lead it to its own site, as at the beginning, and nowhere else."""
    _lead(settings, SITE)


def _lead(settings: Settings, address: str) -> None:
    name, zone, store = f"{settings.api_host}.", settings.hosted_zone, client(settings, "route53")
    listed = store.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    records = [{"Value": address}]
    wanted: dict[str, Any] = {"Name": name, "Type": "A", "TTL": API_SECONDS, "ResourceRecords": records}
    gone = [one for one in listed if one["Name"] == name and one["Type"] in ("A", "AAAA", "CNAME") and one != wanted]
    batch = [{"Action": "DELETE", "ResourceRecordSet": one} for one in gone]
    batch.append({"Action": "UPSERT", "ResourceRecordSet": wanted})
    store.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": batch})


def clocks_apart(settings: Settings) -> None:
    """Let everybody outside be twenty minutes ahead, as where this machine's own clock is behind."""
    cloud_clock(settings, APART_SECONDS)
    for vendor in OUTSIDE:
        Doors(settings).fail(vendor, "clock", seconds=APART_SECONDS)


def clocks_agree(settings: Settings) -> None:
    """Let them have the right time again."""
    cloud_clock(settings, 0)
    for vendor in OUTSIDE:
        Doors(settings).mend(vendor, "clock")


FAULTS = (
    Fault(
        "clock-skew",
        "dependencies",
        "This machine's clock is twenty minutes behind everybody's: AWS refuses all that is signed here.",
        "dependencies-clocks",
        "disaster/recover-access",
        clocks_apart,
        clocks_agree,
    ),
    Fault(
        "vendor-out",
        "dependencies",
        "Together's status page says that chat completions are out.",
        "dependencies-vendors",
        "",
        vendor_out,
        vendor_back,
        person="the outage is the vendor's, and so is its end",
    ),
    Fault(
        "name-gone",
        "dependencies",
        "The name of a provider's API does not exist any more.",
        "dependencies-names",
        "",
        name_gone,
        name_back,
        person="the name is the provider's, and is brought back in its own zone",
    ),
    Fault(
        "dns-wrong",
        "dependencies",
        "The API's name leads to an address where nothing is.",
        "dependencies-api-name",
        "disaster/recover-everything",
        name_wrong,
        name_right,
    ),
)
