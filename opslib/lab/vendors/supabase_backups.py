"""Supabase's own backups, as its Management API tells of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal

DAY = 86_400
STATE: dict[str, Any] = {"backups": [["COMPLETED", 0.3 + day] for day in range(7)], "point_in_time": True}


class Backups:
    """Answers for the project. State: ``backups`` (status, age in days), ``point_in_time``."""

    def __init__(self, state: Mapping[str, Any], project: str) -> None:
        self._state, self._project = state, project

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask."""
        return [Route("/v1/projects/{ref}/database/backups", self.backups)]

    async def backups(self, request: Request) -> Response:
        """Return what it took by itself, and whether any moment can be gone back to."""
        if request.path_params["ref"] != self._project:
            raise Refusal(404, "Project not found")
        return JSONResponse(_automatic(self._state["backups"], self._state["point_in_time"]))


def _automatic(taken: Sequence[tuple[str, float]], point_in_time: bool) -> dict[str, Any]:
    """Return what the API says of backups ``taken`` (status, age in days), and of recovery to any moment."""
    now = time.time()
    backups = [
        {
            "id": 90_000 - number,
            "is_physical_backup": point_in_time,
            "status": status,
            "inserted_at": datetime.fromtimestamp(now - days * DAY, UTC).isoformat(),
        }
        for number, (status, days) in enumerate(taken)
    ]
    window = {
        "earliest_physical_backup_date_unix": int(now - 7 * DAY),
        "latest_physical_backup_date_unix": int(now - 120),
    }
    return {
        "region": "us-east-1",
        "walg_enabled": point_in_time,
        "pitr_enabled": point_in_time,
        "backups": backups,
        "physical_backup_data": window if point_in_time else {},
    }
