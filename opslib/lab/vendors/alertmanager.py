"""Alertmanager's stand-in: its configuration and its silences. Source: Alertmanager's API description (v2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import StandIn

CONFIG = """\
route:
  receiver: slack-operations
  group_by: [alertname]
  routes:
    - receiver: pagerduty
      matchers: ['severity="critical"']
    - receiver: slack-operations
      matchers: ['severity="warning"']
receivers:
  - name: pagerduty
    pagerduty_configs:
      - routing_key: <secret>
  - name: slack-operations
    slack_configs:
      - channel: '#operations'
        api_url: <secret>
    email_configs:
      - to: operations@valuecanvas.example
"""


class Alertmanager(StandIn):
    """State: ``config`` (YAML, secrets hidden as Alertmanager hides them), ``silences`` (matchers, hours, by)."""

    name = "alertmanager"

    def first(self) -> dict[str, Any]:
        """Return one that pages for what is critical and tells Slack of the rest."""
        return {"config": CONFIG, "silences": []}

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        return [Route("/api/v2/status", self.status), Route("/api/v2/silences", self.silences)]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Alertmanager's form of an error."""
        return JSONResponse({"code": status, "message": message}, status)

    async def status(self, request: Request) -> Response:
        """Return the configuration."""
        names = ("version", "revision", "branch", "buildUser", "buildDate", "goVersion")
        body = {
            "cluster": {"status": "disabled", "peers": []},
            "config": {"original": self.state["config"]},
            "uptime": _in(-24),
            "versionInfo": dict.fromkeys(names, "lab"),
        }
        return JSONResponse(body)

    async def silences(self, request: Request) -> Response:
        """Return the silences that are in force."""
        return JSONResponse(
            [
                {
                    "id": f"00000000-0000-4000-8000-{number:012}",
                    "status": {"state": "active"},
                    "matchers": one["matchers"],
                    "startsAt": _in(-1),
                    "endsAt": _in(one["hours"]),
                    "updatedAt": _in(-1),
                    "createdBy": one["by"],
                    "annotations": {},
                    "comment": one.get("comment", "planned work"),
                }
                for number, one in enumerate(self.state["silences"])
            ]
        )


def _in(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
