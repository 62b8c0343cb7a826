"""By which ways clients reach a deployment's pods, whether a policy sees their own addresses, and whose others are.

A network policy sees the address that a packet has when it arrives. Behind a service that spreads over all nodes that
is a node's, behind an ingress its controller's: a policy on clients' addresses then blocks nobody. Source: Kubernetes
documentation, "Using Source IP", "Network Policies".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.model import Probe
from opslib.probes.cluster_room import Which, name_of
from opslib.probes.cluster_sources import Net, net, words
from opslib.settings import ReadSettings
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_policies import Ingress, NetworkPolicy, Service
from opslib.systems.kubernetes_shapes import Labels, Pod
from opslib.systems.kubernetes_workloads import Deployment
from opslib.systems.target import ReadTarget


@dataclass(frozen=True)
class Door:
    """A deployment with its pods, and what stands before them."""

    deployment: Deployment
    pods: tuple[Pod, ...]
    policies: tuple[NetworkPolicy, ...]
    services: tuple[Service, ...]
    ingresses: tuple[Ingress, ...]
    all_pods: tuple[Pod, ...]
    """The pods of the whole namespace."""

    @property
    def labels(self) -> list[Labels]:
        """The labels of the pods that are there, and of those to come, each once."""
        found = [self.deployment.spec.template.meta.labels, *(pod.meta.labels for pod in self.pods)]
        return [one for number, one in enumerate(found) if one not in found[:number]]

    @property
    def holding(self) -> list[NetworkPolicy]:
        """The policies that say who may reach any of these pods."""
        return [policy for policy in self.policies if any(policy.holds(one) for one in self.labels)]


def door(cluster: ReadOnlyCluster, name: str) -> Door:
    """Look at a deployment, its pods, and what leads to them."""
    deployment = cluster.deployment(name)
    every = [one for one in cluster.pods() if not one.over]
    pods = [one for one in every if deployment.spec.selector.fits(one.meta.labels)]
    labels = [deployment.spec.template.meta.labels, *(pod.meta.labels for pod in pods)]
    services = [one for one in cluster.services() if any(map(one.leads_to, labels))]
    names = {one.name for one in services}
    ingresses = [one for one in cluster.ingresses() if one.services & names]
    return Door(deployment, tuple(pods), tuple(cluster.policies()), tuple(services), tuple(ingresses), tuple(every))


def blind(seen: Door) -> list[str]:
    """Return why a policy on these pods would not see clients' own addresses; empty where nothing speaks for it."""
    said = [
        f"the service {one.name} puts a node's address in place of the client's "
        f"({one.spec.type}, externalTrafficPolicy {one.spec.traffic})"
        for one in seen.services
        if one.hides
    ]
    said += [f"the ingress {one.name} hands clients on under its controller's address" for one in seen.ingresses]
    if any(pod.spec.host_network for pod in seen.pods) or seen.deployment.spec.template.spec.host_network:
        said.append("the pods use their nodes' network, where no policy counts")
    if not any(one.open for one in seen.services) and not seen.ingresses:
        said.append("no service leads to them from outside, so clients come by something else (a gateway, a mesh)")
    return said


def own(cluster: ReadOnlyCluster, settings: ReadSettings, seen: Door) -> Iterator[tuple[Net, str]]:
    """Yield each range or address that is the cluster's own or its operators', with whose it is."""
    for text in settings.operator_networks:
        yield net(text), "of operators (OPS_OPERATOR_NETWORKS)"
    for node in cluster.nodes():
        for text in node.spec.ranges:
            yield net(text), f"of the pods on {node.name}"
        for address in node.status.addresses:
            if address.type in ("InternalIP", "ExternalIP"):
                yield net(address.address), f"of the node {node.name}"
    for pod in cluster.pods(everywhere=True):
        if pod.status.address:
            yield net(pod.status.address), f"of the pod {pod.name}"
    for service in cluster.services():
        for text in service.own:
            yield net(text), f"of the service {service.name}"


def rows(seen: Door) -> list[dict[str, Any]]:
    """Return one row for each rule and each way."""
    found: list[dict[str, Any]] = []
    for policy in seen.holding:
        rules = [words(rule) for rule in policy.spec.ingress] or ["nobody"]
        found += [{"what": "policy", "name": policy.name, "says": said} for said in rules]
    if not seen.holding:
        found.append({"what": "policy", "name": None, "says": "none selects these pods: everybody may reach them"})
    for service in seen.services:
        kept = (
            "" if not service.open else ", hides clients' addresses" if service.hides else ", keeps clients' addresses"
        )
        found.append({"what": "service", "name": service.name, "says": f"{service.spec.type}{kept}"})
    found += [{"what": "ingress", "name": one.name, "says": "leads to them"} for one in seen.ingresses]
    return found


def sources(which: Which) -> Probe:
    """Return the probe of who may reach the pods of a deployment, and by which ways."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return rows(door(target.cluster, name_of(target.settings, which)))

    return Probe(
        name=f"cluster-sources-{which}",
        title=f"Who may reach the pods of the {which}, and by which ways",
        read=read,
        source="GET networkpolicies · services · ingresses",
    )


def whose(blocked: Sequence[Net], owned: Sequence[tuple[Net, str]]) -> list[str]:
    """Return which of ``blocked`` would hit addresses of one's own, in words."""
    return [f"{one} holds {mine} {what}" for one in blocked for mine, what in owned if one.overlaps(mine)]
