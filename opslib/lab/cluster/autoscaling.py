"""The stand-in's horizontal autoscalers: bounds first, then the use of cpu; down only after a while.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling" (algorithm details, stabilisation window).
"""

from __future__ import annotations

import copy
import math
from typing import Any

from opslib.lab.cluster import pods
from opslib.lab.cluster.kinds import Object, stamp
from opslib.lab.cluster.store import Store

TOLERANCE = 0.1
"""An autoscaler lets figures within this share of its target be."""


class Autoscaling:
    """Sizes the deployments of a store."""

    def __init__(self, store: Store) -> None:
        self._store, self._state = store, store.state

    def scale(self, autoscaler: Object, now: float) -> None:
        """Let one autoscaler look at its deployment and size it."""
        made, spec = copy.deepcopy(autoscaler), autoscaler["spec"]
        namespace = autoscaler["metadata"]["namespace"]
        deployment = self._store.of("deployments").get(f"{namespace}/{spec['scaleTargetRef']['name']}")
        if deployment is None:
            return
        current, low, high = deployment["spec"]["replicas"], spec.get("minReplicas", 1), spec["maxReplicas"]
        use = self._use(deployment)
        wanted = self._wanted(made, current, use, now)
        made["status"] = {
            **made.get("status", {}),
            "currentReplicas": current,
            "desiredReplicas": wanted,
            "conditions": _conditions(current, wanted, (low, high), use, made["metadata"]),
            "currentMetrics": _current(use),
        }
        if wanted != current:
            made["status"]["lastScaleTime"] = stamp(now)
            scaled = copy.deepcopy(deployment)
            scaled["spec"]["replicas"] = wanted
            scaled["metadata"]["generation"] += 1
            self._store.keep(scaled)
            said = f"New size: {wanted}; reason: {'bounds' if not low <= current <= high else 'use of cpu'}"
            self._store.event(autoscaler, "SuccessfulRescale", said, now, "Normal")
        self._store.keep(made)

    def _wanted(self, autoscaler: Object, current: int, use: int | None, now: float) -> int:
        spec, waits = autoscaler["spec"], self._state["waits"]
        low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
        key = autoscaler["metadata"]["uid"]
        if current == 0:
            return 0
        if not low <= current <= high:
            # The bounds come before any figure.
            return int(min(max(current, low), high))
        wanted = current
        if use is not None:
            target = spec["metrics"][0]["resource"]["target"]["averageUtilization"]
            if abs(use / target - 1) > TOLERANCE:
                wanted = min(max(math.ceil(current * use / target), low), high)
        if wanted >= current:
            waits.pop(key, None)
            return int(wanted)
        since = waits.setdefault(key, now)
        if now - since < self._state["stabilisation_seconds"]:
            return current
        waits.pop(key, None)
        return int(wanted)

    def _use(self, deployment: Object) -> int | None:
        """Return the use of cpu in percent of what is requested; None where nothing is measured."""
        if self._state["metrics"] != "up":
            return None
        here = pods.belonging(self._store, deployment)
        asked = sum(pods.requests(pod["spec"], "cpu") for pod in here)
        load = self._state["load"].get(deployment["metadata"]["name"], 0) / 1000
        return round(100 * load / asked) if asked else None


def _current(use: int | None) -> list[Any]:
    if use is None:
        return []
    said = {"averageUtilization": use, "averageValue": f"{use}m"}
    return [{"type": "Resource", "resource": {"name": "cpu", "current": said}}]


def _conditions(current: int, wanted: int, bounds: tuple[int, int], use: int | None, meta: Object) -> list[Object]:
    scaling = ("True", "ValidMetricFound")
    if current == 0:
        scaling = ("False", "ScalingDisabled")
    elif use is None:
        scaling = ("False", "FailedGetResourceMetric")
    limited = ("False", "DesiredWithinRange")
    if wanted == bounds[1]:
        limited = ("True", "TooManyReplicas")
    elif wanted == bounds[0]:
        limited = ("True", "TooFewReplicas")
    said = {"AbleToScale": ("True", "ReadyForNewScale"), "ScalingActive": scaling, "ScalingLimited": limited}
    when = meta["creationTimestamp"]
    return [
        {"type": kind, "status": value, "reason": reason, "message": reason, "lastTransitionTime": when}
        for kind, (value, reason) in said.items()
    ]
