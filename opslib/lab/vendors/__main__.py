"""The vendors' stand-ins as one process: ``python -m opslib.lab.vendors --port N --folder DIR``, on loopback.

Each vendor is below its name (``/vercel/v9/projects/…``). Tokens come from the environment (``LAB_TOKENS``, JSON).
Lab-only: ``/_lab/faults`` breaks and mends, ``/_lab/state`` shows and replaces what is remembered, ``/_lab/calls``
shows and forgets what was asked.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from opslib.lab.providers import LOOPBACK
from opslib.lab.vendors.cloudflare import Cloudflare
from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.github import GitHub
from opslib.lab.vendors.memory import Memory
from opslib.lab.vendors.netlify import Netlify
from opslib.lab.vendors.pagerduty import PagerDuty
from opslib.lab.vendors.slack import Slack
from opslib.lab.vendors.stand_in import StandIn
from opslib.lab.vendors.supabase import Supabase
from opslib.lab.vendors.vercel import Vercel

VENDORS: tuple[type[StandIn], ...] = (GitHub, Vercel, Netlify, Cloudflare, Supabase, PagerDuty, Slack)
"""Every vendor that has a stand-in."""

GRACE_SECONDS = 2


class Doors:
    """The lab's own doors to all stand-ins."""

    def __init__(self, memory: Memory, faults: Faults, vendors: list[StandIn]) -> None:
        self._memory, self._faults, self._vendors = memory, faults, vendors

    async def faults(self, request: Request) -> Response:
        """GET shows them, POST sets one, DELETE mends all."""
        if request.method == "DELETE":
            self._faults.clear(request.query_params.get("vendor"))
        elif request.method == "POST":
            try:
                self._faults.set(json.loads(await request.body()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": "Invalid request", "message": str(error)}, 400)
        return JSONResponse({"faults": self._faults.shown()})

    async def state(self, request: Request) -> Response:
        """GET shows what is remembered, PUT replaces that of the vendors that the body names."""
        if request.method == "PUT":
            self._memory.replace(json.loads(await request.body()))
        return JSONResponse(self._memory.shown())

    async def calls(self, request: Request) -> Response:
        """GET shows the latest calls in order, DELETE forgets them."""
        found: list[dict[str, Any]] = [call for vendor in self._vendors for call in vendor.calls]
        if request.method == "DELETE":
            for vendor in self._vendors:
                vendor.calls.clear()
        return JSONResponse({"calls": found})


def application(folder: Path, tokens: dict[str, dict[str, str]], address: str) -> Starlette:
    """Return the application of all stand-ins; ``tokens`` by vendor, each with what it may do."""
    memory, faults = Memory(folder / "vendors.json"), Faults(tuple(kind.name for kind in VENDORS))
    vendors = [kind(memory, faults, tokens.get(kind.name, {}), f"{address}/{kind.name}") for kind in VENDORS]
    memory.keep()
    doors = Doors(memory, faults, vendors)
    routes = [
        Route("/_lab/faults", doors.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_lab/state", doors.state, methods=["GET", "PUT"]),
        Route("/_lab/calls", doors.calls, methods=["GET", "DELETE"]),
        *(Mount(f"/{vendor.name}", app=vendor.application()) for vendor in vendors),
    ]
    return Starlette(routes=routes, middleware=[LOOPBACK])


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opslib.lab.vendors", description="The vendors' stand-ins.")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--folder", type=Path, required=True, help="where their state is kept")
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = application(given.folder, json.loads(os.environ.get("LAB_TOKENS", "{}")), f"http://127.0.0.1:{given.port}")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=given.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
