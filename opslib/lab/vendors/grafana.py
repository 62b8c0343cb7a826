"""Grafana's stand-in: health, dashboards by uid, search. Source: Grafana's HTTP API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn

PREFIX = "valuecanvas_http"
DASHBOARDS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "system-health": (
        "System Health",
        (
            ("Instances up", 'sum(up{job="valuecanvas-api"})'),
            ("Requests", f"sum(rate({PREFIX}_requests_total[$__rate_interval]))"),
            ("P95", f"histogram_quantile(0.95, sum by (le) (rate({PREFIX}_request_duration_ms_bucket[5m])))"),
            ("Database", "max(pg_up)"),
        ),
    ),
    "llm-metrics": ("LLM Metrics", (("Cost per hour", "max(llm_cost_usd_hour)"),)),
    "cost-tracking": (
        "Cost Tracking",
        (("Cost per hour", "max(llm_cost_usd_hour)"), ("Baseline", "max(llm_cost_usd_hour_baseline)")),
    ),
    "agent-perf": ("Agent Performance", (("Requests", f'sum(rate({PREFIX}_requests_total{{route=~"/api/.*"}}[5m]))'),)),
}
"""The guide's four, each with panels that have data."""


class Grafana(StandIn):
    """State: ``dashboards`` by uid: ``title``, ``panels`` (title, expr); ``database`` (ok or failing)."""

    name = "grafana"

    def first(self) -> dict[str, Any]:
        """Return the guide's dashboards."""
        return {"database": "ok", "dashboards": dashboards()}

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        return [
            Route("/api/health", self.health),
            Route("/api/dashboards/uid/{uid}", self.dashboard),
            Route("/api/search", self.search),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Grafana's form of an error."""
        return JSONResponse({"message": message}, status)

    async def health(self, request: Request) -> Response:
        """Return how its own database is."""
        said = self.state["database"]
        body = {"database": said, "version": "10.2.2", "commit": "lab"}
        return JSONResponse(body, 200 if said == "ok" else 503)

    async def dashboard(self, request: Request) -> Response:
        """Return one, its panels in a row."""
        uid = request.path_params["uid"]
        one = self.state["dashboards"].get(uid)
        if one is None:
            raise Refusal(404, "Dashboard not found")
        source = {"type": "prometheus", "uid": "prometheus"}
        panels = [
            {
                "id": number,
                "title": panel["title"],
                "type": panel.get("type", "timeseries"),
                "datasource": source,
                "targets": [{"refId": "A", "expr": panel["expr"], "datasource": source}] if panel["expr"] else [],
            }
            for number, panel in enumerate(one["panels"], 2)
        ]
        row = {"id": 1, "title": "Overview", "type": "row", "collapsed": True, "panels": panels}
        dashboard = {"id": 1, "uid": uid, "title": one["title"], "schemaVersion": 38, "panels": [row]}
        meta = {"slug": uid, "url": f"/d/{uid}/{uid}", "type": "db"}
        return JSONResponse({"dashboard": dashboard, "meta": meta})

    async def search(self, request: Request) -> Response:
        """Return the dashboards whose title holds the words."""
        words = request.query_params.get("query", "").lower()
        return JSONResponse(
            [
                {"id": number, "uid": uid, "title": one["title"], "type": "dash-db", "url": f"/d/{uid}"}
                for number, (uid, one) in enumerate(self.state["dashboards"].items())
                if words in one["title"].lower()
            ]
        )


def dashboards() -> dict[str, Any]:
    """Return the guide's dashboards as the state holds them."""
    return {
        uid: {"title": title, "panels": [{"title": name, "expr": expr} for name, expr in panels]}
        for uid, (title, panels) in DASHBOARDS.items()
    }
