"""Pictures of the front end's hosting: its deployments in their order, and where production may go back to."""

from __future__ import annotations

from datetime import datetime

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Day, calendar_strip
from opslib.pictures.frontend_bundle import bundle
from opslib.pictures.svg import Texture, picture, sentence

__all__ = ["bundle", "deployments"]

MOST = 30
LEGEND = "● live   ↩ the previous one that was live   ○ was live, may come back   ✗ failed   – deleted   · never live"


def deployments(reading: Reading) -> Picture:
    """Draw the reading of ``probes.frontend.deployments``: a cell each, the oldest left, its day below it.

    At most the newest 30 are drawn. What stands in the way of going back to one is in its title.
    """
    if reading.unknown is not None or not reading.rows:
        said = f"Nobody could look: {reading.unknown}." if reading.unknown else "There is no deployment."
        return picture(reading.title, said, sentence(said))
    rows = sorted(reading.rows, key=lambda row: str(row["created"]))[-MOST:]
    strip = calendar_strip([_cell(row) for row in rows], columns=10)
    here = next((row["deployment"] for row in rows if row["live"]), None)
    back = next((row["deployment"] for row in rows if row["back"]), None)
    ways = sum(not row["obstacle"] for row in rows)
    said = f"Of {len(rows)} deployments {here or 'none that is shown'} is live; " + (
        f"production can go back to {ways}, the newest of them {back}." if back else "production can go back to none."
    )
    return picture(reading.title, said, strip, sentence(LEGEND))


def _cell(row: Row) -> Day:
    mark, texture = _sign(row)
    moment = datetime.fromisoformat(str(row["created"]))
    why = f"; {row['obstacle']}" if row["obstacle"] else ""
    commit = f", commit {row['commit'][:8]}" if row["commit"] else ""
    return Day(f"{moment:%d %b}", mark, f"{row['deployment']}, {moment:%Y-%m-%d %H:%M} UTC{commit}{why}", texture)


def _sign(row: Row) -> tuple[str, Texture]:
    if row["live"]:
        return "●", "solid"
    if row["back"]:
        return "↩", "hatch"
    if not row["obstacle"]:
        return "○", "soft"
    if "not ready" in row["obstacle"]:
        return "✗", "outline"
    return ("–" if "deleted" in row["obstacle"] else "·"), "outline"
