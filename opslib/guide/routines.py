"""The guide's routines as data: each line of its lists, which checks show it, and whether a person has to say so.

``routines.tsv`` holds the 41 lines of the guide's "Routine Maintenance" and "Production Checklist". A line is shown by
checks of the areas, by their names; by a person's signed word where no machine can know; or by both. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from opslib.errors import UsageError
from opslib.guide.catalogue import items

Routine = Literal["daily", "weekly", "monthly", "production-readiness", "post-deployment-watch"]
ROUTINES: tuple[Routine, ...] = get_args(Routine)
Wanted = Literal["none", "also", "else", "only"]
"""A person's word: ``none`` counts; ``also`` beside the checks; ``else`` where the checks cannot know; ``only`` it."""

WANTED: tuple[Wanted, ...] = get_args(Wanted)
FOLDER = "routines"
COMMIT = "commit"
_DAYS = {"1 day": 1, "7 days": 7, "31 days": 31}


@dataclass(frozen=True)
class Line:
    """One line of a list of the guide's.

    ``cell`` of its routine's notebook shows it; ``checks`` are its evidence, by name; ``word`` says whether a person's
    counts, ``holds`` for how long one does: for some days, or for one commit. ``shows`` is the notebook with more.
    """

    item: str
    cell: str
    checks: tuple[str, ...]
    word: Wanted
    holds: str
    shows: str

    @property
    def routine(self) -> Routine:
        """The routine that the line belongs to."""
        return routine(items()[self.item].notebook)

    @property
    def says(self) -> str:
        """The guide's words, without the list's name."""
        return items()[self.item].item.partition(": ")[2]

    @property
    def of_commit(self) -> bool:
        """Whether a word is of one commit and of no other."""
        return self.holds == COMMIT

    @property
    def days(self) -> timedelta | None:
        """For how long a word counts; None where that is no matter of time."""
        return timedelta(days=_DAYS[self.holds]) if self.holds in _DAYS else None


def routine(notebook: str) -> Routine:
    """Return the routine of a notebook's name, with or without its folder; raises UsageError for another."""
    name = notebook.removeprefix(f"{FOLDER}/")
    for known in ROUTINES:
        if known == name:
            return known
    raise UsageError(f"There is no routine {notebook!r}.", f"There are: {', '.join(ROUTINES)}.")


@cache
def lines() -> dict[str, Line]:
    """Return every line by its guide item, in the guide's order; raises ValueError for a table that is none."""
    text = files("opslib.guide").joinpath("routines.tsv").read_text(encoding="utf-8")
    found = [_line(row) for row in text.splitlines()[1:]]
    return {line.item: line for line in found}


def _line(row: str) -> Line:
    item, cell, checks, word, holds, shows = row.split("\t")
    names = () if checks == "-" else tuple(checks.split(","))
    wanted = next((known for known in WANTED if known == word), None)
    if wanted is None or holds not in {"-", COMMIT, *_DAYS}:
        raise ValueError(f"{item}: {word!r} for {holds!r} is nothing that a line wants")
    if bool(names) is (wanted == "only") or (holds == "-") is not (wanted == "none"):
        raise ValueError(f"{item}: needs checks or a word, and each word has a time for which it counts")
    return Line(item, cell, names, wanted, holds, shows)


def lines_of(name: str) -> tuple[Line, ...]:
    """Return the lines of one routine, in the guide's order; raises UsageError for a name that is none."""
    known = routine(name)
    return tuple(line for line in lines().values() if line.routine == known)


def line(item: str) -> Line:
    """Return the line of a guide item; raises UsageError for an item that is on no list."""
    if item not in lines():
        raise UsageError(f"{item!r} is no line of the guide's lists.", "Such as MNT-WK-04; see: ops sign-off --list")
    return lines()[item]
