"""For tests of deployment workflows: the stand-in's repository as a test wants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opslib.lab.vendors.github import PATH, WORKFLOW
from tests.vendors import Doors


class Repository:
    """The repository at the lab's GitHub."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    @property
    def runs(self) -> list[dict[str, Any]]:
        """All runs, oldest first."""
        found: list[dict[str, Any]] = self.doors.state()["github"]["runs"]
        return found

    def change(self, **said: Any) -> None:
        """Change fields of its state."""
        self.doors.put(github={**self.doors.state()["github"], **said})

    def file(self, text: str) -> None:
        """Change the workflow's file."""
        self.change(files={PATH: text})

    def push(self, commit: str) -> None:
        """Move main."""
        self.change(heads={"main": commit})


@contextmanager
def repository(settings: Any) -> Iterator[Repository]:
    """Let there be one run only, each job take no time, and put everything back afterwards."""
    doors = Doors(settings)
    with doors.restored():
        made = Repository(doors)
        made.change(files={PATH: WORKFLOW}, job_seconds=0.02, runs=made.runs[-1:])
        yield made
