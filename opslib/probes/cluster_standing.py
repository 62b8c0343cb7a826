"""How one deployment stands, and why: its number, its pods, its templates; what of it a recovery would put right.

Kubernetes does not record whether a revision was ever well: ``previous`` is the one before, as ``kubectl rollout
undo`` takes it. Source: Kubernetes documentation, "Deployments" (failed deployment, rolling back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from opslib.errors import OpsError
from opslib.model import Probe, now
from opslib.probes.cluster_states import state_of
from opslib.settings import ReadSettings
from opslib.systems.kubernetes_history import HASH, ReadOnlyWorkloads, ReplicaSet
from opslib.systems.kubernetes_shapes import Pod
from opslib.systems.kubernetes_workloads import Autoscaler, Deployment
from opslib.systems.target import ReadTarget

Recovered = Literal["api", "worker", "prometheus", "grafana"]
"""The deployments that can be brought back: their names stand in the target's description."""
WATCHING = ("prometheus", "grafana")
"""Those that watch the product, in a namespace of their own."""
BROKEN = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"}
)
"""States of a pod that its template may be the reason of, and that do not end by waiting."""


@dataclass(frozen=True)
class Standing:
    """One deployment at one moment: ``sets`` are its ReplicaSets, the newest first, ``pods`` those that have not ended.

    ``autoscalers`` are those that size it.
    """

    deployment: Deployment
    autoscalers: Sequence[Autoscaler]
    sets: Sequence[ReplicaSet]
    pods: Sequence[Pod]
    at: datetime

    @property
    def current(self) -> ReplicaSet | None:
        """The newest template's."""
        return self.sets[0] if self.sets else None

    @property
    def previous(self) -> ReplicaSet | None:
        """The one before it."""
        return self.sets[1] if len(self.sets) > 1 else None

    def of(self, one: ReplicaSet | None) -> list[Pod]:
        """Return the pods of a ReplicaSet."""
        word = one.meta.labels.get(HASH) if one else None
        return [pod for pod in self.pods if word is not None and pod.meta.labels.get(HASH) == word]

    @property
    def template_is_broken(self) -> bool:
        """Whether no pod of the newest template is ready, some of them for a reason that may lie in it."""
        own = self.of(self.current)
        return bool(own) and not any(pod.ready for pod in own) and any(state_of(pod)[0] in BROKEN for pod in own)

    def wedged(self, seconds: float) -> list[Pod]:
        """Return the pods that serve nobody though they were made more than ``seconds`` ago, in the order of names."""
        late = [pod for pod in self.pods if not pod.ready and pod.meta.going is None and pod.spec.node]
        return sorted((pod for pod in late if self.age(pod) > seconds), key=lambda pod: pod.name)

    def age(self, pod: Pod) -> float:
        """Return how old a pod is, in seconds."""
        return (self.at - pod.meta.created).total_seconds()


def name_of(settings: ReadSettings, which: Recovered) -> str:
    """Return the deployment's name in this target's description."""
    return {
        "api": settings.api_deployment,
        "worker": settings.worker_deployment,
        "prometheus": settings.prometheus_deployment,
        "grafana": settings.grafana_deployment,
    }[which]


def home(target: ReadTarget, which: Recovered) -> ReadOnlyWorkloads:
    """Return the namespace that it is in; raises SettingsError where who watches runs elsewhere."""
    return target.watchers if which in WATCHING else target.workloads


def look(cluster: ReadOnlyWorkloads, name: str) -> Standing:
    """Return how a deployment stands now; raises Unreachable (missing) where it is not there."""
    deployment = cluster.deployment(name)
    pods = [one for one in cluster.pods() if deployment.spec.selector.fits(one.meta.labels) and not one.over]
    return Standing(deployment, cluster.autoscalers_of(name), cluster.replica_sets(name), pods, now())


def running(target: ReadTarget, which: Recovered) -> dict[str, Any]:
    """Return a deployment's newest revision, and for how many seconds its oldest ready pod has been there (``age``).

    All None where the cluster does not say; ``age`` where no pod of it is ready.
    """
    try:
        found = look(home(target, which), name_of(target.settings, which))
    except OpsError:
        return {"deployment": None, "revision": None, "age": None}
    ages = [found.age(pod) for pod in found.of(found.current) if pod.ready]
    revision = found.current.revision if found.current else None
    return {"deployment": found.deployment.name, "revision": revision, "age": round(max(ages), 1) if ages else None}


def standing(which: Recovered) -> Probe:
    """Return the probe of one of these deployments: one row."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = look(home(target, which), name_of(target.settings, which))
        said, current, previous = found.deployment.status, found.current, found.previous
        late = [f"{pod.name} {state_of(pod)[0]}" for pod in found.pods if not pod.ready]
        return [
            {
                "deployment": found.deployment.name,
                "wanted": found.deployment.spec.replicas,
                "at_least": found.autoscalers[0].spec.low if found.autoscalers else None,
                "available": said.available,
                "not_ready": "; ".join(late),
                "revision": current.revision if current else None,
                "images": current.images if current else None,
                "of_it_ready": sum(pod.ready for pod in found.of(current)),
                "template_is_broken": found.template_is_broken,
                "before": f"{previous.revision}: {previous.images}" if previous else None,
            }
        ]

    return Probe(
        name=f"cluster-standing-{which}",
        title="The deployment, its pods and its newest template",
        read=read,
        source="GET deployments · GET replicasets · GET pods · GET horizontalpodautoscalers",
    )


def history(which: Recovered) -> Probe:
    """Return the probe of a deployment's ReplicaSets, the newest first, as ``kubectl rollout history`` lists them."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = look(home(target, which), name_of(target.settings, which))
        return [
            {
                "revision": one.revision,
                "images": one.images,
                "made": one.meta.created.isoformat(timespec="seconds"),
                "pods": len(found.of(one)),
                "ready": sum(pod.ready for pod in found.of(one)),
            }
            for one in found.sets
        ]

    return Probe(
        name=f"cluster-history-{which}",
        title="Revisions that the deployment can go back to",
        read=read,
        source="GET replicasets",
    )
