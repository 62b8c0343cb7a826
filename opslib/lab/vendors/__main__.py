"""The vendors' stand-ins as one process: ``python -m opslib.lab.vendors --port N --folder DIR``, on loopback.

Each vendor is below its name (``/vercel/v9/projects/…``); the name server is at the same port, on UDP, and
those of the lab's own zone at other loopback addresses.
Tokens come from the environment (``LAB_TOKENS``, JSON).
Lab-only: ``/_lab/faults`` breaks and mends, ``/_lab/state`` shows and replaces what is remembered, ``/_lab/calls``
shows and forgets what was asked.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from opslib.lab.providers import LOOPBACK
from opslib.lab.vendors.alertmanager import Alertmanager
from opslib.lab.vendors.cloudflare import Cloudflare
from opslib.lab.vendors.doors import Doors
from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.github import GitHub
from opslib.lab.vendors.grafana import Grafana
from opslib.lab.vendors.hosted import Hosted
from opslib.lab.vendors.jaeger import Jaeger
from opslib.lab.vendors.memory import Memory
from opslib.lab.vendors.names import Names
from opslib.lab.vendors.netlify import Netlify
from opslib.lab.vendors.on_call import OnCall
from opslib.lab.vendors.openai import OpenAi
from opslib.lab.vendors.pagerduty import PagerDuty
from opslib.lab.vendors.prometheus import Prometheus
from opslib.lab.vendors.sentry import Sentry
from opslib.lab.vendors.slack import Slack
from opslib.lab.vendors.stand_in import StandIn
from opslib.lab.vendors.status import Status
from opslib.lab.vendors.supabase import Supabase
from opslib.lab.vendors.together import Together
from opslib.lab.vendors.vercel import Vercel
from opslib.lab.vendors.zone import Zone

VENDORS: tuple[type[StandIn], ...] = (
    *(GitHub, Vercel, Netlify, Cloudflare, Supabase, PagerDuty, OnCall, Slack, Sentry),
    *(Status, Names, Zone, Together, OpenAi),
    *(Prometheus, Alertmanager, Grafana, Jaeger),
)
"""Every vendor that has a stand-in."""

GRACE_SECONDS = 2


def application(folder: Path, tokens: dict[str, dict[str, str]], address: str) -> Starlette:
    """Return the application of all stand-ins; ``tokens`` by vendor, each with what it may do."""
    memory, faults = Memory(folder / "vendors.json"), Faults(tuple(kind.name for kind in VENDORS))
    vendors = [kind(memory, faults, tokens.get(kind.name, {}), f"{address}/{kind.name}") for kind in VENDORS]
    memory.keep()
    doors = Doors(memory, faults, vendors)
    routes = [
        *doors.routes(),
        *(Mount(f"/{vendor.name}", app=vendor.application()) for vendor in vendors),
    ]
    names = next(vendor for vendor in vendors if isinstance(vendor, Names))
    names.zone = next(vendor for vendor in vendors if isinstance(vendor, Zone))
    names.zone.follows(folder.parent / "lab.json")
    port = urlsplit(address).port or 0
    next(vendor for vendor in vendors if isinstance(vendor, Prometheus)).scrapes(folder.parent / "lab.json")
    for vendor in vendors:
        if isinstance(vendor, Prometheus | Grafana):
            vendor.hosted = Hosted(vendor.name, folder.parent)

    @asynccontextmanager
    async def with_names(_: Starlette) -> AsyncIterator[None]:
        listening = [await names.listen(port), *await names.zone.listen(port)]
        yield
        for one in listening:
            one.close()

    return Starlette(routes=routes, middleware=[LOOPBACK], lifespan=with_names)


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
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
