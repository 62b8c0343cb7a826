"""For tests of Supabase: the stand-in's project, and the vault of the lab, as a test wants them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.vendors import Doors


class Project:
    """The project at the lab's Supabase."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    @property
    def state(self) -> dict[str, Any]:
        """All that the stand-in remembers."""
        found: dict[str, Any] = self.doors.state()["supabase"]
        return found

    def change(self, **said: Any) -> None:
        """Change fields of its state."""
        self.doors.put(supabase={**self.state, **said})

    def secret(self, name: str, value: str | None, updated: str | None = "2026-11-01T09:00:00.000000Z") -> None:
        """Let somebody else set a secret, or delete it."""
        kept = {key: one for key, one in self.state["secrets"].items() if key != name}
        if value is not None:
            kept[name] = {"value": digest(value), "updated_at": updated} if updated else {"value": digest(value)}
        self.change(secrets=kept)

    def function(self, slug: str, **said: Any) -> None:
        """Change fields of one function."""
        functions = self.state["functions"]
        self.change(functions={**functions, slug: {**functions[slug], **said}})

    def posts(self, path: str = "") -> list[dict[str, Any]]:
        """Return the calls that changed something."""
        calls = self.doors.calls("supabase")
        return [call for call in calls if call["method"] not in ("GET", "HEAD") and path in call["path"]]


def digest(value: str) -> str:
    """Return what Supabase lists of a value."""
    return hashlib.sha256(value.encode()).hexdigest()


@contextmanager
def project(settings: Any) -> Iterator[Project]:
    """Put everything back as it was afterwards."""
    doors = Doors(settings)
    with doors.restored():
        doors.forget()
        yield Project(doors)
