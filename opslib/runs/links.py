"""Where names in a table lead: in JupyterLab to the notebook itself, in an archived report to a run's report.

Only names of our own forms become links, and each link is made here from such a name: never from a text as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from opslib.runs.markup import Html, join, tag

NOTEBOOK = re.compile(r"(?:[a-z]+/)?[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z(?:-[a-z0-9]+)+", re.ASCII)
LONGEST = 200


@dataclass(frozen=True)
class Leading:
    """The way from the page that is drawn: to the folder of notebooks, and to the archive's folder of runs."""

    notebooks: str | None = None
    runs: str | None = None


_leading: ContextVar[Leading] = ContextVar("links", default=Leading())  # noqa: B039 - frozen


@contextmanager
def leading(*, notebooks: str | None = None, runs: str | None = None) -> Iterator[None]:
    """Draw with these ways in the block."""
    token = _leading.set(Leading(notebooks, runs))
    try:
        yield
    finally:
        _leading.reset(token)


def is_place(value: Any) -> bool:
    """Whether ``value`` is where something is done: ``{"notebook": …, "run": …}``."""
    return isinstance(value, Mapping) and set(value) == {"notebook", "run"} and _is(NOTEBOOK, value["notebook"])


def names(value: Any) -> str | None:
    """Return the notebook of a place, or the notebooks of several, as text; None for anything else."""
    places = value if isinstance(value, (list, tuple)) else [value]
    if not places or not all(is_place(place) for place in places):
        return None
    return ", ".join(str(place["notebook"]) for place in places)


def linked(column: str, value: Any) -> Html | None:
    """Return a place, several, or a run as links, as far as there is a way; None for anything else."""
    if column == "run" and _is(RUN, value):
        return _anchor(value, _leading.get().runs, f"{value}/report.html")
    if names(value) is None:
        return None
    places = value if isinstance(value, (list, tuple)) else [value]
    return join([_place(place) for place in places], ", ")


def _place(place: Mapping[str, Any]) -> Html:
    ways, name, run = _leading.get(), str(place["notebook"]), place["run"]
    if ways.notebooks is not None:
        return _anchor(name, ways.notebooks, f"{name}.ipynb")
    return _anchor(name, ways.runs if _is(RUN, run) else None, f"{run}/report.html")


def _anchor(name: str, way: str | None, to: str) -> Html:
    return tag("span", name) if way is None else tag("a", name, href=f"{way}{to}")


def _is(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and form.fullmatch(value) is not None
