"""Kubernetes: what a cluster says of one namespace and of its nodes, and the few things that the runbooks set there.

Sources: Kubernetes API description (swagger), "Kubernetes API Concepts" (limit and continue, resourceVersion,
Status); metrics.k8s.io/v1beta1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import Field

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor
from opslib.systems.kubernetes_policies import Ingress, NetworkPolicy, Rule, Service
from opslib.systems.kubernetes_shapes import Node, Pod, Selector
from opslib.systems.kubernetes_workloads import Autoscaler, Budget, Deployment, Event, NodeUse, PodUse, Quota, Scale

READING = Vendor("Kubernetes", "OPS_READ_KUBERNETES_TOKEN", words=(("message",),))
WRITING = Vendor("Kubernetes", "OPS_KUBERNETES_TOKEN", words=(("message",),))
PER_PAGE = 200
"""Objects of one answer: a pod is some ten thousand bytes, and an answer may have four million."""
MOST_PAGES = 200
MANAGER = "opslib"
"""Whose changes these are, in the objects' managedFields."""
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
RUN = "opslib/run"
"""The annotation that says whose a policy is."""

APPS, SCALING = ("apis", "apps", "v1"), ("apis", "autoscaling", "v2")
CORE, POLICY = ("api", "v1"), ("apis", "policy", "v1")
NETWORK = ("apis", "networking.k8s.io", "v1")
METRICS = ("apis", "metrics.k8s.io", "v1beta1")

S = TypeVar("S", bound=Shape)


class _ListMeta(Shape):
    token: str | None = Field(None, alias="continue")


class _Page(Shape, Generic[S]):
    metadata: _ListMeta = _ListMeta()
    items: list[S]


class ReadOnlyCluster:
    """One namespace of a cluster, and its nodes, by a token that only reads; only GET is sent."""

    per_page = PER_PAGE

    def __init__(self, settings: VendorNames, token: Secret | None, namespace: str | None = None) -> None:
        """Use the product's namespace, or ``namespace``; raises SettingsError where the description has no cluster."""
        if settings.kubernetes_url is None or settings.kubernetes_namespace is None:
            raise SettingsError(
                "The cluster is not in the target description.", "Set OPS_KUBERNETES_URL and OPS_KUBERNETES_NAMESPACE."
            )
        self._url, self.namespace = settings.kubernetes_url, namespace or settings.kubernetes_namespace
        self._api = self._opened(settings, token)

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(READING, self._url, token, ca=settings.kubernetes_ca)

    def nodes(self) -> list[Node]:
        """Return every node of the cluster."""
        return self._all(Node, *CORE, "nodes")

    def pods(self, labels: str | None = None, *, everywhere: bool = False) -> list[Pod]:
        """Return the pods of the namespace (those with ``labels``, a label selector), or of all namespaces."""
        home = CORE if everywhere else (*CORE, "namespaces", self.namespace)
        return self._all(Pod, *home, "pods", labels=labels)

    def deployments(self) -> list[Deployment]:
        """Return the deployments of the namespace."""
        return self._all(Deployment, *self._home(APPS), "deployments")

    def deployment(self, name: str) -> Deployment:
        """Return one; raises Unreachable (missing)."""
        return self._api.get(Deployment, *self._home(APPS), "deployments", name)

    def autoscalers(self) -> list[Autoscaler]:
        """Return the horizontal autoscalers of the namespace."""
        return self._all(Autoscaler, *self._home(SCALING), "horizontalpodautoscalers")

    def autoscalers_of(self, deployment: str) -> list[Autoscaler]:
        """Return those that size one deployment: none, one, or by mistake several."""
        return [
            one
            for one in self.autoscalers()
            if (one.spec.target.kind, one.spec.target.name) == ("Deployment", deployment)
        ]

    def budgets(self) -> list[Budget]:
        """Return the PodDisruptionBudgets of the namespace."""
        return self._all(Budget, *self._home(POLICY), "poddisruptionbudgets")

    def quotas(self) -> list[Quota]:
        """Return the ResourceQuotas of the namespace."""
        return self._all(Quota, *self._home(CORE), "resourcequotas")

    def node_use(self) -> list[NodeUse]:
        """Return what the nodes use now; raises Unreachable (missing, broken) where nobody measures."""
        return self._api.get(_Page[NodeUse], *METRICS, "nodes").items

    def pod_use(self) -> list[PodUse]:
        """Return what the namespace's pods use now; raises as :meth:`node_use`."""
        return self._api.get(_Page[PodUse], *self._home(METRICS), "pods").items

    def policies(self) -> list[NetworkPolicy]:
        """Return the network policies of the namespace."""
        return self._all(NetworkPolicy, *self._home(NETWORK), "networkpolicies")

    def services(self) -> list[Service]:
        """Return the services of the namespace."""
        return self._all(Service, *self._home(CORE), "services")

    def ingresses(self) -> list[Ingress]:
        """Return the ingresses of the namespace."""
        return self._all(Ingress, *self._home(NETWORK), "ingresses")

    def warnings(self) -> list[Event]:
        """Return the warnings of the namespace that the cluster still has."""
        return [one for one in self._all(Event, *self._home(CORE), "events") if one.kind == "Warning"]

    def pour_log(
        self, take: Callable[[bytes], None], pod: str, container: str, *, since: int, previous: bool, seconds: float
    ) -> None:
        """Hand a container's log of the last ``since`` seconds to ``take``, each line with its moment, none left out.

        As far as its node has kept it, within ``seconds``; ``previous`` is that of before its last restart. Raises
        Unreachable: rejected where Kubernetes has no such log, missing where the pod is gone, cut where it broke off.
        """
        query: dict[str, str | int | None] = {"container": container, "timestamps": "true", "sinceSeconds": since}
        query["previous"] = "true" if previous else None
        self._api.pour(take, *self._home(CORE), "pods", pod, "log", query=query, seconds=seconds)

    def log(self, pod: str, *, container: str | None = None, lines: int | None = None, previous: bool = False) -> str:
        """Return a container's log as far as its node has kept it; ``previous`` is that of before its last restart."""
        query = {"container": container, "tailLines": lines, "previous": "true" if previous else None}
        return self._api.text(*self._home(CORE), "pods", pod, "log", query={"timestamps": "true", **query})

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _home(self, group: tuple[str, ...]) -> tuple[str, ...]:
        return (*group, "namespaces", self.namespace)

    def _all(self, shape: type[S], *path: str, labels: str | None = None) -> list[S]:
        found: list[S] = []
        token: str | None = None
        for _ in range(MOST_PAGES):
            query: dict[str, str | int | None] = {"limit": self.per_page, "continue": token, "labelSelector": labels}
            page = self._api.get(_Page[shape], *path, query=query)  # type: ignore[valid-type]
            found += page.items
            token = page.metadata.token
            if not token:
                break
        return found


