"""Sentry's stand-in: one project's issues, what became of its events, and its releases.

Source: Sentry's API description (2026-08): organization issues, ``stats_v2``, releases. Of a search it knows the words
that the runbooks use: ``is:unresolved`` and ``firstSeen:-24h``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.sentry_shapes import issue, release
from opslib.lab.vendors.stand_in import Refusal, StandIn

ORGANIZATION = "valuecanvas"
PROJECT = "4509000000000001"
HOME = f"/api/0/organizations/{ORGANIZATION}"


class Sentry(StandIn):
    """State: ``issues``, ``outcomes`` (outcome, category, reason, quantity of the window asked for), ``releases``.

    An issue has ``short``, ``title``, ``level``, ``users``, ``events``, ``status``, and its age in ``hours``.
    """

    name = "sentry"
    retry_header = "X-Sentry-Rate-Limit-Reset"

    def first(self) -> dict[str, Any]:
        """Return a project in which events arrive, and nothing is new."""
        old = {"short": "VC-7", "title": "TypeError: value is null", "level": "error", "users": 3, "events": 41}
        return {
            "issues": [{**old, "status": "unresolved", "hours": 960}],
            "outcomes": [
                {"outcome": "accepted", "category": "error", "reason": "none", "quantity": 41},
                {"outcome": "accepted", "category": "transaction", "reason": "none", "quantity": 5200},
                {"outcome": "filtered", "category": "error", "reason": "browser-extensions", "quantity": 12},
            ],
            "releases": [
                {"version": "valuecanvas@1.4.0", "hours": 30, "new": 0},
                {"version": "valuecanvas@1.3.2", "hours": 200, "new": 1},
            ],
        }

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask; like Sentry's, every path ends in a slash."""
        return [
            Route(f"{HOME}/issues/", self.issues),
            Route(f"{HOME}/stats_v2/", self.stats),
            Route(f"{HOME}/releases/", self.releases),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Sentry's form of an error."""
        return JSONResponse({"detail": message}, status)

    async def issues(self, request: Request) -> Response:
        """Return the issues that a search finds, those of most users first."""
        self._known(request)
        words = request.query_params.get("query", "is:unresolved")
        within = re.search(r"firstSeen:-(\d+)h", words)
        found = [
            one
            for one in self.state["issues"]
            if ("is:unresolved" not in words or one["status"] == "unresolved")
            and (within is None or one["hours"] <= int(within[1]))
        ]
        found.sort(key=lambda one: -one["users"])
        most = int(request.query_params.get("limit", "100"))
        if most > 100:
            raise Refusal(400, "Invalid limit. Must be less than or equal to 100.")
        return JSONResponse(
            [issue(number, one, self.base, _ago(one["hours"])) for number, one in enumerate(found[:most])]
        )

    async def stats(self, request: Request) -> Response:
        """Return counts, grouped as asked for."""
        self._known(request)
        field, by = request.query_params.get("field"), request.query_params.getlist("groupBy")
        if field != "sum(quantity)" or not by:
            raise Refusal(400, "Invalid field or groupBy")
        sums: dict[tuple[str, ...], int] = {}
        for one in self.state["outcomes"]:
            key = tuple(one[name] for name in by)
            sums[key] = sums.get(key, 0) + one["quantity"]
        groups = [
            {"by": dict(zip(by, key, strict=True)), "totals": {field: total}, "series": {field: [total]}}
            for key, total in sums.items()
        ]
        return JSONResponse({"start": _ago(24), "end": _ago(0), "intervals": [_ago(24)], "groups": groups})

    async def releases(self, request: Request) -> Response:
        """Return the releases, newest first."""
        self._known(request)
        most = int(request.query_params.get("per_page", "100"))
        return JSONResponse(
            [release(n, one, _ago(one["hours"])) for n, one in enumerate(self.state["releases"][:most])]
        )

    def _known(self, request: Request) -> None:
        if request.query_params.get("project") != PROJECT:
            raise Refusal(403, "You do not have permission to perform this action.")


def _ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds").replace("+00:00", "Z")
