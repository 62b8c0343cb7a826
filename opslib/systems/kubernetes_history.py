"""What a deployment was before, the workload of the cache, and the few things that a recovery does to either.

Sources: Kubernetes API description (apps/v1 ReplicaSet, StatefulSet; DeleteOptions' preconditions); "Deployments"
(revision annotation, rolling back: ``kubectl rollout undo`` sets the template of an earlier ReplicaSet without its
hash); "StatefulSets" (a pod that is deleted is made again under its name, with its volume); RFC 6902 (test).
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import Field

from opslib.systems.kubernetes import APPS, CORE, MANAGER, Cluster, ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Labels, Part, Selector, Thing

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
JSON_PATCH = "application/json-patch+json"


class _Owner(Part):
    uid: str
    kind: str


class _OwnedMeta(Part):
    owners: tuple[_Owner, ...] = Field((), alias="ownerReferences")


class _SetSpec(Part):
    replicas: int = 0
    template: dict[str, Any] = Field(repr=False)


class _SetStatus(Part):
    replicas: int = 0
    ready: int = Field(0, alias="readyReplicas")


class ReplicaSet(Thing):
    """One template that a deployment had or has, with its pods."""

    spec: _SetSpec
    status: _SetStatus = _SetStatus()
    owned: _OwnedMeta = Field(_OwnedMeta(), alias="metadata")

    @property
    def revision(self) -> int:
        """Its number: the higher, the newer."""
        word = self.meta.annotations.get(REVISION, "")
        return int(word) if word.isdecimal() else 0

    @property
    def template(self) -> dict[str, Any]:
        """The template as the deployment had it: without the hash that its controller adds."""
        made = copy.deepcopy(self.spec.template)
        labels = (made.get("metadata") or {}).get("labels") or {}
        labels.pop(HASH, None)
        return made

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Its containers, as the API has them."""
        return list((self.spec.template.get("spec") or {}).get("containers") or ())

    @property
    def images(self) -> str:
        """What its containers run."""
        return ", ".join(str(one.get("image", "")) for one in self.containers)


class _Claim(Part):
    class _Meta(Part):
        name: str = ""

    meta: _Meta = Field(_Meta(), alias="metadata")


class _StatefulContainer(Part):
    name: str
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class _StatefulPodSpec(Part):
    containers: tuple[_StatefulContainer, ...]
    volumes: tuple[dict[str, Any], ...] = ()


class _StatefulTemplate(Part):
    class _Meta(Part):
        labels: Labels = Field({})

    meta: _Meta = Field(_Meta(), alias="metadata")
    spec: _StatefulPodSpec


class _StatefulSpec(Part):
    replicas: int = 1
    selector: Selector
    template: _StatefulTemplate
    claims: tuple[_Claim, ...] = Field((), alias="volumeClaimTemplates")


class StatefulSet(Thing):
    """A workload whose pods keep their names and their volumes."""

    spec: _StatefulSpec
    status: _SetStatus = _SetStatus()

    @property
    def volumes(self) -> list[str]:
        """Volumes that outlive a pod: claims of its own, and those that it names."""
        named = [str(one["name"]) for one in self.spec.template.spec.volumes if "persistentVolumeClaim" in one]
        return [*(one.meta.name for one in self.spec.claims), *named]

    @property
    def words(self) -> list[str]:
        """What its containers are started with, command and arguments."""
        return [word for one in self.spec.template.spec.containers for word in (*one.command, *one.args)]


class ReadOnlyWorkloads(ReadOnlyCluster):
    """Also a deployment's ReplicaSets, and StatefulSets; only GET is sent."""

    def replica_sets(self, deployment: str) -> list[ReplicaSet]:
        """Return the ReplicaSets of a deployment, the newest first; raises Unreachable (missing)."""
        uid = self.deployment(deployment).meta.uid
        every = self._all(ReplicaSet, *self._home(APPS), "replicasets")
        mine = [one for one in every if uid in {owner.uid for owner in one.owned.owners}]
        return sorted(mine, key=lambda one: -one.revision)

    def stateful_set(self, name: str) -> StatefulSet:
        """Return one; raises Unreachable (missing)."""
        return self._api.get(StatefulSet, *self._home(APPS), "statefulsets", name)


class Workloads(ReadOnlyWorkloads, Cluster):
    """Also sets an earlier template again, and removes single pods that their controller makes again."""

    def set_template(self, deployment: str, uid: str, generation: int, template: dict[str, Any]) -> None:
        """Give a deployment the template of one of its ReplicaSets.

        Raises Unreachable (rejected) where it is another deployment, or its spec was changed since ``generation``.
        """
        body = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/metadata/generation", "value": generation},
            {"op": "replace", "path": "/spec/template", "value": template},
        ]
        path = (*self._home(APPS), "deployments", deployment)
        self._api.send("PATCH", *path, query={"fieldManager": MANAGER}, body=body, kind=JSON_PATCH)

    def remove_pod(self, pod: str, uid: str) -> None:
        """Remove exactly this pod; raises Unreachable (conflict, missing) where it is another by now, or gone."""
        self._api.send("DELETE", *self._home(CORE), "pods", pod, body={"preconditions": {"uid": uid}})
