"""Legal holds: a note in the signed log for each run, and S3's own legal hold on the run's objects in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opslib.archive import holds, pull, push
from opslib.archive.holds import fates
from opslib.archive.log import Log
from opslib.archive.search_index import opened
from opslib.archive.search_wanted import Wanted
from opslib.errors import UsageError
from opslib.settings import Settings
from opslib.systems.sealed_store import SealedStore

MOST = 10_000
"""So many runs of one incident are put under hold at once."""


def hold(folder: Path, given: Sequence[str], by: str, why: str) -> tuple[str, ...]:
    """Put sealed runs under legal hold in the log; returns those that were not, by id.

    A run is named by its id, its beginning or its last part, and may have been removed here. Raises UsageError, and
    writes nothing, for one that is not sealed.
    """
    own = Log(folder)
    known, text = fates(own), holds.held(by, why)
    wanted = dict.fromkeys(pull.find(known, one).run for one in given)
    fresh = tuple(run for run in wanted if run not in known.held)
    for run in fresh:
        own.append("note", run, text=text)
    return fresh


def release(folder: Path, given: Sequence[str], by: str, why: str) -> tuple[str, ...]:
    """Release runs from legal hold in the log; returns their ids. Raises UsageError for one that is under none."""
    own = Log(folder)
    known, text = fates(own), holds.released(by, why)
    runs = tuple(dict.fromkeys(pull.find(known, one).run for one in given))
    if free := [run for run in runs if run not in known.held]:
        raise UsageError(f"{free[0]} is under no legal hold.", "See: ops archive holds")
    for run in runs:
        own.append("note", run, text=text)
    return runs


def of_incident(folder: Path, incident: str) -> tuple[str, ...]:
    """Return the sealed runs that name an incident in their parameters, oldest first."""
    with opened(folder) as index:
        found = index.search(Wanted(words=(incident,)), MOST)
    named = [
        one.run
        for one in found
        if any(line.kind == "parameter" and line.name == "incident" and line.text == incident for line in one.lines)
    ]
    if not named:
        raise UsageError(f"No sealed run names the incident {incident!r}.", "Name the runs: ops archive search WORDS")
    return tuple(named[::-1])


def mark(folder: Path, settings: Settings, runs: Sequence[str]) -> int:
    """Make the objects of these runs in the store held or free, as the log says; returns how many there are.

    What is not stored yet is held when it is pushed. Raises OpsError when the store cannot be asked; the log holds.
    """
    prefix, known = push.prefix_of(folder), fates(Log(folder))
    store = SealedStore(settings)
    try:
        found = [pull.find(known, run).run for run in runs]
        return sum(push.set_hold(store, prefix, run, run in known.held) for run in found)
    finally:
        store.close()
