"""Whether the database's machines could be switched off from outside, and whether they are on, by the fence agent.

Taken by the executor: the agent's password also switches off.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.database_servers import PRIMARY, STANDBY
from opslib.systems.target import PlanTarget


def _fencing(target: PlanTarget) -> list[dict[str, Any]]:
    settings, agent = target.settings, target.fence_agent
    urls = ((PRIMARY, settings.read_database_url), (STANDBY, settings.read_standby_url))
    rows = []
    for meant_as, url in urls:
        if url is None:
            continue
        row = {"meant_as": meant_as, "address": url.public, "agent": agent.described, "state": None, "reason": None}
        try:
            row["state"] = agent.state(agent.plug(meant_as)) if agent.described else None
        except OpsError as error:
            # That one machine can't be asked about hides nothing of the other.
            row["reason"] = str(error)
        rows.append(row)
    return rows


fencing = Probe(
    "database-fencing",
    "Could each server be switched off from outside, and is it on?",
    _fencing,
    "OPS_FENCE_AGENT: action=status, plug=…",
    by_executor=True,
)
"""A row per server: meant_as, address, whether an agent is described, state (on, off; None: nobody knows), reason."""
