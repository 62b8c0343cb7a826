"""Whether the API tells a limit of requests: one question of its health route, and what its headers say."""

from __future__ import annotations

import re
from typing import Any

from opslib.model import Probe
from opslib.probes.application_traffic import address
from opslib.systems.target import ReadTarget

PATH = "/health"
SECONDS = 8.0
HEADERS = {"ratelimit-limit": "ratelimit-remaining", "x-ratelimit-limit": "x-ratelimit-remaining"}
"""The two older pairs of names; ``RateLimit`` and ``RateLimit-Policy`` are the newer draft's (q, and r for rest)."""


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    answer = target.web.get(address(target, PATH), deadline=SECONDS)
    row = {"path": PATH, "status": answer.status, "header": "", "most": None, "left": None}
    row["looked_for"] = [*HEADERS, "ratelimit-policy"]
    for name, rest in HEADERS.items():
        if (most := _number(answer.headers.get(name, ""))) is not None:
            return [row | {"header": name, "most": most, "left": _number(answer.headers.get(rest, ""))}]
    if found := re.search(r"\bq=(\d{1,9})", answer.headers.get("ratelimit-policy", "")):
        left = re.search(r"\br=(\d{1,9})", answer.headers.get("ratelimit", ""))
        return [row | {"header": "ratelimit-policy", "most": int(found[1]), "left": int(left[1]) if left else None}]
    return [row]


def _number(text: str) -> int | None:
    found = re.match(r"\s*(\d{1,9})", text)
    return int(found[1]) if found else None


limit = Probe("application-limit", "The limit of requests that the API tells", _read, source=f"GET {PATH}, its headers")
"""One row: which header told it, how many requests, how many are left; ``most`` is None where none tells any."""
