"""Who takes the agents' jobs: the workers' deployment, and what waits for it."""

from __future__ import annotations

from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.cache_queues import queue
from opslib.probes.cluster_standing import standing
from opslib.systems.target import ReadTarget

QUEUE = queue()


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    row = dict(standing("worker").read(target)[0])
    waiting: dict[str, Any] = {"waiting": None, "oldest_waiting": None, "why": ""}
    try:
        (jobs,) = QUEUE.read(target)
        waiting |= {name: jobs[name] for name in ("waiting", "oldest_waiting")}
    except OpsError as error:
        # What nobody could see of the queue says nothing of the workers.
        waiting["why"] = error.message
    return [{**row, **waiting}]


workers = Probe(
    "agents-workers",
    "The workers of the agents' jobs, and the jobs that wait",
    _read,
    source=f"{standing('worker').source} · {QUEUE.source}",
    units={"oldest_waiting": "s"},
)
"""One row: the deployment as ``cluster-standing-worker`` has it, and ``waiting`` jobs, the oldest for how long."""
