"""What a person did otherwise than the notebook, as the report says it: cells that were edited or out of order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from opslib.archive.record import Record
from opslib.runs.cards import text_of
from opslib.runs.markup import shorten

Said = Mapping[str, Any]

WORDS: Final = {
    "edited": "Edited: this code is not the notebook's.",
    "out of order": "Out of order: a cell before it had not been run, or one after it had.",
}
"""What is said of a cell, by its mark in the journal."""

MOST = 6


def marks(line: Said) -> list[str]:
    """Return the marks of a cell's start that are known."""
    said = line.get("marks")
    return [mark for mark in WORDS if isinstance(said, list) and mark in said]


def of_cell(lines: Iterable[Said]) -> str:
    """Return what is to be said of a cell, from its own lines of the journal; of several starts, of all."""
    found = {mark for line in lines if line.get("event") == "cell-started" for mark in marks(line)}
    return " ".join(words for mark, words in WORDS.items() if mark in found)


def of_run(record: Record) -> str:
    """Return which cells were edited or out of order; nothing where all was as the notebook has it."""
    said = []
    for mark in WORDS:
        cells = dict.fromkeys(
            shorten(text_of(line, "cell"), 60) for line in record.events("cell-started") if mark in marks(line)
        )
        if cells:
            more = f" and {len(cells) - MOST} more" if len(cells) > MOST else ""
            said.append(f"{mark}: {', '.join(list(cells)[:MOST])}{more}")
    return "; ".join(said)
