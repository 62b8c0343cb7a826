"""Pictures of the application: what a watch saw; its objective and its histogram are offered here as well."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Picture, Result, Row
from opslib.pictures.application_objective import days, histogram, objective
from opslib.pictures.charts import Day, Limit, calendar_strip, line_chart
from opslib.pictures.svg import Texture, heading, picture, sentence

__all__ = ["days", "histogram", "objective", "watched"]

ERROR_RATE = threshold("error-rate")

TITLE = "What the watch saw"
MOST = 60
LEGEND = "● ready   ○ ready without the spare provider   ✗ not ready or not reached   ? not told"
SIGNS: dict[str, tuple[str, Texture]] = {
    "ready": ("●", "solid"),
    "without spare": ("○", "soft"),
    "not ready": ("✗", "hatch"),
    "unhealthy": ("✗", "hatch"),
}


def watched(seen: object) -> Picture:
    """Draw the result of ``checks.application.after_change``: failures so far against the guide's alert, readiness.

    What is no result (a planning run does not watch) is said to be none.
    """
    if not isinstance(seen, Result):
        return picture(TITLE, "Nothing was watched yet.", sentence("Nothing was watched yet."))
    rows = list(seen.rows)[-MOST:]
    if not rows:
        return picture(TITLE, seen.summary, sentence(seen.summary))
    shares = [_share(row) for row in rows]
    first, last = str(rows[0]["at"])[11:19], str(rows[-1]["at"])[11:19]
    alert = ERROR_RATE.critical or 0.0
    blocks = [
        heading("Failures since the watch began, in percent of requests"),
        line_chart(shares, first, last, "%", limits=[Limit(alert, f"guide's alert: {alert:g} %")]),
        heading("Readiness, look by look"),
        calendar_strip([_look(row) for row in rows]),
        sentence(LEGEND),
    ]
    return picture(TITLE, f"{seen.verdict}: {seen.summary}", *blocks)


def _share(row: Row) -> float | None:
    requests, failures = row.get("requests"), row.get("failures")
    return 100 * failures / requests if requests and failures is not None else None


def _look(row: Row) -> Day:
    state = str(row["state"])
    mark, texture = SIGNS.get(state, ("✗", "hatch") if state.startswith("unreachable") else ("?", "outline"))
    return Day(str(row["at"])[14:19], mark, f"{row['at']}: {state}", texture)