class Cluster(ReadOnlyCluster):
    """Also sets what the runbooks change: bounds, replicas, one variable of a container, who may come in to pods."""

    _api: WritingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> WritingApi:
        return WritingApi(WRITING, self._url, token, ca=settings.kubernetes_ca)

    def bound(self, autoscaler: str, low: int, high: int, version: str) -> Autoscaler:
        """Set an autoscaler's bounds; raises Unreachable (conflict) where its resourceVersion is another by now."""
        body = {"metadata": {"resourceVersion": version}, "spec": {"minReplicas": low, "maxReplicas": high}}
        path = (*self._home(SCALING), "horizontalpodautoscalers", autoscaler)
        return self._api.read(Autoscaler, "PATCH horizontalpodautoscalers", self._patched(path, body))

    def scale(self, deployment: str, replicas: int, version: str) -> int:
        """Set a deployment's replicas and return what stands there then; raises as :meth:`bound`."""
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        path = (*self._home(APPS), "deployments", deployment, "scale")
        return self._api.read(Scale, "PATCH scale", self._patched(path, body)).spec.replicas

    def set_variable(self, deployment: str, container: str, name: str, value: str | None, version: str) -> Deployment:
        """Set a variable of one container by its name, None removes it; raises as :meth:`bound`. Pods are replaced."""
        entry = {"name": name, "$patch": "delete"} if value is None else {"name": name, "value": value}
        spec = {"template": {"spec": {"containers": [{"name": container, "env": [entry]}]}}}
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        path = (*self._home(APPS), "deployments", deployment)
        return self._api.read(Deployment, "PATCH deployments", self._patched(path, body, STRATEGIC))

    def make_policy(self, name: str, pods: Selector, ingress: list[Rule], run: str) -> NetworkPolicy:
        """Make a network policy for the ingress of ``pods``, marked with ``run``; raises as :meth:`bound`."""
        selector = pods.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "annotations": {RUN: run}},
            "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": ingress},
        }
        path = (*self._home(NETWORK), "networkpolicies")
        sent = self._api.send("POST", *path, query={"fieldManager": MANAGER}, body=body)
        return self._api.read(NetworkPolicy, "POST networkpolicies", sent)

    def set_ingress(self, policy: str, ingress: list[Rule], version: str) -> NetworkPolicy:
        """Set who may come in by a network policy; raises as :meth:`bound`."""
        body = {"metadata": {"resourceVersion": version}, "spec": {"ingress": ingress}}
        path = (*self._home(NETWORK), "networkpolicies", policy)
        return self._api.read(NetworkPolicy, "PATCH networkpolicies", self._patched(path, body))

    def remove_policy(self, policy: str, uid: str, version: str) -> None:
        """Remove exactly this network policy; raises Unreachable (conflict) where it is another by now."""
        body = {"preconditions": {"uid": uid, "resourceVersion": version}}
        self._api.send("DELETE", *self._home(NETWORK), "networkpolicies", policy, body=body)

    def _patched(self, path: tuple[str, ...], body: dict[str, Any], kind: str = MERGE) -> Any:
        return self._api.send("PATCH", *path, query={"fieldManager": MANAGER}, body=body, kind=kind)
