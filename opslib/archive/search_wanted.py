"""What is looked for among archived runs, and what is found: the same for the index here and for the team's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from opslib.archive.searched import Line

EVER = "9"
"""Later than any ISO time."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; what is empty is not asked for. ``since`` and ``until`` are ISO times, the latter excluded.

    ``words`` must all occur in a run, each as a whole word; one that ends with ``*`` is the beginning of one.
    ``name`` is a step's or a check's.
    """

    words: tuple[str, ...] = ()
    notebook: str = ""
    environment: str = ""
    verdict: str = ""
    name: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Found:
    """A run that fits, and the lines of it in which a word or name that was looked for stands.

    ``archive`` is the SHA-256 of the first entry of the archive that holds it; ``place`` where that lay when it was
    last read (host and folder), empty for the archive here.
    """

    run: str
    started: str
    notebook: str
    environment: str
    mode: str
    who: str
    state: str
    verdict: str
    lines: tuple[Line, ...]
    archive: str = ""
    place: str = ""


@dataclass(frozen=True)
class Seen:
    """A check's result in one run: ``value`` is in ``unit``, None where it has no number; its limits in that run.

    ``archive`` and ``place`` as in :class:`Found`.
    """

    run: str
    started: str
    notebook: str
    verdict: str
    value: float | None
    unit: str
    summary: str
    warning: float | None
    critical: float | None
    above: bool
    archive: str = ""
    place: str = ""


class Index(Protocol):
    """By what runs are found. ``added`` is how many it had to read first; ``notes`` is what its reader should know."""

    added: int
    notes: tuple[str, ...]

    def search(self, wanted: Wanted, most: int = 20) -> list[Found]:
        """Return the newest ``most`` runs that fit, newest first."""
        ...

    def history(self, check: str, environment: str, most: int = 1000) -> list[Seen]:
        """Return what a check said in the newest runs of an environment, oldest first."""
        ...

    def verdicts(self, environment: str, since: str) -> list[tuple[str, str, str]]:
        """Return check, run and verdict of the runs of an environment that started since then, oldest first."""
        ...

    def checks(self, environment: str, notebook: str = "") -> list[str]:
        """Return the names of all checks that were ever made in an environment, by one notebook if one is named."""
        ...


def shown(lines: tuple[Line, ...], wanted: Wanted) -> tuple[Line, ...]:
    """Return the lines in which what was looked for stands."""
    return tuple(line for line in lines if _says(line, wanted))


def _says(line: Line, wanted: Wanted) -> bool:
    if wanted.name and line.kind in ("check", "step") and line.name == wanted.name:
        return True
    text = f"{line.name} {line.text}".lower()
    return any(word.rstrip("*").lower() in text for word in wanted.words)
