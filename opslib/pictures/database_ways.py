"""A picture of the ways back: what each loses at most by its design, against the RPO."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Limit, bar_list
from opslib.pictures.figures import duration
from opslib.pictures.svg import picture, sentence

LEGEND = "Bar: what it never loses more than. No bar: nothing is promised. Now: at most, just now."


def promises(reading: Reading) -> Picture:
    """Draw the reading of ``probes.database.ways``: a bar per way, the RPO as a line; no bar: no promise."""
    title = "What each way back loses at most, on any day"
    if reading.unknown is not None:
        return picture(title, f"Nobody could look: {reading.unknown.rstrip('.')}.")
    rpo = max((row["rpo_seconds"] for row in reading.rows), default=0.0)
    bars = bar_list([_bar(row) for row in reading.rows], limits=[Limit(rpo, "RPO")])
    said = "; ".join(f"{row['way']}: {_said(row)}" for row in reading.rows)
    return picture(title, f"The RPO is {duration(rpo)}. {said}.", bars, sentence(LEGEND))


def _bar(row: Row) -> Bar:
    promised = row["promises_seconds"]
    met = promised is not None and promised <= row["rpo_seconds"]
    way = str(row["way"]).replace("point-in-time recovery", "point in time")
    if promised is None:
        return Bar(way, None, _now(row))
    return Bar(way, promised, duration(promised), _now(row), "solid" if met else "hatch")


def _said(row: Row) -> str:
    promised = row["promises_seconds"]
    if promised is None:
        return f"no promise, {_now(row)}"
    meets = "meets it" if promised <= row["rpo_seconds"] else "can't meet it"
    return f"at most {duration(promised)}, {meets}, {_now(row)}"


def _now(row: Row) -> str:
    if not row["open"]:
        return "not open" if row["open"] is False else "not seen"
    return "now unknown" if row["loses_seconds"] is None else f"now {duration(row['loses_seconds'])}"
