"""Pictures of backups."""

from __future__ import annotations

from opslib.model import Picture, Reading
from opslib.pictures.backups_drills import timeline
from opslib.pictures.backups_game_day import timeline as game_day
from opslib.pictures.charts import Day, calendar_strip
from opslib.pictures.svg import Texture, picture

__all__ = ["calendar", "game_day", "timeline"]

_SIGNS: dict[str, tuple[str, Texture]] = {
    "proven": ("✓", "solid"),
    "present": ("○", "soft"),
    "broken": ("✗", "hatch"),
    "missing": ("!", "outline"),
    "before the first backup": ("", "outline"),
    "not yet": ("", "outline"),
}


def calendar(reading: Reading) -> Picture:
    """Draw the reading of ``probes.backups.days``: a cell a day, the sign says how good its best backup is."""
    counts = {state: sum(row["state"] == state for row in reading.rows) for state in _SIGNS}
    missing = [str(row["day"]) for row in reading.rows if row["state"] == "missing"]
    said = (
        f"Of {len(reading.rows)} days, {counts['proven']} have a proven backup (✓), {counts['present']} an unproven "
        f"one (○), {counts['broken']} only a broken one (✗), {counts['missing']} none (!)"
    )
    if missing:
        said += f": {', '.join(missing[:10])}{' …' if len(missing) > 10 else ''}"
    if reading.unknown:
        said = f"Nobody could look: {reading.unknown}"
    days = [_day(str(row["day"]), str(row["state"]), int(row["proven"]), int(row["present"])) for row in reading.rows]
    return picture(reading.title, f"{said.rstrip('.')}.", calendar_strip(days))


def _day(day: str, state: str, proven: int, present: int) -> Day:
    mark, texture = _SIGNS.get(state, ("?", "dots"))
    return Day(day[8:10], mark, f"{day}: {state}; {proven} proven, {present} not proven", texture)
