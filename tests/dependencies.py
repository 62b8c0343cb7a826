"""For tests of what depends on others: vendors' status pages, the lab's name server, Sentry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.vendors import Doors


class Elsewhere:
    """What the lab's stand-ins of others remember."""

    def __init__(self, settings: Any) -> None:
        self.doors = Doors(settings)

    def page(self, vendor: str, **said: Any) -> None:
        """Change fields of one status page."""
        state = self.doors.state()["status"]
        self.doors.put(status={**state, vendor: {**state[vendor], **said}})

    def component(self, vendor: str, name: str, state: str) -> None:
        """Change the state of one component."""
        known = self.doors.state()["status"][vendor]["components"]
        self.page(vendor, components={**known, name: state})

    def incident(self, vendor: str, *components: str, **said: Any) -> None:
        """Open one incident."""
        one = {"name": "Elevated errors", "status": "investigating", "impact": "minor", "components": components}
        self.page(vendor, incidents=[{**one, **said}])

    def maintenance(self, vendor: str, *components: str, hours: float = 3, **said: Any) -> None:
        """Plan one maintenance that begins in so many hours."""
        begins, ends = (datetime.now(UTC) + timedelta(hours=hours + more) for more in (0, 2))
        one = {"name": "Upgrade", "status": "scheduled", "impact": "maintenance", "components": components}
        self.page(vendor, maintenances=[{**one, "begins": begins.isoformat(), "ends": ends.isoformat(), **said}])

    def name(self, name: str, **said: Any) -> None:
        """Change what the name server says of one name; without fields it does not exist any more."""
        names = self.doors.state()["names"]["names"]
        kept = {key: one for key, one in names.items() if key != name}
        self.doors.put(names={"names": kept | ({name: {**names[name], **said}} if said else {})})

    def sentry(self, **said: Any) -> None:
        """Change fields of Sentry's state."""
        self.doors.put(sentry={**self.doors.state()["sentry"], **said})

    def issue(self, **said: Any) -> None:
        """Let one new issue come."""
        one = {"short": "VC-9", "title": "Case list is empty", "level": "error", "users": 4, "events": 9}
        known = self.doors.state()["sentry"]["issues"]
        self.sentry(issues=[*known, {**one, "status": "unresolved", "hours": 2, **said}])


@contextmanager
def elsewhere(settings: Any) -> Iterator[Elsewhere]:
    """Put everything back as it was afterwards."""
    made = Elsewhere(settings)
    with made.doors.restored():
        made.doors.forget()
        yield made
