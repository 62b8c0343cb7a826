"""What breaks around the lab: a vendor that is out, a name that leads nowhere, errors that reach nobody."""

from __future__ import annotations

from opslib.lab.broken import Fault
from opslib.lab.doors import Doors
from opslib.lab.vendors import names
from opslib.lab.vendors.status import PAGES
from opslib.settings import Settings

GONE = "api.together.test"
NAME = "together"


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


FAULTS = (
    Fault(
        "vendor-out",
        "dependencies",
        "Together's status page says that chat completions are out.",
        "dependencies-vendors",
        "disaster/recover-llm",
        vendor_out,
        vendor_back,
    ),
    Fault(
        "name-gone",
        "dependencies",
        "The name of a provider's API does not exist any more.",
        "dependencies-names",
        "disaster/recover-llm",
        name_gone,
        name_back,
    ),
)
