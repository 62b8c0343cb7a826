"""For tests of who watches the target: what the lab's Prometheus remembers, put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opslib.lab.broken.watchers import episode
from opslib.lab.doors import change
from tests.vendors import Doors


class Watchers:
    """The lab's stand-ins of who watches it."""

    def __init__(self, settings: Any) -> None:
        self.settings, self.doors = settings, Doors(settings)

    def prometheus(self, **said: Any) -> None:
        """Change fields of Prometheus' state."""
        change(self.settings, "prometheus", **said)

    def put(self, name: str, **said: Any) -> None:
        """Change fields of another stand-in's state."""
        change(self.settings, name, **said)

    def episode(self, kind: str, begin: float, end: float = 0, share: float = 1.0) -> None:
        """Let the planted traffic be otherwise from so many hours ago until so many hours ago."""
        episode(self.settings, f"{kind}-{begin}-{end}", kind=kind, share=share, **{"from": begin, "to": end})


@contextmanager
def watchers(settings: Any) -> Iterator[Watchers]:
    """Put everything back as it was afterwards."""
    made = Watchers(settings)
    with made.doors.restored():
        made.doors.forget()
        yield made
