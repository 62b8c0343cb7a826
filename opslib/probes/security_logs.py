"""Which logs of pods were preserved, beside the pods that are there now."""

from __future__ import annotations

from typing import Any, Literal

from opslib.errors import Unreachable
from opslib.model import UNKNOWN_UNTIL, Probe
from opslib.systems.target import ReadTarget

Of = Literal["api", "worker", "both"]


def pod_logs(of: Of, logs: Any, megabytes: int) -> Probe:
    """Return the probe of the logs that a step preserved (its value ``logs``), and of pods that came since.

    In a planning run there are none yet, and the reading says so. Nobody is asked where ``megabytes`` is 0.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if not megabytes:
            return []
        if isinstance(logs, str) and logs.startswith(UNKNOWN_UNTIL):
            raise Unreachable("Which logs there are is known once they are preserved.", "Apply the plan.", "early")
        names = {"api": target.settings.api_deployment, "worker": target.settings.worker_deployment}
        found = [target.cluster.deployment(name) for which, name in names.items() if of in (which, "both")]
        rows = [dict(row) for row in logs]
        known = {row["pod"] for row in rows}
        for pod in target.cluster.pods():
            if pod.name not in known and any(one.spec.selector.fits(pod.meta.labels) for one in found):
                came = {"pod": pod.name, "container": None, "log": None, "lines": 0, "first": None, "last": None}
                rows.append({**came, "gap": "", "limit": "it came after the logs were collected"})
        return rows

    return Probe(
        name="incident-pod-logs",
        title="Logs that were preserved, and pods that came since",
        read=read,
        source="the step's evidence · GET pods",
    )
