"""The guide's executable items, and which notebook's cell carries each of them out.

``items.tsv`` lists all 410 items of the guide with the notebook that is to carry them out; ``map.tsv``
names the cell that does, for the notebooks that exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Item:
    """One thing that the guide tells its reader to do or to hold: a command, a threshold, a checklist line."""

    id: str
    section: str
    kind: str
    notebook: str
    item: str


@dataclass(frozen=True)
class Place:
    """Where an item is carried out: a cell of a notebook."""

    id: str
    notebook: str
    cell: str


@cache
def items() -> dict[str, Item]:
    """Return every item of the guide, by id."""
    return {row[0]: Item(*row) for row in _rows("items.tsv")}


@cache
def places() -> tuple[Place, ...]:
    """Return every place where an item is carried out, in the order of ``map.tsv``."""
    return tuple(Place(*row) for row in _rows("map.tsv"))


def coverage() -> list[dict[str, str | int]]:
    """Return one row per notebook of the guide: how many items it is to carry out, and how many it does."""
    done = {place.id for place in places()}
    notebooks = sorted({item.notebook for item in items().values()})
    rows: list[dict[str, str | int]] = []
    for notebook in notebooks:
        own = [item.id for item in items().values() if item.notebook == notebook]
        rows.append({"notebook": notebook, "items": len(own), "carried_out": len(done.intersection(own))})
    return rows


def _rows(name: str) -> Iterator[list[str]]:
    text = files("opslib.guide").joinpath(name).read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        if line:
            yield line.split("\t")
