"""The probes that read this archive, as the executor of one run takes them; they take the place of their mere names."""

from __future__ import annotations

from pathlib import Path

from opslib.archive import audited, drills, game_days, incident_record, made, mapped, routines, trends
from opslib.headless import schedule_kept
from opslib.model import Probe
from opslib.settings import Settings


def of(archive: Path, keep: Path, settings: Settings, own: str) -> dict[str, Probe]:
    """Return the probes by name, for the run ``own`` whose folder is ``keep``; what some of them saw is kept there."""
    return {
        drills.NAME: drills.probe(archive),
        game_days.NAME: game_days.probe(archive, keep, settings),
        made.NAME: made.probe(archive, own),
        incident_record.NAME: incident_record.probe(archive, own),
        **trends.probes(archive),
        **mapped.probes(archive, own),
        **routines.of_archive(archive, keep, settings, own),
        **audited.probes(archive, keep, settings, own),
        schedule_kept.NAME: schedule_kept.probe(archive),
        schedule_kept.AUDIT: schedule_kept.passed(archive),
    }
