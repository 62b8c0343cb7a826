"""Whether the application offers the guide's way to warm the cache up; asked by GET, which warms nothing."""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import ReadTarget

ROUTE = "/api/admin/cache/warmup"


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    base = target.settings.application_url
    if base is None:
        raise Unreachable(
            "The application's address is not in the target description.", "Set VITE_API_BASE_URL.", "unset"
        )
    address = base.rstrip("/") + ROUTE
    answer = target.web.get(address)
    return [{"address": address, "status": answer.status, "allows": answer.headers.get("allow")}]


warm_up_route = Probe(
    name="cache-warm-up-route",
    title="Answer of the guide's warm-up address",
    read=_read,
    source=f"GET {ROUTE}",
)
"""The status that a GET without credentials is answered with."""
