"""What is used of Kubernetes' network policies, services and ingresses: who may reach a pod, and by which way.

Source: Kubernetes API description (networking.k8s.io/v1, core/v1).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from opslib.systems.kubernetes_shapes import Labels, Part, Selector, Thing

Rule = dict[str, Any]
"""An ingress rule of a policy as Kubernetes has it: ``from`` and ``ports``, each of them optional."""


class _PolicySpec(Part):
    pods: Selector = Field(Selector(), alias="podSelector")
    types: tuple[str, ...] = Field((), alias="policyTypes")
    ingress: tuple[Rule, ...] = ()


class NetworkPolicy(Thing):
    """A network policy. What it does not allow to the pods that it selects, only another policy can allow."""

    spec: _PolicySpec = _PolicySpec()

    def holds(self, labels: Labels) -> bool:
        """Tell whether it says who may reach pods with ``labels``; one without types does."""
        return (not self.spec.types or "Ingress" in self.spec.types) and self.spec.pods.fits(labels)


class _ServiceSpec(Part):
    type: str = "ClusterIP"
    selector: Labels = Field({})
    traffic: str = Field("Cluster", alias="externalTrafficPolicy")
    address: str = Field("", alias="clusterIP")
    addresses: tuple[str, ...] = Field((), alias="clusterIPs")
    outside: tuple[str, ...] = Field((), alias="externalIPs")


class _Entry(Part):
    ip: str = ""


class _Balancer(Part):
    ingress: tuple[_Entry, ...] = ()


class _ServiceStatus(Part):
    balancer: _Balancer = Field(_Balancer(), alias="loadBalancer")


class Service(Thing):
    """A service."""

    spec: _ServiceSpec = _ServiceSpec()
    status: _ServiceStatus = _ServiceStatus()

    def leads_to(self, labels: Labels) -> bool:
        """Tell whether it leads to pods with ``labels``; one without a selector leads to none by labels."""
        wanted = self.spec.selector
        return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())

    @property
    def open(self) -> bool:
        """Whether it can be reached from outside of the cluster."""
        return self.spec.type in ("LoadBalancer", "NodePort") or bool(self.spec.outside)

    @property
    def hides(self) -> bool:
        """Whether pods behind it see a node's address instead of the client's."""
        return self.open and (self.spec.traffic != "Local" or self.spec.type == "ClusterIP")

    @property
    def own(self) -> tuple[str, ...]:
        """Its own addresses, inside and outside."""
        entries = (one.ip for one in self.status.balancer.ingress)
        said = {self.spec.address, *self.spec.addresses, *self.spec.outside, *entries}
        return tuple(sorted(said - {"", "None"}))


class _IngressSpec(Part):
    rules: tuple[dict[str, Any], ...] = ()
    default: dict[str, Any] = Field({}, alias="defaultBackend")


class Ingress(Thing):
    """An ingress: what its controller takes from outside and hands on to services."""

    spec: _IngressSpec = _IngressSpec()

    @property
    def services(self) -> frozenset[str]:
        """The names of the services that it leads to."""
        paths = (path for rule in self.spec.rules for path in (rule.get("http") or {}).get("paths") or ())
        backends = [self.spec.default, *(path.get("backend") or {} for path in paths)]
        return frozenset(str(one["service"]["name"]) for one in backends if "name" in (one.get("service") or {}))
