"""Supabase's own backups, as its Management API tells of them, and its recovery in place to a second.

What the API's description does not say (a project without the add-on, a second out of reach, a project that is not
there for it) is answered with 400. In a lab that keeps its log the recovery is really done, by a program of its own
(:mod:`opslib.lab.point_in_time`); in one that keeps none it fails, as a vendor's may.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab import continuous, point_in_time
from opslib.lab import state as states
from opslib.lab.cloud import Cloud
from opslib.lab.processes import KEPT
from opslib.lab.vendors.stand_in import Refusal, said

DAY = 86_400
STATE: dict[str, Any] = {"backups": [["COMPLETED", 0.3 + day] for day in range(7)], "point_in_time": True}
HEALTHY, RESTORING, FAILED = "ACTIVE_HEALTHY", "RESTORING", "RESTORE_FAILED"
LOG = logging.getLogger(__name__)


class Backups:
    """Answers for the project. State: ``backups`` (status, age in days), ``point_in_time``, the project's ``status``.

    ``keep`` writes the state down, for a change that no call makes.
    """

    def __init__(self, state: dict[str, Any], project: str, keep: Callable[[], None]) -> None:
        self._state, self._project, self._keep = state, project, keep
        lab = json.loads(os.environ.get("LAB_GATEWAY", "{}")).get("state")
        self._folder = Path(lab).parent if lab else None
        self._working: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Return what the diagnostics ask, and the recovery."""
        home = "/v1/projects/{ref}/database/backups"
        return [Route(home, self.backups), Route(f"{home}/restore-pitr", self.restore, methods=["POST"])]

    async def backups(self, request: Request) -> Response:
        """Return what it took by itself, and whether any moment can be gone back to."""
        self._here(request)
        window = await run_in_threadpool(self._window)
        return JSONResponse(_automatic(self._state["backups"], self._state["point_in_time"], window))

    async def restore(self, request: Request) -> Response:
        """Begin to bring the database to a second, in place; 201 without a body, before it is done."""
        self._here(request)
        second = (await said(request)).get("recovery_time_target_unix")
        if not isinstance(second, int) or isinstance(second, bool) or second < 0:
            raise Refusal(400, "recovery_time_target_unix: Invalid input: expected integer")
        if not self._state["point_in_time"]:
            raise Refusal(400, "PITR is not enabled for this project.")
        if self._state["status"] != HEALTHY:
            raise Refusal(400, f"Project is {self._state['status']}")
        window = await run_in_threadpool(self._window)
        if window is None or not window[0] <= second <= window[1]:
            raise Refusal(400, "Recovery time target is out of range")
        self._become(RESTORING)
        task = asyncio.create_task(self._recover(second))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return Response(status_code=201)

    async def _recover(self, second: int) -> None:
        command = [sys.executable, "-P", "-m", "opslib.lab.point_in_time", str(self._folder), str(second)]
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        working = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
        assert working.stdout is not None
        async for line in working.stdout:
            if line.decode().strip() == point_in_time.COMING_UP:
                self._become(point_in_time.COMING_UP)
        self._become(FAILED if await working.wait() else HEALTHY)

    def _become(self, status: str) -> None:
        LOG.info("project: %s", status)
        self._state["status"] = status
        self._keep()

    def _here(self, request: Request) -> None:
        if request.path_params["ref"] != self._project:
            raise Refusal(404, "Project not found")

    def _window(self) -> tuple[int, int] | None:
        """Return the first and the last second that can be gone back to; invented where the lab keeps no log."""
        from botocore.exceptions import BotoCoreError, ClientError

        state = states.read(self._folder) if self._folder else None
        if state is None or not state.standby:
            now = time.time()
            return int(now - 7 * DAY), int(now - 120)
        try:
            reached = continuous.window(Cloud(state, states.passwords(state.folder)).client("s3"))
        except (BotoCoreError, ClientError):
            return None  # the store is away
        if reached is None:
            return None
        earliest, latest = int(reached[0].timestamp()) + 1, int(reached[1].timestamp())
        return earliest, max(earliest, latest)


def _automatic(
    taken: Sequence[tuple[str, float]], point_in_time: bool, window: tuple[int, int] | None
) -> dict[str, Any]:
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
    names = ("earliest_physical_backup_date_unix", "latest_physical_backup_date_unix")
    reach = dict(zip(names, window, strict=True)) if window else {}
    return {
        "region": "us-east-1",
        "walg_enabled": point_in_time,
        "pitr_enabled": point_in_time,
        "backups": backups,
        "physical_backup_data": reach if point_in_time else {},
    }
