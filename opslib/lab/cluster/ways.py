"""The ways into the stand-in's cluster: addresses, services, an ingress, and who may come in by network policies.

The API's service hands on clients' own addresses, the front end is behind an ingress. All is denied that no policy
allows; the API is open to everybody on its port, and to those who measure it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from opslib.lab.cluster.kinds import Object

API_PORT = 8000
BALANCER = "192.0.2.10"
"""Where clients find the API."""


def address(node: str) -> str:
    """Return a node's own address; nodes are told apart by their last letter."""
    return f"10.0.0.{_number(node)}"


def pod_range(node: str) -> str:
    """Return the range from which a node's pods have their addresses."""
    return f"10.1.{_number(node)}.0/24"


def pod_address(node: str, taken: set[str]) -> str:
    """Return the first address of the node's range that no pod has."""
    every = ipaddress.ip_network(pod_range(node)).hosts()
    return next(str(one) for one in every if str(one) not in taken)


def system_address(node: str, number: int) -> str:
    """Return the address of one of the system's own pods on a node, at the end of its range."""
    return str(ipaddress.ip_network(pod_range(node))[-2 - number])


def _number(node: str) -> int:
    return ord(node[-1]) - ord("a") + 1


def ways() -> Iterator[tuple[str, Object]]:
    """Yield kind and object of each."""
    yield "services", _service("api-server", "10.96.0.10", type="LoadBalancer", externalTrafficPolicy="Local")
    yield "services", _service("frontend", "10.96.0.11", type="ClusterIP")
    backend = {"service": {"name": "frontend", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rules = [{"host": "valuecanvas.example", "http": {"paths": [path]}}]
    yield "ingresses", {"metadata": {"name": "valuecanvas"}, "spec": {"rules": rules}, "status": {"loadBalancer": {}}}
    everybody = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": API_PORT}]}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    yield "networkpolicies", _policy("default-deny-ingress", {}, [])
    yield (
        "networkpolicies",
        _policy("api-allow", {"matchLabels": {"app": "api-server"}}, [everybody, {"from": [monitoring]}]),
    )


def _service(name: str, ip: str, **spec: str) -> Object:
    port: Object = {"port": 80, "targetPort": API_PORT, "protocol": "TCP"}
    balancer: Object = {}
    if spec["type"] == "LoadBalancer":
        port["nodePort"], balancer = 30080, {"ingress": [{"ip": BALANCER}]}
    said = {"selector": {"app": name}, "clusterIP": ip, "clusterIPs": [ip], "ports": [port], **spec}
    return {"metadata": {"name": name}, "spec": said, "status": {"loadBalancer": balancer}}


def _policy(name: str, selector: Object, ingress: list[Object]) -> Object:
    spec: Object = {"podSelector": selector, "policyTypes": ["Ingress"]}
    return {"metadata": {"name": name}, "spec": spec | ({"ingress": ingress} if ingress else {})}
