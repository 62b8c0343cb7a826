"""How an area's checks went over the runs of an archive, looked up in its index: no run's folder is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opslib.archive.looked import once
from opslib.archive.search_index import opened
from opslib.archive.search_wanted import Seen
from opslib.model import Probe
from opslib.probes.observability_trends import MOST, trends


def probes(archive: Path) -> dict[str, Probe]:
    """Return the probes of all areas by name, as an executor takes them that has this archive at hand."""
    return {known.name: _probe(archive, area, known) for area, known in trends.items()}


def _probe(archive: Path, area: str, known: Probe) -> Probe:
    """Return the probe of one area; what many cells of one notebook show is one look."""
    return once(known, lambda target: rows(archive, target.environment, area))


def rows(archive: Path, environment: str, area: str) -> list[dict[str, Any]]:
    """Return a row per check of an area that was ever made: those of its own notebook, and its decisive ones.

    Raises ArchiveError where the archive cannot be searched.
    """
    if not (archive / "log").is_dir():
        return []
    # Here, for every run knows this probe and few ask it: the tree knows checks of all areas.
    from opslib.checks.triage import decisive

    with opened(archive) as index:
        known = {check.name for check in decisive().get(area, ())} | set(
            index.checks(environment, f"diagnostics/{area}")
        )
        found = {name: index.history(name, environment, MOST) for name in sorted(known)}
    return [_row(name, seen) for name, seen in found.items() if seen]


def _row(name: str, seen: Sequence[Seen]) -> dict[str, Any]:
    newest = seen[-1]
    return {
        "check": name,
        "title": newest.summary.partition(": ")[0],
        "unit": newest.unit,
        "warning": newest.warning,
        "critical": newest.critical,
        "above": bool(newest.above),
        "moved": len({(one.warning, one.critical) for one in seen if one.value is not None}) > 1,
        "at": [one.started for one in seen],
        "value": [one.value for one in seen],
        "verdict": [one.verdict for one in seen],
        "report": f"runs/{newest.run}/report.html",
    }
