"""For tests of the cluster: the lab's own doors to its stand-in."""

from __future__ import annotations

import copy
import time
import urllib.parse
import urllib.request
from typing import Any

from opslib.lab.cluster.kinds import KINDS, stamp
from opslib.lab.cluster.store import Store
from tests.vendors import Doors

NAMESPACE = "production"


class ClusterDoors(Doors):
    """What a test may do behind the cluster's back."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings, cluster=True)

    def cluster(self) -> dict[str, Any]:
        """Return what the cluster remembers, as it is now."""
        return self.state()["kubernetes"]

    def change(self, **said: Any) -> None:
        """Put ``said`` in place of what the cluster remembers under these names."""
        self.put(kubernetes={**self.cluster(), **said})

    def edit(self, plural: str, name: str, **spec: Any) -> None:
        """Change the spec of an object of the product's namespace, as somebody else would."""
        state = self.cluster()
        one = state["objects"][plural][f"{NAMESPACE}/{name}"]
        one["spec"] |= spec
        state["version"] += 1
        one["metadata"]["resourceVersion"] = str(state["version"])
        if "generation" in one["metadata"]:
            one["metadata"]["generation"] += 1
        self.put(kubernetes=state)

    def specs(self) -> dict[str, Any]:
        """Return what people decide of the cluster: specs, without what goes by the clock."""
        said = {}
        for plural, objects in self.cluster()["objects"].items():
            if plural not in ("pods", "replicasets", "events"):
                said[plural] = {key: copy.deepcopy(one.get("spec")) for key, one in objects.items()}
        return said

    def spec(self, plural: str, name: str) -> dict[str, Any]:
        """Return one object's spec."""
        return self.specs()[plural][f"{NAMESPACE}/{name}"]

    def pods_of(self, name: str, objects: dict[str, Any] | None = None) -> list[str]:
        """Return the names of a deployment's pods."""
        found = (objects or self.cluster()["objects"])["pods"].values()
        return sorted(one["metadata"]["name"] for one in found if one["metadata"]["labels"].get("app") == name)

    def restart(self, name: str, *, ago: float, times: int = 1) -> None:
        """Have every container of a deployment ended, the last time so many seconds ago, after two hours at least."""
        state, at = self.cluster(), time.time() - ago
        for pod in state["objects"]["pods"].values():
            if pod["metadata"]["labels"].get("app") != name:
                continue
            for one in pod["status"]["containerStatuses"]:
                began = min(one["state"]["running"]["startedAt"], stamp(at - 7200))
                ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": began, "finishedAt": stamp(at)}
                one |= {"restartCount": times, "lastState": {"terminated": ended}}
                one["state"] = {"running": {"startedAt": stamp(at)}}
        self.put(kubernetes=state)

    def age(self, name: str, seconds: float) -> None:
        """Have every container of a deployment run since so many seconds, without an end before that."""
        state, began = self.cluster(), stamp(time.time() - seconds)
        for pod in state["objects"]["pods"].values():
            if pod["metadata"]["labels"].get("app") == name:
                for one in pod["status"]["containerStatuses"]:
                    one |= {"restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": began}}}
        self.put(kubernetes=state)

    def made(self, name: str, seconds: float) -> None:
        """Have the pods of a deployment be made so many seconds ago."""
        state, at = self.cluster(), stamp(time.time() - seconds)
        for pod in state["objects"]["pods"].values():
            if pod["metadata"]["labels"].get("app") == name:
                pod["metadata"]["creationTimestamp"] = at
        self.put(kubernetes=state)

    def make(self, plural: str, name: str, spec: dict[str, Any], **meta: Any) -> None:
        """Make an object in the product's namespace, as somebody else would."""
        state = self.cluster()
        Store(state).create(KINDS[plural], NAMESPACE, {"metadata": {"name": name, **meta}, "spec": spec}, time.time())
        self.put(kubernetes=state)

    def remove(self, plural: str, name: str) -> None:
        """Remove an object, as somebody else would."""
        state = self.cluster()
        del state["objects"][plural][f"{NAMESPACE}/{name}"]
        self.put(kubernetes=state)

    def reaches(self, pod: str, source: str, **more: Any) -> bool:
        """Try whether a packet from ``source`` reaches a pod, by the stand-in's own network."""
        asked = urllib.parse.urlencode({"pod": f"{NAMESPACE}/{pod}", "source": source, **more})
        return bool(self._ask("GET", f"reach?{asked}")["reaches"])

    def bounds(self, name: str) -> tuple[int, int]:
        """Return an autoscaler's bounds."""
        spec = self.spec("horizontalpodautoscalers", name)
        return spec["minReplicas"], spec["maxReplicas"]

    def until(self, said: Any, seconds: float = 30.0) -> dict[str, Any]:
        """Wait until ``said(objects)`` holds; returns the objects by kind and ``namespace/name``."""
        end = time.monotonic() + seconds
        while not said(objects := self.cluster()["objects"]):
            assert time.monotonic() < end, "the cluster did not come to it"
            time.sleep(0.05)
        return objects


def replicas(objects: dict[str, Any], name: str) -> int:
    """Return how many replicas of a deployment are available."""
    return objects["deployments"][f"{NAMESPACE}/{name}"]["status"].get("availableReplicas", 0)
