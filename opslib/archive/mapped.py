"""The guide as a map, with the archive's newest runs beside it: the rows of :mod:`opslib.probes.delivery_map`.

Where a row leads is a place ``{"notebook": …, "run": …}``: the notebook, and its newest sealed run on the target,
if there is one. Everything else is the guide's, by its own words.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from opslib.archive import last_verdicts
from opslib.archive.store import Archive
from opslib.archive.summary import Summary, started_by_id
from opslib.guide import catalogue
from opslib.guide.catalogue import Item
from opslib.guide.incident import when
from opslib.model import Probe, now
from opslib.probes import delivery_map
from opslib.systems.target import PlanTarget

MOST_RUNS = 15
"""Newest runs that are shown."""

EVERY = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7), "Monthly": timedelta(days=31)}
"""How often the guide wants its routine items done, by the first word of each."""

Rows = list[dict[str, Any]]


class Map:
    """Where the guide leads on one target; ``own`` is the run that asks, which is not told."""

    def __init__(self, archive: Path, environment: str, own: str) -> None:
        self._archive, self._environment = archive, environment
        found = (run for run in Archive(archive).runs(last_verdicts.MOST_RUNS) if run.run != own)
        self.runs = [run for run in found if run.environment == environment]
        self._last: dict[str, Summary] = {}
        for run in self.runs:
            if run.sealed == "sealed" and run.mode in last_verdicts.LOOKED_AT:
                self._last.setdefault(run.notebook, run)
        self._cells = {(place.id): place for place in catalogue.places()}

    def sections(self) -> Rows:
        """Return a row for each section of the guide: the notebooks that carry out what it says."""
        items = list(catalogue.items().values())
        rows = []
        for section in dict.fromkeys(item.section for item in items):
            own = [item for item in items if item.section == section]
            done = [item for item in own if item.id in self._cells]
            notebooks = dict.fromkeys(self._cells[item.id].notebook for item in done)
            rows.append(
                {
                    "section": section,
                    "items": len(own),
                    "carried_out": len(done),
                    "notebooks": [self._place(notebook) for notebook in sorted(notebooks)],
                }
            )
        return rows

    def symptoms(self) -> Rows:
        """Return a row for each symptom of the guide's troubleshooting."""
        return [self._told("symptom", item) for item in self._of("symptom")]

    def codes(self) -> Rows:
        """Return a row for each error code of the guide, with what it means and what the guide says to do."""
        rows = []
        for item in self._of("error-code"):
            code, _, rest = item.item.partition(": ")
            means, _, does = rest.partition(" -> ")
            rows.append({"code": code, "means": means, "the_guide_says": does} | self._told("code", item, named=False))
        return rows

    def newest(self) -> Rows:
        """Return the newest runs on the target, whatever they were for."""
        return [
            {
                "started_at": started_by_id(run.run),
                "notebook": {"notebook": run.notebook, "run": None},
                "mode": run.mode,
                "verdict": run.verdict.value if run.verdict else run.state or run.sealed,
                "by": run.who,
                "run": run.run,
            }
            for run in self.runs[:MOST_RUNS]
        ]

    def due(self) -> Rows:
        """Return the guide's routine items: when the notebook that does each last ran, and whether it is due."""
        rows = []
        for item in catalogue.items().values():
            often, _, what = item.item.partition(": ")
            if item.section != "Routine Maintenance" or often not in EVERY:
                continue
            place = self._cells.get(item.id)
            last = self._last.get(place.notebook) if place else None
            late = last is None or now() - when(started_by_id(last.run)) > EVERY[often]
            rows.append(
                {
                    "item": what,
                    "every": {"Daily": "day", "Weekly": "week", "Monthly": "month"}[often],
                    "notebook": self._place(place.notebook) if place else None,
                    "last_run_at": started_by_id(last.run) if last else None,
                    "due": "by hand: no notebook does it yet" if place is None else "yes" if late else "no",
                }
            )
        return rows

    def _of(self, kind: str) -> list[Item]:
        return [item for item in catalogue.items().values() if item.kind == kind]

    def _told(self, name: str, item: Item, named: bool = True) -> dict[str, Any]:
        place = self._cells.get(item.id)
        said = {name: item.item} if named else {}
        if place is None:
            return {**said, "notebook": None, "cell": None, "last_verdict": None, "last_run_at": None}
        (last,) = last_verdicts.of_items(self._archive, [place], self._environment)
        return {
            **said,
            "notebook": self._place(place.notebook),
            "cell": place.cell,
            "last_verdict": last["verdict"],
            "last_run_at": last["started_at"],
        }

    def _place(self, notebook: str) -> dict[str, Any]:
        last = self._last.get(notebook)
        return {"notebook": notebook, "run": last.run if last else None}


def probes(archive: Path, own: str) -> dict[str, Probe]:
    """Return the probes as an executor takes them that has this archive at hand; what they share is read once."""
    seen: list[Map] = []

    def reader(rows: Callable[[Map], Rows]) -> Callable[[PlanTarget], Rows]:
        def read(target: PlanTarget) -> Rows:
            if not seen:
                seen.append(Map(archive, target.environment, own))
            return rows(seen[0])

        return read

    ways = (Map.sections, Map.symptoms, Map.codes, Map.newest, Map.due)
    return {
        known.name: Probe(known.name, known.title, reader(rows), known.source, known.units, by_executor=True)
        for known, rows in zip(delivery_map.MAP, ways, strict=True)
    }
