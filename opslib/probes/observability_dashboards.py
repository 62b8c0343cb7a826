"""The guide's dashboards at Grafana: does each exist, and does each panel's query answer something?

A panel's own query is put to Prometheus as it stands there, with Grafana's own words (``$__rate_interval`` …) replaced;
one with variables of the dashboard, or of another source, is not asked, and said to be so.
"""

from __future__ import annotations

import time
from typing import Any

from opslib.errors import OpsError, SettingsError, Unreachable
from opslib.model import Probe
from opslib.systems.grafana import Dashboard, Panel
from opslib.systems.target import ReadTarget

GUIDES = {
    "system-health": "System Health",
    "llm-metrics": "LLM Metrics",
    "cost-tracking": "Cost Tracking",
    "agent-perf": "Agent Performance",
}
"""The guide's uids (MON-DSH-01 to 04), with the names that it gives them."""
OWN_WORDS = (("$__rate_interval", "5m"), ("$__interval", "5m"), ("$__range", "1h"))
MOST_PANELS, MOST_QUERIES, LONGEST = 40, 3, 2000
"""Panels of a dashboard and queries of a panel that are asked; characters of a query."""
SECONDS = 30.0
"""After which no further panel is asked."""


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    until = time.monotonic() + SECONDS
    return [_row(target, uid, title, until) for uid, title in GUIDES.items()]


def _row(target: ReadTarget, uid: str, title: str, until: float) -> dict[str, Any]:
    found = target.grafana.dashboard(uid)
    row: dict[str, Any] = {"uid": uid, "name": title, "title": None, "panels": 0, "full": 0, "other_uid": ""}
    if found is None:
        others = [one.uid for one in target.grafana.titled(title) if one.uid != uid]
        return {**row, "empty": [], "broken": [], "not_asked": [], "other_uid": ", ".join(others)}
    return {**row, **_filled(target, found, until)}


def _filled(target: ReadTarget, found: Dashboard, until: float) -> dict[str, Any]:
    panels = found.leaves()
    said: dict[str, list[str]] = {"full": [], "empty": [], "broken": [], "not asked": []}
    for panel in panels[:MOST_PANELS]:
        state = _state(target, panel) if time.monotonic() < until else "not asked"
        said[state].append(panel.title or "?")
    said["not asked"] += [panel.title or "?" for panel in panels[MOST_PANELS:]]
    return {
        "title": found.title,
        "panels": len(panels),
        "full": len(said["full"]),
        "empty": said["empty"],
        "broken": said["broken"],
        "not_asked": said["not asked"],
    }


def _state(target: ReadTarget, panel: Panel) -> str:
    """Return whether one of a panel's queries answers something: full, empty, broken, not asked."""
    plain = [text for query in panel.queries[:MOST_QUERIES] if "$" not in (text := _plain(query))]
    if not plain or any(len(text) > LONGEST for text in plain):
        return "not asked"
    state = "empty"
    for text in plain:
        try:
            if target.prometheus.ask(text):
                return "full"
        except Unreachable as error:
            if error.kind != "rejected":
                return "not asked"
            state = "broken"
        except SettingsError:
            return "not asked"
        except OpsError:
            return "not asked"
    return state


def _plain(query: str) -> str:
    for word, plain in OWN_WORDS:
        query = query.replace(word, plain).replace(f"${{{word[1:]}}}", plain)
    return query


dashboards = Probe(
    "observability-dashboards",
    "The guide's dashboards, and which of their panels have data",
    _read,
    source=f"GET /api/dashboards/uid/{{{','.join(GUIDES)}}} · Prometheus: GET /api/v1/query of each panel's query",
)
"""A row a dashboard; ``title`` is None where there is none of that uid, ``other_uid`` names one of that title."""
