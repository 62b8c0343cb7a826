"""What was set up for development on this machine, in one row: does the checkout have its env file and its packages?

Taken by the executor. Each variable by itself is in :mod:`opslib.probes.environment`; here names and counts alone.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Refused, Unreachable
from opslib.model import Probe, Verdict
from opslib.systems import npm
from opslib.systems.env_file import read
from opslib.systems.env_variables import judged
from opslib.systems.target import PlanTarget
from opslib.systems.workspace import ENV, LARGEST_LOCK, Workspace


def _development(target: PlanTarget) -> list[dict[str, Any]]:
    if target.settings.workspace is None:
        return [{"folder": None, "state": "absent"}]
    workspace = target.workspace
    found = workspace.standing()
    row = {"folder": str(workspace.folder), "state": found.state, "is": found.why, "commit": found.commit}
    if found.state != "checkout":
        return [row]
    try:
        return [row | _file(workspace, target.settings.client_prefixes) | _packages(workspace, found.commit)]
    except Refused as error:
        raise Unreachable(error.message, error.next_step, "odd") from None


def _file(workspace: Workspace, published: tuple[str, ...]) -> dict[str, Any]:
    found = workspace.environment()
    if found is None:
        return {"file": None}
    said = read(found[0])
    rows = judged(said.values, published=published)
    return {
        "file": ENV,
        "private": found[1] & 0o077 == 0,
        "variables": len(rows),
        "wrong": [f"{row['variable']} {row['finding']}" for row in rows if row["standing"] != Verdict.OK],
        "twice": list(said.twice),
        "unreadable_lines": len(said.odd),
    }


def _packages(workspace: Workspace, commit: str) -> dict[str, Any]:
    data = workspace.file(commit, npm.LOCK, LARGEST_LOCK)
    if data is None:
        return {"locked": None, "not_as_locked": []}
    lock = npm.parse(data)
    return {"locked": len(lock.packages) - 1, "not_as_locked": lock.installed(workspace.folder)}


development = Probe(
    "environment-development",
    "What was set up for development here",
    _development,
    f"git rev-parse HEAD; {ENV}; {npm.LOCK} against node_modules",
    by_executor=True,
)
"""One row: ``state`` absent, other or checkout; of a checkout what is wrong in its env file, and with its packages."""
