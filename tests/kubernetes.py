"""For tests of the cluster: the lab's own doors to its stand-in."""

from __future__ import annotations

import copy
import json
import ssl
import time
import urllib.request
from typing import Any

from tests.vendors import Doors

NAMESPACE = "production"


class ClusterDoors(Doors):
    """What a test may do behind the cluster's back."""

    def __init__(self, settings: Any) -> None:
        self.url = settings.kubernetes_url
        self._trusted = ssl.create_default_context(cafile=settings.kubernetes_ca)

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

    def _ask(self, method: str, door: str, said: Any = None) -> Any:
        data = None if said is None else json.dumps(said).encode()
        request = urllib.request.Request(f"{self.url}/_lab/{door}", data, method=method)
        with urllib.request.urlopen(request, timeout=20, context=self._trusted) as answer:
            return json.loads(answer.read())


def replicas(objects: dict[str, Any], name: str) -> int:
    """Return how many replicas of a deployment are available."""
    return objects["deployments"][f"{NAMESPACE}/{name}"]["status"].get("availableReplicas", 0)
