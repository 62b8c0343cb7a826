"""The replicas of the API, each asked by itself: breakers are in each one's memory, and none knows another's.

The Kubernetes API can pass a request on to a pod, but takes the Authorization header for itself, and the product wants
one. So replicas are asked at their own addresses: those of the target description, else the running pods' own at
``OPS_API_POD_PORT``. A pod that is not ready counts: the product's readiness fails while the provider is out, and just
then its breakers matter. What the cluster has beyond those that can be asked is counted, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.settings import ReadSettings
from opslib.systems.gateway import ReadOnlyGateway
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Pod


@dataclass(frozen=True)
class Replica:
    """One replica: its name for people, and its base address; ``why`` is the reason where there is none."""

    name: str
    base: str | None
    why: str = ""


class ReadOnlyReplicas:
    """Every replica's LLM router, asked by GET as the user who only looks. Close with :meth:`close`."""

    def __init__(self, settings: ReadSettings, cluster: Callable[[], ReadOnlyCluster]) -> None:
        self._settings, self._cluster = settings, cluster
        self._gateways: dict[str, ReadOnlyGateway] = {}

    def all(self) -> list[Replica]:
        """Return every replica that there is, also those that cannot be asked; raises OpsError where nobody says."""
        said = self._settings
        if said.api_replicas:
            known = [Replica(_short(base), base) for base in said.api_replicas]
            return [*known, *self._beyond(len(known))]
        if said.kubernetes_url is None:
            raise Unreachable("No replica of the API is described.", "Set OPS_API_REPLICAS, or OPS_API_POD_PORT.")
        return [self._of_pod(pod) for pod in self._pods()]

    def gateway(self, replica: Replica) -> ReadOnlyGateway:
        """Return the router of one replica; raises Unreachable for one that has no address."""
        if replica.base is None:
            said = f"{replica.name} cannot be asked: {replica.why}"
            raise Unreachable(said, "See docs/production.md.", "unaddressed")
        if replica.base not in self._gateways:
            self._gateways[replica.base] = ReadOnlyGateway(self._settings, replica.base)
        return self._gateways[replica.base]

    def close(self) -> None:
        """Close every connection."""
        for gateway in self._gateways.values():
            gateway.close()

    def _pods(self) -> list[Pod]:
        cluster = self._cluster()
        deployment = cluster.deployment(self._settings.api_deployment)
        mine = [pod for pod in cluster.pods() if deployment.spec.selector.fits(pod.meta.labels)]
        pods = [pod for pod in mine if pod.status.phase == "Running" and pod.meta.going is None]
        if not pods:
            raise Unreachable(f"No pod of {deployment.name} is running.", "See diagnostics/cluster.", "missing")
        return sorted(pods, key=lambda pod: pod.name)

    def _of_pod(self, pod: Pod) -> Replica:
        port, address = self._settings.api_pod_port, pod.status.address
        if port is None:
            return Replica(pod.name, None, "OPS_API_POD_PORT is not set.")
        if not address:
            return Replica(pod.name, None, "the cluster tells no address of this pod.")
        host = f"[{address}]" if ":" in address else address
        return Replica(pod.name, f"http://{host}:{port}")

    def _beyond(self, known: int) -> list[Replica]:
        """Return what the cluster runs of replicas beyond those that are described."""
        if self._settings.kubernetes_url is None:
            return []
        try:
            running = len(self._pods())
        except OpsError as error:
            # What runs nowhere in the cluster runs where the description says.
            if isinstance(error, Unreachable) and error.kind == "missing":
                return []
            return [Replica("further replicas", None, f"the cluster does not tell how many run: {error.message}")]
        why = f"OPS_API_REPLICAS names {known}, and {running} pods are running."
        return [Replica(f"replica {number} of {running}", None, why) for number in range(known + 1, running + 1)]


def _short(base: str) -> str:
    parts = urlsplit(base)
    return f"{parts.netloc}{parts.path}"
