"""The cluster's stand-in as a process: ``python -m opslib.lab.cluster --port N --folder DIR``, HTTPS on loopback.

Tokens come from the environment (``LAB_TOKENS``, JSON), and the lab's folder, whose Valkey is
one of its pods (``LAB_HOSTS``). Lab-only: ``/_lab/faults``, ``/_lab/state`` and
``/_lab/calls``, as the vendors' stand-ins have them; ``/_lab/reach``, by which its network is tried; and
``/_lab/environment``, which shows what pods were started with.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from opslib.lab.cluster import environment
from opslib.lab.cluster.api import Kubernetes
from opslib.lab.cluster.certificate import SERVER, ensure
from opslib.lab.cluster.hosted import HostedCache
from opslib.lab.cluster.reach import reaches
from opslib.lab.cluster.store import Store
from opslib.lab.providers import LOOPBACK
from opslib.lab.vendors.doors import Doors
from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.memory import Memory

GRACE_SECONDS = 2


class ClusterDoors(Doors):
    """The doors of a cluster, which goes on by itself."""

    def __init__(self, memory: Memory, faults: Faults, cluster: Kubernetes) -> None:
        super().__init__(memory, faults, [cluster])
        self._cluster = cluster

    async def state(self, request: Request) -> Response:
        """Show it as it is now; replace it as it is given."""
        if request.method == "GET":
            self._cluster.catch_up()
        return await super().state(request)

    def routes(self) -> list[Route]:
        """Return the doors of all stand-ins, and one by which its network is tried."""
        return [*super().routes(), Route("/_lab/reach", self.reach)]

    async def reach(self, request: Request) -> Response:
        """Tell whether a packet from ``source`` would reach ``pod`` (see :mod:`opslib.lab.cluster.reach`)."""
        self._cluster.catch_up()
        return JSONResponse(reaches(Store(self._cluster.state), dict(request.query_params)))

    async def environment(self, request: Request) -> Response:
        """Show what the ready pods of ``app`` were started with."""
        self._cluster.catch_up()
        return JSONResponse({"pods": environment.of(Store(self._cluster.state), request.query_params.get("app", ""))})


def application(folder: Path, tokens: dict[str, str], address: str) -> Starlette:
    """Return the application; ``tokens`` with what each may do."""
    memory, faults = Memory(folder / "cluster.json"), Faults((Kubernetes.name,))
    cluster = Kubernetes(memory, faults, tokens, address)
    if hosts := os.environ.get("LAB_HOSTS"):
        cluster.servers = {"redis": HostedCache(Path(hosts))}
    memory.keep()
    doors = ClusterDoors(memory, faults, cluster)
    routes = [*doors.routes(), Route("/_lab/environment", doors.environment), Mount("/", app=cluster.application())]
    return Starlette(routes=routes, middleware=[LOOPBACK])


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opslib.lab.cluster", description="The cluster's stand-in.")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--folder", type=Path, required=True, help="where its state and certificate are kept")
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ensure(given.folder)
    tokens = json.loads(os.environ.get("LAB_TOKENS", "{}"))
    uvicorn.run(
        application(given.folder, tokens, f"https://127.0.0.1:{given.port}"),
        host="127.0.0.1",
        port=given.port,
        ssl_certfile=str(given.folder / SERVER),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
